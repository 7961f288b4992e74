"""T10: what a long history costs: runs, and the views that people look at."""

import os
import shutil
import statistics
import time

from rig.ratchet import Ratchet
from rig.report import Series, number, progress, require, spread, table

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


def run(sizes):
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
    fill(server, sizes.history_rows)
    runs = min(20_000, sizes.triggers)
    series = Series()
    for repeat in range(sizes.repeats + 1):
        for database in ("no_history", "long_history"):
            progress(f"round {repeat}: {runs} runs, history: {database}")
            figures = ratchet.drain(runs, 100, database)
            if repeat:  # the first round warms the caches
                series.add(database, **figures)
    names = {"no_history": "no history", "long_history": f"{number(sizes.history_rows)} rows"}
    table(["history", "runs/s", "CPU of the whole server per run, µs"],
          [(name, series.spread(d, "rate"), series.spread(d, "cpu")) for d, name in names.items()] +
          [("ratio", spread(series.ratio("long_history", "no_history", "rate")), spread(series.ratio("long_history", "no_history", "cpu")))],
          f"Target: CPU ≤ 1.1 ×. {runs} triggered runs each time, in two databases of one server in turn.")
    views(server, sizes, names)


def fill(server, rows):
    for first in range(1, rows + 1, SLICE):
        progress(f"filling the history: {first - 1} of {rows} rows")
        server.run(FILL.format(first=first, last=min(first + SLICE - 1, rows), jobs=JOBS, days=DAYS, rows=rows),
                   database="long_history")
    server.run("VACUUM ANALYZE ratchet.run_log; CHECKPOINT", database="long_history")
    server.run("VACUUM ANALYZE ratchet.run_log", database="no_history")
    there = server.number("SELECT count(*) FROM ratchet.run_log", database="long_history")
    require(there >= rows, f"the history has {there:.0f} rows")


def views(server, sizes, names):
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
                    found = session.rows(query)
                    took = time.monotonic() - started
                    require(len(found) == (50 if "LIMIT" in query else JOBS) or database == "no_history",
                            f"{query}: {len(found)} rows")
                    if repeat > 1:
                        times[database].append(took * 1e3)
            rows.append((what, who, *(spread(times[d]) for d in names),
                         number(statistics.median(times["long_history"]) / statistics.median(times["no_history"]))))
    for session in sessions.values():
        session.close()
    table(["ms until the client has all rows", "as", *names.values(), "ratio"], rows,
          f"Target: ≤ 20 ms each with {number(sizes.history_rows)} rows of history. {JOBS} jobs.")
