"""T14: from the commit of an enqueue to the first statement of its handler, and while 1, 8 and 64 producers are at it."""

import time

from rig import node
from rig.report import Series, number, percentile, progress, quantiles, require

ASK = ("BEGIN\\; SELECT ratchet.enqueue('first'), extract(epoch FROM clock_timestamp())"
       "\\; COMMIT\\; SELECT extract(epoch FROM clock_timestamp());\nSELECT pg_sleep(0.01);\n")
PRODUCERS = (1, 8, 64)
SENT = "jsonb_build_object('sent', extract(epoch FROM clock_timestamp()))"
SCRIPTS = {
    "own": f"SELECT ratchet.enqueue('stamp', {SENT});",
    "graphile": f"SELECT graphile_worker.add_job('stamp', {SENT}::json);",
    "pgboss": f"INSERT INTO pgboss.job (name, data) VALUES ('stamp', {SENT});",
    "pgq": f"SELECT pgq.insert_event('stamp', 'task', ({SENT})::text);",
}


def run(sides, sizes, found):
    alone(sides, sizes, found)
    under_load(sides, sizes, found)


def alone(sides, sizes, found):
    server, series, samples = sides.server, Series(), []
    server.run("CREATE TABLE first_statement (task_id bigint, at timestamptz);"
               "SELECT ratchet.create_queue('first', 'INSERT INTO first_statement SELECT $2, clock_timestamp() FROM (SELECT $1) p')")
    for repeat in range(sizes.repeats):
        for flush in ("off", "on"):
            progress(f"commit of an enqueue to its handler, synchronous_commit = {flush}, round {repeat + 1}")
            figures = first_statements(server, flush, sizes.latency_samples)
            series.add(flush, p50=percentile(figures, 0.5), p99=percentile(figures, 0.99), worst=max(figures))
            samples += figures if flush == "off" else []
    found.table(["from after the COMMIT of an enqueue to the handler's first statement, µs", "p50", "p99", "worst"],
                [(f"synchronous_commit = {flush} for the producer", *(series.spread(flush, figure) for figure in ("p50", "p99", "worst")))
                 for flush in ("off", "on")],
                f"{sizes.latency_samples} tasks, one every 10 ms, two warm workers. The producer reads the clock right after its commit, the"
                " handler first of all; negative: it had begun before the producer went on.")
    found.goal("T14", "commit of an enqueue to the first statement of the handler, warm worker: p50", "≤ 300 µs",
               series.values("off", "p50"), "µs", at_most=300)
    found.goal("T14", "the same, p99", "≤ 5 ms", [x / 1000 for x in series.values("off", "p99")], "ms", at_most=5)
    found.plot("enqueue", "share below", "From the commit of an enqueue to the first statement of its handler", "µs", "% of tasks",
               [("pg_ratchet, warm worker", quantiles([x for x in samples if x > 0]))], log_x=True)


def first_statements(server, flush, count):
    server.run("TRUNCATE first_statement")
    warm_up = 3
    script = "\n".join([f"SET synchronous_commit = {flush};", *[ASK] * (count + warm_up)])
    lines = [line for line in server.rows(script) if line != [""]]
    require(len(lines) == 2 * (count + warm_up), f"{count + warm_up} calls gave {len(lines)} lines")
    committed = {int(first[0]): float(second[0]) for first, second in zip(lines[::2], lines[1::2])}
    server.wait_until(f"SELECT count(*) = {count + warm_up} FROM first_statement", "the tasks", 30)
    started = {int(task): float(at) for task, at in server.rows("SELECT task_id, extract(epoch FROM at) FROM first_statement")}
    return [(started[task] - committed[task]) * 1e6 for task in sorted(committed)[warm_up:]]


def under_load(sides, sizes, found):
    """From within an enqueue to its effect, while so many tasks per second come that no side has a backlog."""
    rate, rows = sizes.queue_rate, []
    for clients in PRODUCERS:
        series = Series()
        for repeat in range(sizes.repeats):
            for key in SCRIPTS:
                side = getattr(sides, key)
                progress(f"enqueue to effect, {clients} producers, {rate}/s, round {repeat + 1}: {side.name}")
                series.add(key, **loaded(sides, side, SCRIPTS[key], clients, rate, sizes.seconds_each))
        rows += [(clients, getattr(sides, key).name, *(series.spread(key, figure) for figure in ("p50", "p99", "cpu", "wal")))
                 for key in SCRIPTS]
    found.table(["producers", f"{rate} tasks/s together", "enqueue to effect, ms: p50", "p99", "server's CPU per task, µs",
                 "WAL bytes per task"], rows,
                f"Each round takes {number(sizes.seconds_each)} s. The effect is a row with the time at which it is inserted; CPU and WAL are those"
                " of enqueue, work and completion. graphile-worker and pg-boss in their fastest modes (above); PgQ ticks every 100 ms.")


def loaded(sides, side, script, clients, rate, seconds):
    server = side.server
    side.run("TRUNCATE done")
    stop = start(sides, side)
    wal, spent = server.wal_bytes(), server.cpu()
    _, count = server.pgbench(script, clients, seconds, database=side.database, extra=["-R", str(rate)])
    server.wait_until(f"SELECT count(*) = {count} FROM done", f"{side.name} has done them", timeout=120, database=side.database)
    spent, wal = server.cpu() - spent, server.wal_bytes() - wal
    stop()
    lags = [float(row[0]) for row in server.rows("SELECT (at - sent) * 1000 FROM done", database=side.database)]
    return {"p50": percentile(lags, 0.5), "p99": percentile(lags, 0.99), "cpu": spent / count * 1e6, "wal": wal / count}


def start(sides, side):
    """Lets it work; returns what ends that."""
    if side is sides.own:
        side.run("SELECT ratchet.resume_queue('stamp')")
        return lambda: side.run("SELECT ratchet.pause_queue('stamp')")
    if side is sides.pgq:
        session = side.server.session(side.database)
        session.begin("CALL stamp()")
        return lambda: (side.run(f"SELECT pg_terminate_backend({session.pid})"), session.abandon())
    worker = node.Worker(side.server, side.database, side.script, "stamp")
    worker.begin()
    time.sleep(0.5)
    return worker.finish
