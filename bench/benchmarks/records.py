"""T1: runs per second of jobs that do nothing, with a record each."""

from rig import in_server
from rig.pg_cron import PgCron
from rig.ratchet import Ratchet
from rig.report import Series, number, progress

WORKERS = 4
JOBS = 1000
INTERVAL = "50 ms"  # 20 000 runs are due per second

SCHEDULED = f"pg_ratchet, {JOBS} jobs due every {INTERVAL}"
FLOOR = "pgbench: insert of one row, synchronous commit"
FLOOR_ASYNC = "pgbench: insert of one row, asynchronous commit"
FLOOR_IN_SERVER = "in the server, one process: insert of one row, asynchronous commit"


def run(sizes, found):
    triggered = f"pg_ratchet, {sizes.triggers} triggered runs"
    ratchet = Ratchet(WORKERS)
    in_server.prepare(ratchet.server)
    ratchet.schedule(100, "@manual", "SELECT 1", prefix="asked", options="overlap => 'allow'")
    crons = {f"pg_cron, {mode} mode, {sizes.cron_jobs} jobs due at once": PgCron(mode)
             for mode in ("libpq", "workers")}
    series = Series()
    for repeat in range(max(sizes.repeats, sizes.cron_rounds)):
        progress(f"round {repeat + 1}: pg_ratchet, {WORKERS} workers")
        ratchet.schedule(JOBS, INTERVAL, "SELECT 1")
        series.add(SCHEDULED, **ratchet.saturate(sizes.seconds_each))
        # At once: the speed of a processor that others share changes within minutes.
        series.add(FLOOR_IN_SERVER, **in_server.transactions(ratchet.server, "insert_async"))
        ratchet.server.run("SELECT count(ratchet.unschedule(job_name)) FROM ratchet.job WHERE overlap = 'skip'")
        series.add(triggered, **ratchet.drain(sizes.triggers, 100))
        floor(ratchet, series, sizes.seconds_each / 2)
        for side, cron in crons.items() if repeat < sizes.cron_rounds else ():
            figures = cron.minute(sizes.cron_jobs)
            series.add(side, rate=figures["rate"], cpu=figures["cpu"])
    rows = []
    most = series.median(triggered, "rate")
    for side in (SCHEDULED, triggered, *crons, FLOOR, FLOOR_ASYNC, FLOOR_IN_SERVER):
        rows.append((side, series.spread(side, "rate"), series.spread(side, "cpu"),
                     number(most / series.median(side, "rate"))))
    found.table(["records", "runs/s", "CPU of the whole server per run, µs", "triggered runs/s : this row"], rows,
          f"Target: ≥ 15 000 runs/s and ≥ 100 × pg_cron, CPU ≤ 60 µs and ≤ 5.5 × that of the last row. {WORKERS} workers,"
          f" `SELECT 1`. The first row cannot exceed 20 000 runs/s; occurrences that were skipped in it, because the job still ran, are not counted"
          f" (rows that record some, per run: {series.spread(SCHEDULED, 'skipped')}). A run that wrote nothing commits"
          " asynchronously: its record is on disk at most 3 × wal_writer_delay (0.6 s) later.")
    found.goal("T1", f"no-op runs with a record each, {WORKERS} workers, 20 000 due per second", "≥ 15 000/s",
               series.values(SCHEDULED, "rate"), "/s", at_least=15_000)
    found.goal("T1", "the same, triggered", "≥ 15 000/s", series.values(triggered, "rate"), "/s", at_least=15_000)
    found.goal("T1", "CPU of the whole server per run", "≤ 60 µs", series.values(SCHEDULED, "cpu"), "µs", at_most=60)
    found.goal("T1", "the same against its floor, the insert of one log row and its asynchronous commit, in the server",
               "≤ 5.5 ×", series.ratio(SCHEDULED, FLOOR_IN_SERVER, "cpu"), "×", at_most=5.5)
    for side, cron in crons.items():
        factor = [most / rate for rate in series.values(side, "rate")]
        found.goal("T1", f"triggered runs/s against pg_cron, {cron.mode} mode", "≥ 100 ×", factor, "×", at_least=100)
    found.figure("run_cpu", series.values(triggered, "cpu"))


def floor(ratchet, series, seconds):
    for side, options in ((FLOOR, ""), (FLOOR_ASYNC, "-c synchronous_commit=off")):
        spent = ratchet.server.cpu()
        rate, count = ratchet.server.pgbench(in_server.INSERT, WORKERS, seconds, options=options)
        series.add(side, rate=rate, cpu=(ratchet.server.cpu() - spent) / count * 1e6)
