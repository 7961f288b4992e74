"""T6: defining many jobs; starting with very many, and the memory that they take."""

import re
import time

from rig.pg_cron import PgCron
from rig.ratchet import Ratchet
from rig.report import Series, number, progress, require
from rig.server import read

DEFINE = {
    "ratchet.schedule()": "SELECT count(ratchet.schedule('job' || g, '1 day', 'SELECT 1')) FROM generate_series(1, {n}) g",
    "cron.schedule()": "SELECT count(cron.schedule('job' || g, '0 0 29 2 *', 'SELECT 1')) FROM generate_series(1, {n}) g",
}


def run(sizes, found):
    ratchet = Ratchet(4)
    ratchet.enable()
    define(ratchet, sizes, found)
    start(ratchet, sizes, found)


def define(ratchet, sizes, found):
    cron = PgCron("libpq")
    series = Series()
    for repeat in range(sizes.repeats):
        for side, sql in DEFINE.items():
            progress(f"round {repeat + 1}: {sizes.schedule_jobs} calls of {side}")
            mine = side.startswith("ratchet")
            server = ratchet.server if mine else cron.server
            rows = server.rows("BEGIN; SELECT extract(epoch FROM clock_timestamp());" +
                               sql.format(n=sizes.schedule_jobs) + "; COMMIT; SELECT extract(epoch FROM clock_timestamp())")
            jobs = server.number(f"SELECT count(*) FROM {'ratchet' if mine else 'cron'}.job")
            require(jobs == sizes.schedule_jobs, f"{side}: {jobs:.0f} jobs are there")
            series.add(side, call=(float(rows[2][0]) - float(rows[0][0])) / sizes.schedule_jobs * 1e6)
            if mine:
                ratchet.server.wait_until("SELECT count(*) = 0 FROM ratchet.jobs WHERE next_run_at IS NULL",
                                          "the scheduler has taken up the jobs", timeout=60)
                ratchet.unschedule()
                ratchet.server.run("VACUUM ratchet.job, ratchet.job_state")
            else:
                cron.unschedule()
                cron.server.run("VACUUM cron.job")
    found.goal("T6", f"`schedule`, {number(sizes.schedule_jobs)} in one transaction", "≤ 150 µs each",
               series.values("ratchet.schedule()", "call"), "µs", at_most=150)
    found.table([f"{number(sizes.schedule_jobs)} jobs in one transaction, with its commit", "µs per call"],
          [(side, series.spread(side, "call")) for side in DEFINE], "Target: ≤ 150.")


def anonymous_kilobytes(pid):
    return int(re.search(r"RssAnon:\s+(\d+)", read(f"/proc/{pid}/status")).group(1))


def settled_memory(server):
    """Kilobytes of the scheduler's own memory, once it does not change any more."""
    before = -1
    for _ in range(120):
        now = anonymous_kilobytes(server.process("pg_ratchet scheduler"))
        if now == before:
            return now
        before = now
        time.sleep(1)
    require(False, "the memory of the scheduler does not settle")
    return before


def start(ratchet, sizes, found):
    """Starts of the server: how long until a run that is asked for at once starts."""
    server = ratchet.server
    ratchet.schedule(1, "@manual", "SELECT 1", prefix="asked")
    series = Series()
    for jobs in (0, sizes.start_jobs):
        if jobs:
            progress(f"inserting {jobs} jobs")
            server.run(
                "INSERT INTO ratchet.job (job_name, owner, schedule, time_zone, schedule_since, command)"
                " SELECT 'job' || g, current_user::regrole, CASE WHEN g % 2 = 0"
                " THEN (1000 + g % 1000) || ' hours' ELSE (g % 60) || ' ' || (g % 24) || ' 29 2 *' END, 'UTC', now(), 'SELECT 1'"
                f" FROM generate_series(1, {jobs}) g; SELECT count(*) FROM ratchet.adopt(); VACUUM ANALYZE ratchet.job")
            progress("the scheduler takes them up")
            wait(server)
            server.wait_until("SELECT count(*) > " + str(jobs) + " FROM ratchet.job_state",
                              "the scheduler has written where the jobs stand", timeout=600, every=1)
            server.run("VACUUM ANALYZE ratchet.job_state; CHECKPOINT")
        for repeat in range(sizes.repeats):
            progress(f"start {repeat + 1} with {jobs} jobs")
            server.restart()
            run_id = wait(server)
            seconds, since_scheduler = server.rows(
                "SELECT extract(epoch FROM r.started_at - pg_postmaster_start_time()),"
                " extract(epoch FROM r.started_at - a.backend_start) FROM ratchet.run_log r, pg_stat_activity a"
                f" WHERE r.run_id = {run_id} AND a.backend_type = 'pg_ratchet scheduler'"
                " AND a.datname = current_database()")[0]
            kilobytes = settled_memory(server)
            series.add(jobs, start=float(seconds), scheduler=float(since_scheduler), memory=kilobytes)
    with_jobs, without = (series.median(jobs, "memory") for jobs in (sizes.start_jobs, 0))
    per_job = (with_jobs - without) * 1024 / sizes.start_jobs
    found.goal("T6", f"start with {number(sizes.start_jobs)} jobs", "≤ 5 s", series.values(sizes.start_jobs, "start"), "s",
               at_most=5)
    found.goal("T6", "the scheduler's memory per job", "≤ 200 bytes", per_job, "bytes", at_most=200)
    found.table(["jobs", "start of the server to start of a run, s", "start of the scheduler to start of a run, s",
           "scheduler's own memory, MB", "bytes per job"],
          [(number(jobs), series.spread(jobs, "start"), series.spread(jobs, "scheduler"),
            number(series.median(jobs, "memory") / 1024),
            number(per_job) if jobs else "–") for jobs in (0, sizes.start_jobs)],
          "Target: start ≤ 5 s, ≤ 200 bytes per job. The run is asked for as soon as the server accepts connections."
          " Half of the jobs have an interval, half a cron"
          " schedule. Memory: anonymous resident memory (RssAnon) of the scheduler, once it has settled.")


def wait(server):
    """Asks for a run and waits for its end; returns its id."""
    run_id = server.value("SELECT ratchet.trigger('asked1')")
    status = server.value(f"SELECT ratchet.wait({run_id}, '5 minutes')")
    require(status == "succeeded", f"a run that was asked for is {status}")
    return run_id
