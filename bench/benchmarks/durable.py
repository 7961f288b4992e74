"""T2: jobs that do one durable UPDATE each, against pgbench clients that do the same one."""

import time

from rig.ratchet import Ratchet
from rig.report import Series, median, number, progress, require, spread

JOBS = 500
UPDATE = "UPDATE account SET changes = changes + 1 WHERE id = %s"
BY_PGBENCH = f"\\set id random(1, {JOBS})\n" + UPDATE.replace("%s", ":id") + ";\n"
PROTOCOLS = ("simple", "prepared")
WORKERS = (1, 2, 4, 8)
STATISTICS = 1.5  # seconds until a worker that has nothing to do has told its statistics


def run(sizes, found):
    ratchet = Ratchet(1)
    ratchet.server.run("CREATE TABLE account (id int PRIMARY KEY, changes bigint NOT NULL) WITH (fillfactor = 20);"
                       f"INSERT INTO account SELECT g, 0 FROM generate_series(1, {JOBS}) g; VACUUM ANALYZE account")
    ratchet.schedule(JOBS, "@manual", UPDATE, options="overlap => 'allow'")
    # The time of a flush changes from second to second on many machines: so many short rounds. What is
    # added to it does not.
    seconds, rounds, slow_rounds = max(1.0, sizes.seconds_each / 4), 2 * sizes.repeats, sizes.repeats + 1
    measured, delays = {}, (0, *sizes.flush_delays)
    for workers in WORKERS:
        for delay in delays:
            measured[delay, workers] = compare(ratchet, workers, delay, seconds, slow_rounds if delay else rounds)
    shown = f"{rounds} rounds of {seconds:.0f} s"
    as_it_is(found, {workers: measured[0, workers] for workers in WORKERS}, shown)
    by_delay(found, measured, delays, f"{shown}, {slow_rounds} where flushes take longer")
    ratchet.server.slow_flushes(0)
    flushes(ratchet, sizes, found)


def compare(ratchet, workers, delay, seconds, rounds):
    """Both sides in turn, while a flush takes so many µs longer."""
    server, series = ratchet.server, Series()
    server.slow_flushes(delay)
    server.restart(**{"ratchet.max_workers": workers})
    ratchet.await_scheduler()
    shown = f"{workers} workers or clients" + (f", flushes {delay} µs longer" if delay else "")
    for repeat in range(rounds):
        for protocol in PROTOCOLS if delay == 0 else PROTOCOLS[:1]:
            progress(f"{shown}, round {repeat + 1}: pgbench -M {protocol}")
            series.add(protocol, **durable_transactions(server, protocol, workers, seconds))
        progress(f"{shown}, round {repeat + 1}: pg_ratchet")
        series.add("ratchet", **durable_runs(ratchet, series.median("simple", "rate") * seconds))
    took = min(flush_times(series))
    require(took * 1000 >= delay, f"a flush took {took:.3f} ms: it was not made {delay} µs longer")
    return series


def flush_times(series):
    return series.values("simple", "flush") + series.values("ratchet", "flush")


def shown_delay(delay):
    return f"a flush takes {delay / 1000:g} ms longer" if delay else "the disk as it is"


def as_it_is(found, by_workers, rounds_shown):
    rows = [(workers, series.spread("ratchet", "rate"), series.spread("simple", "rate"), series.spread("prepared", "rate"),
             spread(series.ratio("ratchet", "simple", "rate")), spread(series.ratio("ratchet", "prepared", "rate")),
             series.spread("ratchet", "cpu"), series.spread("simple", "cpu")) for workers, series in by_workers.items()]
    found.table(["workers or clients", "pg_ratchet, runs/s", "pgbench simple, tps", "pgbench prepared, tps",
           "ratio to simple", "ratio to prepared", "server's CPU per run, µs", "per pgbench simple, µs"], rows,
          f"The disk as it is. Target: ratio ≥ 0.8. Runs triggered beforehand, of {JOBS} jobs;"
          f" {rounds_shown}. pgbench keeps no log; pg_ratchet writes the UPDATE and its record. After each round the"
          " table holds exactly as many changes as there are records of succeeded runs. The ratios are taken within each"
          " round.")
    found.figure("durable_rate_1", by_workers[1].values("ratchet", "rate"))
    found.figure("durable_cpu_8", by_workers[8].values("ratchet", "cpu"))
    found.figure("pgbench_cpu_8", by_workers[8].values("simple", "cpu"))
    curves = (("pg_ratchet, a record each", "ratchet"), ("pgbench, simple protocol", "simple"),
              ("pgbench, prepared", "prepared"))
    found.plot("durable", "lines", "Durable UPDATEs per second", "workers or clients", "per second",
               [(shown, WORKERS, [by_workers[n].median(side, "rate") for n in WORKERS]) for shown, side in curves])


