"""T1: runs per second of jobs that do nothing, with a record each."""

from rig.pg_cron import PgCron
from rig.ratchet import Ratchet
from rig.report import Series, number, progress, table

WORKERS = 4
JOBS = 1000
INTERVAL = "50 ms"  # 20 000 runs are due per second

SCHEDULED = f"pg_ratchet, {JOBS} jobs due every {INTERVAL}"
FLOOR = "pgbench: insert of one row, synchronous commit"
FLOOR_ASYNC = "pgbench: insert of one row, asynchronous commit"
INSERT = ("INSERT INTO floor (job_id, status, started, finished)"
          " VALUES (1, 'succeeded', clock_timestamp(), clock_timestamp());")


def run(sizes):
    triggered = f"pg_ratchet, {sizes.triggers} triggered runs"
    ratchet = Ratchet(WORKERS)
    ratchet.server.run("CREATE TABLE floor (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id bigint,"
                       " status text, started timestamptz, finished timestamptz)")
    ratchet.schedule(100, "@manual", "SELECT 1", prefix="asked", options="overlap => 'allow'")
    crons = {f"pg_cron, {mode} mode, {sizes.cron_jobs} jobs due at once": PgCron(mode)
             for mode in ("libpq", "workers")}
    series = Series()
    for repeat in range(sizes.repeats):
        for side, cron in crons.items():
            figures = cron.minute(sizes.cron_jobs)
            series.add(side, rate=figures["rate"], cpu=figures["cpu"])
            progress(f"round {repeat + 1}: pg_ratchet, {WORKERS} workers")
            ratchet.schedule(JOBS, INTERVAL, "SELECT 1")
            figures = ratchet.saturate(sizes.seconds_each)
            series.add(SCHEDULED, **figures)
            ratchet.server.run("SELECT count(ratchet.unschedule(job_name)) FROM ratchet.job WHERE overlap = 'skip'")
            if len(series.values(triggered, "rate")) <= repeat:
                series.add(triggered, **ratchet.drain(sizes.triggers, 100))
                floor(ratchet, series, sizes.seconds_each / 2)
    rows = []
    most = series.median(triggered, "rate")
    for side in (SCHEDULED, triggered, *crons, FLOOR, FLOOR_ASYNC):
        rows.append((side, series.spread(side, "rate"), series.spread(side, "cpu"),
                     number(most / series.median(side, "rate"))))
    table(["records", "runs/s", "CPU of the whole server per run, µs", "triggered runs/s : this row"], rows,
          f"Target: ≥ 15 000 runs/s and ≥ 100 × pg_cron, CPU ≤ 60 µs. {WORKERS} workers, `SELECT 1`. The first row"
          f" cannot exceed 20 000 runs/s; occurrences that were skipped in it, because the job still ran, are not counted"
          f" (rows that record some, per run: {series.spread(SCHEDULED, 'skipped')}). A run that wrote nothing commits"
          " asynchronously: its record is on disk at most 3 × wal_writer_delay (0.6 s) later.")


def floor(ratchet, series, seconds):
    for side, options in ((FLOOR, ""), (FLOOR_ASYNC, "-c synchronous_commit=off")):
        spent = ratchet.server.cpu()
        rate, count = ratchet.server.pgbench(INSERT, WORKERS, seconds, options=options)
        series.add(side, rate=rate, cpu=(ratchet.server.cpu() - spent) / count * 1e6)
