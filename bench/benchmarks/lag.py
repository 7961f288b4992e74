"""T4: how late a run starts, alone and when 100 are due at once."""

import time
from concurrent.futures import ThreadPoolExecutor

from rig.pg_cron import PgCron
from rig.ratchet import Ratchet
from rig.report import Series, percentile, progress, quantiles, require

WORKERS = 4
AT_ONCE = 100


def run(sizes, found):
    ratchet = Ratchet(WORKERS)
    crons = {f"pg_cron, {mode} mode": PgCron(mode) for mode in ("libpq", "workers")}
    series = Samples()
    for repeat in range(max(sizes.repeats, sizes.cron_rounds)):
        for jobs in (1, AT_ONCE):
            progress(f"round {repeat + 1}: pg_ratchet, {jobs} jobs due at once")
            series.add(("pg_ratchet", jobs), start_lags(ratchet, jobs, sizes.seconds_each))
        if repeat >= sizes.cron_rounds:
            continue
        # One job each hardly disturbs the other one's: both at the same minute.
        for side, lags in alone(crons).items():
            series.add((side, 1), lags)
        for side, cron in crons.items():
            series.add((side, AT_ONCE), cron.minute(AT_ONCE)["lags"])
    rows = []
    for jobs in (1, AT_ONCE):
        for side in ("pg_ratchet", *crons):
            rows.append((f"{jobs} due at once", side,
                         *(series.spread((side, jobs), figure) for figure in ("p50", "p99", "worst"))))
    found.table(["start lag, ms", "side", "p50", "p99", "worst"], rows,
          f"Target: 1 due, p50 ≤ 0.5; {AT_ONCE} due at once, {WORKERS} warm workers, p99 ≤ 25. pg_ratchet:"
          f" `* * * * * *`, {sizes.seconds_each:.0f} bursts per round, one job alone every 50 ms; pg_cron (which knows only"
          " minutes in this version): one burst per round, so that its p50 and p99 of one due job are the same run.")
    one = series.values(("pg_ratchet", 1), "p50")
    found.goal("T4", "start lag, one job due: p50", "≤ 500 µs", [x * 1e3 for x in one], "µs", at_most=500)
    found.goal("T4", f"start lag, {AT_ONCE} due at once: p99", "≤ 25 ms", series.values(("pg_ratchet", AT_ONCE), "p99"),
               "ms", at_most=25)
    found.figure("lag_one", [x * 1e3 for x in one])
    for jobs, file, title in ((1, "lag-one", "Start lag of one due job"),
                              (AT_ONCE, "lag-hundred", f"Start lag of {AT_ONCE} jobs that are due at once")):
        found.plot(file, "share below", title, "ms after the time at which it was due", "% of runs",
                   [(side, quantiles(series.samples[side, jobs])) for side in ("pg_ratchet", *crons)], log_x=True)


class Samples(Series):
    """Keeps every sample, too, for the plots."""

    def __init__(self):
        super().__init__()
        self.samples = {}

    def add(self, side, lags):
        self.samples.setdefault(side, []).extend(lags)
        super().add(side, p50=percentile(lags, 0.5), p99=percentile(lags, 0.99), worst=max(lags))


def alone(crons):
    """The start lag of one job, of each of these servers at the same minute."""
    with ThreadPoolExecutor() as threads:
        waits = {side: threads.submit(cron.minute, 1) for side, cron in crons.items()}
        return {side: wait.result()["lags"] for side, wait in waits.items()}


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
