"""T5: what jobs cost that are not due."""

import time

from rig.pg_cron import PgCron
from rig.ratchet import Ratchet
from rig.report import number, progress, require
from rig.server import process_seconds

SETTLE = 5


def run(sizes, found):
    # All servers at the same time: none of them has anything to do.
    sides = [(jobs, start_ratchet(jobs), start_cron(jobs)) for jobs in sizes.idle_jobs]
    time.sleep(SETTLE)
    processes = {}
    for jobs, ratchet, cron in sides:
        processes["pg_ratchet", jobs] = [ratchet.process("pg_ratchet launcher"), ratchet.process("pg_ratchet scheduler")]
        processes["pg_cron", jobs] = [cron.process("pg_cron")]
    before = {side: sum(map(process_seconds, pids)) for side, pids in processes.items()}
    progress(f"nothing is due for {sizes.idle_seconds:.0f} s")
    time.sleep(sizes.idle_seconds)
    cpu = {}
    for side, pids in processes.items():
        spent = sum(map(process_seconds, pids)) - before[side]
        require(spent >= 0, f"a process of {side} ended")
        cpu[side] = spent * 1e3 * 60 / sizes.idle_seconds
    for _, ratchet, _ in sides:
        require(ratchet.number("SELECT count(*) FROM ratchet.run_log") == 0, "a job ran")
    found.table(["jobs, none of them due", "pg_ratchet: launcher and scheduler, CPU ms per minute",
                 "pg_cron: launcher, CPU ms per minute"],
                [(number(jobs), number(cpu["pg_ratchet", jobs]), number(cpu["pg_cron", jobs])) for jobs in sizes.idle_jobs],
                f"Target: ≤ 2, the same for all. One measurement of {sizes.idle_seconds:.0f} s, all servers at the same time,"
                " by the kernel's count of each process's time (/proc/PID/schedstat).")
    for jobs in sizes.idle_jobs:
        found.goal("T5", f"idle CPU with {number(jobs)} jobs, per minute", "≤ 2 ms", cpu["pg_ratchet", jobs], "ms", at_most=2)
    found.plot("idle", "lines", "CPU of jobs that are not due", "jobs", "ms per minute",
               [(side, sizes.idle_jobs, [cpu[side, jobs] for jobs in sizes.idle_jobs]) for side in ("pg_ratchet", "pg_cron")],
               log_x=True, log_y=True)


def start_ratchet(jobs):
    progress(f"{jobs} jobs in pg_ratchet")
    ratchet = Ratchet(4, name=f"ratchet_{jobs}")
    ratchet.enable()
    ratchet.schedule(jobs, "1 year", "SELECT 1")
    require(ratchet.server.number("SELECT count(*) FROM ratchet.job") == jobs, "pg_ratchet has other jobs")
    return ratchet.server


def start_cron(jobs):
    progress(f"{jobs} jobs in pg_cron")
    cron = PgCron("libpq", name=f"_{jobs}")
    cron.server.run("INSERT INTO cron.job (schedule, command, nodeport, jobname)"
                    f" SELECT '0 0 29 2 *', 'SELECT 1', 5432, 'job' || g FROM generate_series(1, {jobs}) g")
    require(cron.server.number("SELECT count(*) FROM cron.job") == jobs, "pg_cron has other jobs")
    return cron.server
