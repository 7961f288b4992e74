"""T4: how late a run starts, alone and when 100 are due at once."""

import time

from rig.pg_cron import PgCron
from rig.ratchet import Ratchet
from rig.report import Series, percentile, progress, require, table

WORKERS = 4
AT_ONCE = 100


def run(sizes):
    ratchet = Ratchet(WORKERS)
    crons = {f"pg_cron, {mode} mode": PgCron(mode) for mode in ("libpq", "workers")}
    series = Series()
    for repeat in range(sizes.repeats):
        for jobs in (1, AT_ONCE):
            for side, cron in crons.items():
                add(series, (side, jobs), cron.minute(jobs)["lags"])
                progress(f"round {repeat + 1}: pg_ratchet, {jobs} jobs due at once")
                add(series, ("pg_ratchet", jobs), start_lags(ratchet, jobs, sizes.seconds_each))
    rows = []
    for jobs in (1, AT_ONCE):
        for side in ("pg_ratchet", *crons):
            rows.append((f"{jobs} due at once", side,
                         *(series.spread((side, jobs), figure) for figure in ("p50", "p99", "worst"))))
    table(["start lag, ms", "side", "p50", "p99", "worst"], rows,
          f"Target: 1 due, p50 ≤ 0.5; {AT_ONCE} due at once, {WORKERS} warm workers, p99 ≤ 25. pg_ratchet:"
          f" `* * * * * *`, {sizes.seconds_each:.0f} bursts per round, one job alone every 50 ms; pg_cron (which knows only"
          " minutes in this version): one burst per round, so that its p50 and p99 of one due job are the same run.")


def add(series, side, lags):
    series.add(side, p50=percentile(lags, 0.5), p99=percentile(lags, 0.99), worst=max(lags))


def start_lags(ratchet, jobs, seconds):
    """Milliseconds from the time at which each run was due to its start."""
    ratchet.unschedule()
    ratchet.schedule(jobs, "50 ms" if jobs == 1 else "* * * * * *", "SELECT 1")
    ratchet.enable()
    time.sleep(2.2)  # the workers are warm now
    first = ratchet.server.value("SELECT clock_timestamp()")
    time.sleep(seconds)
    last = ratchet.server.value("SELECT clock_timestamp() - interval '500 ms'")
    time.sleep(0.3)
    ratchet.disable()
    due = f"scheduled_at BETWEEN '{first}' AND '{last}'"
    runs = ratchet.check_runs(due)
    skipped = ratchet.server.number(f"SELECT count(*) FROM ratchet.run_log WHERE {due} AND status <> 'succeeded'")
    wanted = jobs * (seconds - 2) if jobs > 1 else (seconds - 1) * 15
    require(runs >= wanted, f"{runs} runs started, {wanted:.0f} and more were due; {skipped:.0f} were skipped")
    return [float(row[0]) for row in ratchet.server.rows(
        f"SELECT extract(epoch FROM started_at - scheduled_at) * 1e3 FROM ratchet.run_log WHERE {due}"
        " AND status = 'succeeded'")]