def by_delay(found, measured, delays, rounds_shown):
    """The share of pgbench's rate, on the disk as it is and where each flush takes longer."""
    rows, curves = [], []
    for delay in delays:
        of_delay = {workers: measured[delay, workers] for workers in WORKERS}
        for workers, series in of_delay.items():
            ratio = series.ratio("ratchet", "simple", "rate")
            found.goal("T2", f"runs that do one durable UPDATE against `pgbench`, {shown_delay(delay)},"
                       f" {workers} worker{'s' * (workers > 1)}", "≥ 0.8 ×", ratio, "×", at_least=0.8)
            rows.append((shown_delay(delay), workers, spread(flush_times(series)), series.spread("ratchet", "rate"),
                         series.spread("simple", "rate"), spread(ratio), series.spread("ratchet", "per_flush"),
                         series.spread("simple", "per_flush"), series.spread("ratchet", "cpu")))
        if delay:
            found.goal("T2", f"WAL flushes of a run: one UPDATE, {shown_delay(delay)}, 1 worker", "1",
                       [1 / x for x in of_delay[1].values("ratchet", "per_flush")], at_most=1.05)
        took = median([x for series in of_delay.values() for x in flush_times(series)])
        curves.append((f"{shown_delay(delay)}: {number(took)} ms", WORKERS,
                       [median(series.ratio("ratchet", "simple", "rate")) for series in of_delay.values()]))
    found.table(["disk", "workers or clients", "ms per flush", "pg_ratchet, runs/s", "pgbench simple, tps", "ratio",
                 "runs per flush", "pgbench's transactions per flush", "server's CPU per run, µs"], rows,
          f"Target: ratio ≥ 0.8. {rounds_shown}. On the slower disks each process that flushes WAL sleeps so much longer"
          " (rig/slow_flush.c), for both sides and on the same server; a sleep ends some 0.1 ms late, which the measured"
          " time has in it. Flushes of other files, which only checkpoints make, are as fast as before. All flushes of the"
          " server count, as below.")
    found.plot("durable-ratio", "lines", "Durable runs per second : those of pgbench, simple protocol", "workers or clients",
               "ratio", curves)


def changes(server):
    return server.number("SELECT sum(changes) FROM account")


def durable_transactions(server, protocol, clients, seconds):
    """By pgbench: transactions per second, CPU µs for each, ms per flush, transactions per flush."""
    before, flushed, spent = changes(server), server.flushes(), server.cpu()
    rate, count = server.pgbench(BY_PGBENCH, clients, seconds, protocol=protocol)
    spent = server.cpu() - spent
    require(changes(server) - before == count, "pgbench made other changes than it says")
    return {"rate": rate, "cpu": spent / count * 1e6, **per_flush(server, flushed, count)}


def durable_runs(ratchet, runs):
    """By pg_ratchet, of about so many runs: the same figures."""
    server, flushed = ratchet.server, []
    before = changes(server)
    asked = max(1, int(runs / JOBS)) * JOBS
    figures = ratchet.drain(asked, JOBS, prepared=lambda: flushed.extend(server.flushes()))
    made = changes(server) - before
    require(made == asked, f"{asked} runs succeeded, but they left {made:.0f} changes")
    time.sleep(STATISTICS)
    return {**figures, **per_flush(server, flushed, asked)}


def per_flush(server, before, commits):
    syncs, took, _ = (b - a for a, b in zip(before, server.flushes()))
    require(syncs > 0, "no flush of WAL was counted")
    return {"flush": took / syncs, "per_flush": commits / syncs}


def flushes(ratchet, sizes, found):
    """WAL flushes per run with one worker: no two runs can share one."""
    server = ratchet.server
    server.restart(**{"ratchet.max_workers": 1})
    ratchet.await_scheduler()
    asked = max(4, sizes.triggers // 5 // JOBS) * JOBS
    rows = []
    for what, command in (("one UPDATE", UPDATE), ("`SELECT 1`, wrote nothing", "SELECT 1")):
        ratchet.unschedule()
        ratchet.schedule(JOBS, "@manual", command, options="overlap => 'allow'")
        series = Series()
        for repeat in range(sizes.repeats):
            progress(f"WAL flushes of runs: {what}, round {repeat + 1}")
            before = []

            def count_from_here():
                ratchet.leave_workers()
                before.extend(server.flushes())

            rate = ratchet.drain(asked, JOBS, prepared=count_from_here)["rate"]
            ratchet.leave_workers()
            syncs, took, written = (b - a for a, b in zip(before, server.flushes()))
            series.add("", per_run=syncs / asked, rate=rate, bytes=written / asked,
                       **({"took": took / syncs} if syncs else {}))
        wanted = ("1", 1.05) if command == UPDATE else ("0", 0.05)
        found.goal("T2", f"WAL flushes of a run: {what}", wanted[0], series.values("", "per_run"), at_most=wanted[1])
        rows.append((what, *(series.spread("", k) for k in ("per_run", "rate", "took", "bytes"))))
    found.table(["a run of 1 worker", "WAL flushes per run", "runs/s", "ms per flush", "WAL bytes per run"], rows,
          f"Target: exactly 1 per run that wrote, none for one that did not. {asked} runs each time. All flushes of the"
          " server count (pg_stat_wal.wal_sync; from version 18, pg_stat_io), also those of the WAL writer, which takes asynchronous commits to disk"
          " up to five times per second, and of the scheduler, which flushes the claim of a run that takes longer than 20 ms. WAL bytes have the claim and the job's state in them.")
