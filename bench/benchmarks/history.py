"""T10: what a long history costs: runs, and the views that people look at."""

import os
import shutil
import statistics
import time

from rig.ratchet import Ratchet
from rig.report import Series, number, progress, require, spread

JOBS = 1000
DAYS = 25  # below ratchet.keep_history, so that nothing is deleted meanwhile
SLICE = 500_000

FILL = """
SET synchronous_commit = off;
INSERT INTO ratchet.run_log (run_id, job_id, job_name, owner, version, cause, status, attempt, scheduled_at, queued_at,
    started_at, finished_at, rows_affected, sqlstate, error, worker_pid, node, dry_run, wal_bytes, blocks_read,
    blocks_hit, cpu_time, result, occurrences)
SELECT nextval('ratchet.run_id_seq'), j.job_id, j.job_name, j.owner, j.version, 'schedule',
    CASE WHEN g % 100 = 0 THEN 'failed' ELSE 'succeeded' END, 1, at, at, at + '200 us', at + '5 ms', 1,
    CASE WHEN g % 100 = 0 THEN '22012' END, CASE WHEN g % 100 = 0 THEN 'division by zero' END,
    1000 + g % 8, 'bench', false, 200, 0, 7, '1 ms', '{{"?column?": 1}}', 1
FROM generate_series({first}::bigint, {last}) g
JOIN (SELECT row_number() OVER (ORDER BY job_id) - 1 AS n, * FROM ratchet.job) j ON j.n = g % {jobs},
LATERAL (SELECT now() - interval '{days} days' + g * (interval '{days} days' / {rows}) AS at) t
ORDER BY g"""

QUERIES = {
    "`ratchet.jobs`": "SELECT * FROM ratchet.jobs",
    "`ratchet.job_health`": "SELECT * FROM ratchet.job_health",
    "newest 50 of `ratchet.runs`": "SELECT * FROM ratchet.runs ORDER BY run_id DESC LIMIT 50",
    "newest 50 runs of one job": "SELECT * FROM ratchet.runs WHERE job_name = 'job7' ORDER BY run_id DESC LIMIT 50",
}
USERS = {"superuser": "postgres", "owner of the jobs": "bench_owner"}


def run(sizes, found):
    needed = 3e9 + sizes.history_rows * 1000
    free = shutil.disk_usage(os.environ["RATCHET_WORK"]).free
    require(free > needed, f"needs {needed / 1e9:.0f} GB of disk, {free / 1e9:.0f} GB are free")
    ratchet = Ratchet(4, databases=("no_history", "long_history"))
    server = ratchet.server
    server.run("CREATE ROLE bench_owner LOGIN", database="postgres")
    for database in ("no_history", "long_history"):
        server.run("GRANT USAGE ON SCHEMA ratchet TO bench_owner", database=database)
        ratchet.schedule(JOBS, "1 day", "SELECT 1", options="overlap => 'allow'", database=database, user="bench_owner")
        ratchet.drain(JOBS, JOBS, database)  # every job has run once
    runs = min(20_000, sizes.triggers)
    series, there = Series(), 0
    stages = [sizes.history_rows // 100, sizes.history_rows // 10, sizes.history_rows]
    for stage in stages:
        fill(server, there, stage, sizes.history_rows)
        there = stage
        for repeat in range(sizes.repeats + 1):
            for database in ("no_history", "long_history"):
                progress(f"{stage} rows, round {repeat}: {runs} runs, {database}")
                figures = ratchet.drain(runs, 100, database)
                if repeat:  # the first round warms the caches
                    series.add((database, stage), **figures)
    rows = []
    for stage in stages:
        without, with_rows = ("no_history", stage), ("long_history", stage)
        rows.append((number(stage), series.spread(with_rows, "rate"), series.spread(with_rows, "cpu"),
                     series.spread(without, "cpu"), spread(series.ratio(with_rows, without, "cpu"))))
    found.table(["rows of history", "runs/s", "CPU of the whole server per run, µs", "the same without a history", "ratio"], rows,
                f"Target: CPU ≤ 1.1 ×. {runs} triggered runs each time, in two databases of one server in turn.")
    found.goal("T10", f"CPU per run with {number(there)} rows of history", "≤ 1.1 ×",
               series.ratio(("long_history", there), ("no_history", there), "cpu"), "×", at_most=1.1)
    found.plot("history", "lines", "CPU of a run", "rows of history", "µs",
               [(shown, stages, [series.median((database, stage), "cpu") for stage in stages])
                for shown, database in (("with so many rows", "long_history"), ("no history", "no_history"))], log_x=True)
    views(server, sizes, {"no_history": "no history", "long_history": f"{number(there)} rows"}, found)
    waiting(ratchet, sizes, found)


def fill(server, there, rows, all_rows):
    for first in range(there + 1, rows + 1, SLICE):
        progress(f"filling the history: {first - 1} of {rows} rows")
        server.run(FILL.format(first=first, last=min(first + SLICE - 1, rows), jobs=JOBS, days=DAYS, rows=all_rows),
                   database="long_history")
    server.run("VACUUM ANALYZE ratchet.run_log; CHECKPOINT", database="long_history")
    server.run("VACUUM ANALYZE ratchet.run_log", database="no_history")
    found = server.number("SELECT count(*) FROM ratchet.run_log", database="long_history")
    require(found >= rows, f"the history has {found:.0f} rows")


def views(server, sizes, names, found):
    sessions = {(database, who): server.session(database, user)
                for database in names for who, user in USERS.items()}
    rows = []
    for what, query in QUERIES.items():
        for who in USERS:
            times = {database: [] for database in names}
            for repeat in range(2 * sizes.repeats + 2):
                for database in names:
                    session = sessions[database, who]
                    started = time.monotonic()
                    shown = session.rows(query)
                    took = time.monotonic() - started
                    require(len(shown) == (50 if "LIMIT" in query else JOBS) or database == "no_history",
                            f"{query}: {len(shown)} rows")
                    if repeat > 1:
                        times[database].append(took * 1e3)
            found.goal("T10", f"{what}, as {who}", "≤ 20 ms", times["long_history"], "ms", at_most=20)
            rows.append((what, who, *(spread(times[d]) for d in names),
                         number(statistics.median(times["long_history"]) / statistics.median(times["no_history"]))))
    for session in sessions.values():
        session.close()
    found.table(["ms until the client has all rows", "as", *names.values(), "ratio"], rows,
          f"Target: ≤ 20 ms each with {number(sizes.history_rows)} rows of history. {JOBS} jobs.")


def waiting(ratchet, sizes, found):
    """The newest runs while very many wait, of which the planner knows or not."""
    server, runs = ratchet.server, min(20_000, sizes.triggers)
    ratchet.ask(runs, 100, "long_history")
    rows, query = [], QUERIES["newest 50 of `ratchet.runs`"]
    for known in ("unknown to the planner", "after ANALYZE"):
        if known == "after ANALYZE":
            server.run("ANALYZE ratchet.run_queue", database="long_history")
        for who, user in USERS.items():
            session, times = server.session("long_history", user), []
            for _ in range(sizes.repeats + 1):
                started = time.monotonic()
                require(len(session.rows(query)) == 50, "the view has not enough rows")
                times.append((time.monotonic() - started) * 1e3)
            session.close()
            rows.append((known, who, spread(times[1:])))
    server.run("SELECT count(ratchet.cancel(run_id)) FROM ratchet.run_queue", database="long_history")
    found.table([f"newest 50 of `ratchet.runs` while {number(runs)} runs wait", "as", "ms"], rows)
