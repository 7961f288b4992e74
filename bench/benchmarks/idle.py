"""T5: what jobs cost that are not due."""

import time

from rig.pg_cron import PgCron
from rig.ratchet import Ratchet
from rig.report import Series, number, progress, require, table
from rig.server import process_seconds

SETTLE = 5


def run(sizes):
    ratchet, cron = Ratchet(4), PgCron("libpq")
    ratchet.enable()
    series = Series()
    there = 0
    for jobs in sizes.idle_jobs:
        progress(f"{jobs} jobs")
        ratchet.server.run(f"SELECT count(ratchet.schedule('job' || g, '1 year', 'SELECT 1'))"
                           f" FROM generate_series({there + 1}, {jobs}) g")
        cron.server.run("INSERT INTO cron.job (schedule, command, nodeport, jobname)"
                        " SELECT '0 0 29 2 *', 'SELECT 1', 5432, 'job' || g"
                        f" FROM generate_series({there + 1}, {jobs}) g")
        there = jobs
        for side, server, table_name in (("pg_ratchet", ratchet.server, "ratchet.job"),
                                         ("pg_cron", cron.server, "cron.job")):
            require(server.number(f"SELECT count(*) FROM {table_name}") == jobs, f"{side} has other jobs")
        time.sleep(SETTLE)
        # Both at the same time: neither has anything to do.
        pids = {"pg_ratchet": [ratchet.server.process("pg_ratchet launcher"),
                               ratchet.server.process("pg_ratchet scheduler")],
                "pg_cron": [cron.server.process("pg_cron")]}
        before = {side: sum(map(process_seconds, ids)) for side, ids in pids.items()}
        progress(f"{jobs} jobs: nothing is due for {sizes.idle_seconds:.0f} s")
        time.sleep(sizes.idle_seconds)
        for side, ids in pids.items():
            spent = sum(map(process_seconds, ids)) - before[side]
            require(spent >= 0, f"a process of {side} ended")
            series.add((side, jobs), cpu=spent * 1e3 * 60 / sizes.idle_seconds)
        require(ratchet.server.number("SELECT count(*) FROM ratchet.run_log") == 0, "a job ran")
    table(["jobs, none of them due", "pg_ratchet: launcher and scheduler, CPU ms per minute",
           "pg_cron: launcher, CPU ms per minute"],
          [(number(jobs), series.spread(("pg_ratchet", jobs), "cpu"), series.spread(("pg_cron", jobs), "cpu"))
           for jobs in sizes.idle_jobs],
          f"Target: ≤ 2, the same for all. One measurement of {sizes.idle_seconds:.0f} s each, both sides at the same time,"
          " by the kernel's count of each process's time (/proc/PID/schedstat).")
