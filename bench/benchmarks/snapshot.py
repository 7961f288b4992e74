"""T11: what an old snapshot in another session costs."""

import time

from rig.ratchet import Ratchet
from rig.report import Series, number, percentile, progress, require, spread

from benchmarks.lag import AT_ONCE, start_lags
from benchmarks.records import INTERVAL, JOBS, WORKERS

SIDES = ("none", "old snapshot")


def run(sizes, found):
    ratchet = Ratchet(WORKERS)
    server = ratchet.server
    series = Series()
    for repeat in range(sizes.repeats):
        for side in SIDES:
            progress(f"round {repeat + 1}: {side}, {sizes.snapshot_age:.0f} s of runs before")
            # Both sides start from tables without dead rows, and with the same load before.
            server.run("VACUUM ratchet.job, ratchet.job_state, ratchet.job_stat, ratchet.run_queue, ratchet.run_log")
            session = server.session()
            if side == "old snapshot":
                session.rows("BEGIN ISOLATION LEVEL REPEATABLE READ")
            seen = session.value("SELECT count(*) FROM ratchet.run_log")
            ratchet.schedule(JOBS, INTERVAL, "SELECT 1")
            before = ratchet.saturate(sizes.snapshot_age, settle=0.5)
            require(before["runs"] > 1000, "there were hardly any runs before")
            progress(f"round {repeat + 1}: {side}, measuring")
            busy = ratchet.saturate(sizes.seconds_each)
            lags = start_lags(ratchet, AT_ONCE, sizes.seconds_each)
            alone = start_lags(ratchet, 1, sizes.seconds_each)
            ratchet.unschedule()
            series.add(side, rate=busy["rate"], cpu=busy["cpu"], p50=percentile(lags, 0.5), p99=percentile(lags, 0.99),
                       alone=percentile(alone, 0.5), before=before["runs"])
            if side == "old snapshot":
                require(session.value("SELECT count(*) FROM ratchet.run_log") == seen, "the snapshot did not stay")
                session.rows("COMMIT")
            session.close()
            time.sleep(0.5)
    figures = ("rate", "cpu", "p50", "p99", "alone", "before")
    age = number(sizes.snapshot_age)
    for measure, figure in ((f"CPU per run under a snapshot that is {age} s old", "cpu"), ("start lag of one, the same", "alone")):
        found.goal("T11", measure, "≤ 1.2 ×", series.ratio("old snapshot", "none", figure), "×", at_most=1.2)
    found.table(["snapshot in another session", "runs/s", "CPU per run, µs", f"start lag of {AT_ONCE}, ms: p50", "p99",
           "start lag of 1, ms: p50", "runs before"],
          [(side, *(series.spread(side, figure) for figure in figures)) for side in SIDES] +
          [("ratio", *(spread(series.ratio("old snapshot", "none", figure)) for figure in figures[:-1]), "")],
          f"Target: ≤ 1.2 × in CPU and lag. The snapshot is {sizes.snapshot_age:.0f} s and the runs of the last"
          " column old when the measurement starts. The side without one had the same load before.")
