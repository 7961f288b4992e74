"""P8: what other jobs, which are not due, cost those that run."""

from rig.ratchet import Ratchet
from rig.report import Series, number, percentile, progress, require

WORKERS = 4
RUNNING = 100


def run(sizes, found):
    ratchet = Ratchet(WORKERS)
    server = ratchet.server
    ratchet.schedule(RUNNING, "@manual", "SELECT 1", prefix="asked", options="overlap => 'allow'")
    runs, series, there = min(20_000, sizes.triggers), Series(), 0
    for others in sizes.other_jobs:
        progress(f"{others} other jobs")
        server.run("SELECT count(ratchet.schedule('other' || g, '1 year', 'SELECT 1'))"
                   f" FROM generate_series({there + 1}, {others}) g; VACUUM ANALYZE ratchet.job, ratchet.job_state; CHECKPOINT")
        there = others
        ratchet.await_scheduler()
        for repeat in range(sizes.repeats + 1):
            progress(f"{others} other jobs, round {repeat}: {runs} runs")
            figures = {**ratchet.drain(runs, RUNNING), "lag": lag_of_one(ratchet)}
            if repeat:  # the first round warms the caches
                series.add(others, **figures)
        require(server.number("SELECT count(*) FROM ratchet.job") == RUNNING + others, "other jobs are there")
    least = sizes.other_jobs[0]
    found.table(["other jobs, none of them due", "runs/s", "CPU of the whole server per run, µs", "CPU ratio to none",
                 "start lag of one, ms"],
                [(number(n), series.spread(n, "rate"), series.spread(n, "cpu"),
                  number(series.median(n, "cpu") / series.median(least, "cpu")), series.spread(n, "lag"))
                 for n in sizes.other_jobs],
                f"Promise: cost follows work, not size. {runs} triggered runs of {RUNNING} jobs each time; then one job that"
                " is due every 50 ms, median.")
    found.plot("jobs", "lines", "CPU of a run over the number of other jobs", "other jobs, none of them due", "µs",
               [("pg_ratchet", [max(n, 1) for n in sizes.other_jobs], [series.median(n, "cpu") for n in sizes.other_jobs])],
               log_x=True)


def lag_of_one(ratchet, seconds=1.5):
    server = ratchet.server
    ratchet.schedule(1, "50 ms", "SELECT 1", prefix="due")
    figures = ratchet.saturate(seconds, settle=0.5)
    require(figures["runs"] >= 10, "the job that is due hardly ran")
    lags = [float(row[0]) for row in server.rows(
        "SELECT extract(epoch FROM started_at - scheduled_at) * 1e3 FROM ratchet.run_log"
        " WHERE job_name = 'due1' AND status = 'succeeded'")]
    server.run("SELECT ratchet.unschedule('due1'); DELETE FROM ratchet.run_log WHERE job_name = 'due1'")
    return percentile(lags, 0.5)
