"""How much of everything the benchmarks do. Each can be set in the environment."""

import os
from dataclasses import dataclass, fields


@dataclass
class Sizes:
    repeats: int = 3            # REPEATS: of both sides, in turn
    cron_rounds: int = 3        # CRON_ROUNDS: each takes minutes, as pg_cron goes by the minute
    seconds_each: float = 8     # SECONDS_EACH: how long a side is measured each time
    cron_jobs: int = 300        # jobs of pg_cron that are due at one minute
    triggers: int = 50_000      # drained by the benchmark records
    flush_delays: tuple = (500, 3_000)  # µs that a flush takes longer, of the benchmark durable
    latency_samples: int = 400  # of the benchmark trigger, each time
    cold_samples: int = 30
    idle_seconds: float = 61    # one minute of pg_cron, with its tick
    idle_jobs: tuple = (100, 10_000, 100_000)
    other_jobs: tuple = (0, 1_000, 10_000, 100_000)  # of the benchmark jobs
    waiting_runs: tuple = (1_000, 10_000, 100_000)  # of one job
    on_change_rounds: int = 9
    schedule_jobs: int = 10_000
    batch_rows: int = 500_000        # BATCH_ROWS: of the table that batches walk; ten times as many once
    walk_rows: int = 3_000_000       # WALK_ROWS: of tables whose rows are not stored in order; a thirtieth more often
    queue_tasks: int = 200_000       # QUEUE_TASKS: of a backlog that is done
    queue_through: int = 1_000_000   # QUEUE_THROUGH: under one snapshot
    queue_beside: int = 10_000_000   # QUEUE_BESIDE: delayed, completed or dead, and as many ready
    queue_rate: int = 400            # QUEUE_RATE: tasks per second whose latency is measured
    start_jobs: int = 1_000_000      # START_JOBS
    history_rows: int = 10_000_000   # HISTORY_ROWS
    snapshot_age: float = 60         # SNAPSHOT_AGE: seconds

    @classmethod
    def from_environment(cls):
        sizes = cls()
        if os.environ.get("SHORT", "") not in ("", "0"):
            # As much as twenty minutes allow, on a machine that does nothing else.
            sizes = cls(repeats=2, cron_rounds=1, seconds_each=4, triggers=30_000, cold_samples=20, on_change_rounds=5,
                        waiting_runs=(1_000, 30_000),
                        queue_tasks=100_000, queue_through=300_000, queue_beside=1_000_000,
                        batch_rows=30_000, walk_rows=900_000, history_rows=2_000_000, snapshot_age=10)
        if os.environ.get("QUICK", "") not in ("", "0"):
            sizes = cls(repeats=1, cron_rounds=1, seconds_each=3, cron_jobs=100, triggers=10_000, flush_delays=(500,),
                        latency_samples=100, cold_samples=10, idle_seconds=10, on_change_rounds=2,
                        idle_jobs=(100, 10_000), other_jobs=(0, 1_000), waiting_runs=(500, 2_000), schedule_jobs=2_000, batch_rows=20_000, walk_rows=150_000,
                        queue_tasks=20_000, queue_through=50_000, queue_beside=100_000,
                        start_jobs=50_000, history_rows=200_000, snapshot_age=5)
        for field in fields(cls):
            text = os.environ.get(field.name.upper())
            if text and isinstance(getattr(sizes, field.name), (int, float)):
                setattr(sizes, field.name, type(getattr(sizes, field.name))(float(text)))
        return sizes
