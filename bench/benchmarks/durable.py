"""T2: jobs that do one durable UPDATE each, against pgbench clients that do the same one."""

from rig.ratchet import Ratchet
from rig.report import Series, progress, require, spread

JOBS = 500
UPDATE = "UPDATE account SET changes = changes + 1 WHERE id = %s"
BY_PGBENCH = f"\\set id random(1, {JOBS})\n" + UPDATE.replace("%s", ":id") + ";\n"
PROTOCOLS = ("simple", "prepared")
WORKERS = (1, 2, 4, 8)


def run(sizes, found):
    ratchet = Ratchet(1)
    server = ratchet.server
    server.run("CREATE TABLE account (id int PRIMARY KEY, changes bigint NOT NULL) WITH (fillfactor = 20);"
               f"INSERT INTO account SELECT g, 0 FROM generate_series(1, {JOBS}) g; VACUUM ANALYZE account")
    ratchet.schedule(JOBS, "@manual", UPDATE, options="overlap => 'allow'")
    # The time of a flush changes from second to second on many machines: so many short rounds.
    seconds, rounds = max(1.0, sizes.seconds_each / 4), 2 * sizes.repeats
    rows, by_workers = [], {}
    for workers in WORKERS:
        server.restart(**{"ratchet.max_workers": workers})
        ratchet.await_scheduler()
        series = Series()
        for repeat in range(rounds):
            for protocol in PROTOCOLS:
                progress(f"{workers} workers or clients, round {repeat + 1}: pgbench -M {protocol}")
                before = changes(server)
                spent = server.cpu()
                rate, count = server.pgbench(BY_PGBENCH, workers, seconds, protocol=protocol)
                series.add(protocol, rate=rate, cpu=(server.cpu() - spent) / count * 1e6)
                require(changes(server) - before == count, "pgbench made other changes than it says")
            progress(f"{workers} workers or clients, round {repeat + 1}: pg_ratchet")
            series.add("ratchet", **durable_runs(ratchet, series.median("simple", "rate") * seconds))
        by_workers[workers] = series
        found.goal("T2", f"runs that do one durable UPDATE against `pgbench`, {workers} worker{'s' * (workers > 1)}", "≥ 0.8 ×",
                   series.ratio("ratchet", "simple", "rate"), "×", at_least=0.8)
        rows.append((workers, series.spread("ratchet", "rate"), series.spread("simple", "rate"),
                     series.spread("prepared", "rate"), spread(series.ratio("ratchet", "simple", "rate")),
                     spread(series.ratio("ratchet", "prepared", "rate")), series.spread("ratchet", "cpu"),
                     series.spread("simple", "cpu")))
    found.table(["workers or clients", "pg_ratchet, runs/s", "pgbench simple, tps", "pgbench prepared, tps",
           "ratio to simple", "ratio to prepared", "server's CPU per run, µs", "per pgbench simple, µs"], rows,
          f"Target: ratio ≥ 0.8. Runs triggered beforehand, of {JOBS} jobs; {rounds} rounds of {seconds:.0f} s. pgbench"
          " keeps no log; pg_ratchet writes the UPDATE and its record. After each round the table holds exactly as many"
          " changes as there are records of succeeded runs. The ratios are taken within each round.")
    found.figure("durable_rate_1", by_workers[1].values("ratchet", "rate"))
    found.figure("durable_cpu_8", by_workers[8].values("ratchet", "cpu"))
    found.figure("pgbench_cpu_8", by_workers[8].values("simple", "cpu"))
    curves = (("pg_ratchet, a record each", "ratchet"), ("pgbench, simple protocol", "simple"),
              ("pgbench, prepared", "prepared"))
    found.plot("durable", "lines", "Durable UPDATEs per second", "workers or clients", "per second",
               [(shown, WORKERS, [by_workers[n].median(side, "rate") for n in WORKERS]) for shown, side in curves])
    flushes(ratchet, sizes, found)


def changes(server):
    return server.number("SELECT sum(changes) FROM account")


def durable_runs(ratchet, runs):
    before = changes(ratchet.server)
    asked = max(1, int(runs / JOBS)) * JOBS
    figures = ratchet.drain(asked, JOBS)
    made = changes(ratchet.server) - before
    require(made == asked, f"{asked} runs succeeded, but they left {made:.0f} changes")
    return figures


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
