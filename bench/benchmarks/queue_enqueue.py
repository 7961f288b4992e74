"""T13: what it costs to put tasks in, beside a plain INSERT."""

from rig.report import Series, number, progress, spread

PRODUCERS = (1, 8, 64)
PAYLOAD = '{"to": "ann@example.com", "order": 4711, "k": 17}'

# The columns of a task, a primary key, and one more index.
PLAIN = """
CREATE TABLE plain (task_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, queue_id bigint NOT NULL, run_at timestamptz,
    priority integer NOT NULL, payload jsonb, unique_key text, ordering_key text, group_key text, expires_at timestamptz,
    enqueued_at timestamptz NOT NULL, enqueued_by oid, attempts integer NOT NULL, crashes integer NOT NULL,
    alone boolean NOT NULL, sqlstate text, error text, token bigint, lease_until timestamptz, claimed_by oid,
    claimed_at timestamptz, seal bigint);
CREATE INDEX ON plain (queue_id, priority)"""
INSERT = ("INSERT INTO plain (queue_id, priority, payload, enqueued_at, enqueued_by, attempts, crashes, alone, seal)"
          " SELECT 7, 0, {payload}, now(), 10, 0, 0, false, 4711")
INSERTED = "plain INSERT, primary key and one index"

SCRIPTS = {
    "own": ("SELECT ratchet.enqueue('in', '{payload}');", "bench"),
    INSERTED: (INSERT.replace("{payload}", "'{payload}'::jsonb") + ";", "bench"),
    "graphile": ("SELECT graphile_worker.add_job('noop', '{payload}'::json);", "graphile"),
    "PgQ, insert_event()": ("SELECT pgq.insert_event('noop', 'task', '{payload}');", "pgq"),
}
MANY = {
    "own": ("SELECT ratchet.enqueue_many('in', array_agg('{payload}'::jsonb)) FROM generate_series(1, 1000);", "bench"),
    INSERTED: (INSERT.replace("{payload}", "'{payload}'::jsonb") + " FROM generate_series(1, 1000);", "bench"),
}
SHOWN = {"own": "pg_ratchet, enqueue()", "graphile": "graphile-worker, add_job()"}
ASYNCHRONOUS = "-c synchronous_commit=off"


def clean(sides):
    sides.server.run("SELECT ratchet.drop_queue('in', if_exists => true, force => true);"
                     "SELECT ratchet.create_queue('in', 'SELECT $1', enabled => false);"
                     "TRUNCATE plain; VACUUM ratchet.task")
    sides.graphile.run("TRUNCATE graphile_worker._private_jobs")


def measure(sides, script, clients, seconds, options="", rows=1):
    server, (text, database) = sides.server, script
    wal, spent = server.wal_bytes(), server.cpu()
    rate, count = server.pgbench(text.replace("{payload}", PAYLOAD), clients, seconds, options=options, database=database)
    spent = server.cpu() - spent
    return {"rate": rate * rows, "cpu": spent / count / rows * 1e6, "wal": (server.wal_bytes() - wal) / count / rows}


def run(sides, sizes, found):
    sides.server.run(PLAIN)
    # The time of a flush changes from second to second: so many short rounds.
    rounds, seconds = 2 * sizes.repeats, max(1.0, sizes.seconds_each / 3)
    rows = []
    for clients in PRODUCERS:
        series, cheap = Series(), Series()
        for repeat in range(rounds):
            clean(sides)
            progress(f"enqueue, {clients} producers, round {repeat + 1}")
            for side, script in SCRIPTS.items():
                series.add(side, **measure(sides, script, clients, seconds * (1 + clients // 32)))
            for side in ("own", INSERTED):
                cheap.add(side, **measure(sides, SCRIPTS[side], clients, seconds * (1 + clients // 32), ASYNCHRONOUS))
        rows += [(clients, SHOWN.get(side, side), *(series.spread(side, figure) for figure in ("rate", "cpu", "wal")),
                  cheap.spread(side, "cpu"), spread(series.ratio(side, INSERTED, "rate"))) for side in SCRIPTS]
        if clients == 8:
            found.goal("T13", "`enqueue()` one per transaction against a plain INSERT, 8 clients: tps", "≥ 0.85 ×",
                       series.ratio("own", INSERTED, "rate"), "×", at_least=0.85)
            found.goal("T13", "the same, CPU of the server per transaction that commits asynchronously", "≤ 1.18 ×",
                       cheap.ratio("own", INSERTED, "cpu"), "×", at_most=1 / 0.85)
    found.table(["producers", "one task per transaction", "tasks/s", "server's CPU each, µs", "WAL bytes each",
                 "CPU with an asynchronous commit, µs", "tasks/s against the INSERT"], rows,
                f"pgbench, prepared statements, {rounds} rounds of {number(seconds)} s in turn (three times as long with 64), synchronous_commit = on. The INSERT is"
                " into a table with all columns of a task, its primary key and one more index. The payload has"
                f" {len(PAYLOAD)} bytes.")
    many(sides, sizes, found)


def many(sides, sizes, found):
    series = Series()
    for repeat in range(2 * sizes.repeats):
        clean(sides)
        progress(f"enqueue_many, round {repeat + 1}")
        for side, script in MANY.items():
            series.add(side, **measure(sides, script, 1, max(1.0, sizes.seconds_each / 3), rows=1000))
    found.goal("T13", "`enqueue_many()` of 1 000 against INSERT … SELECT: tasks/s", "≥ 0.6 ×",
               series.ratio("own", INSERTED, "rate"), "×", at_least=0.6)
    found.table(["1 000 per transaction, 1 producer", "tasks/s", "server's CPU each, µs", "WAL bytes each"],
                [(shown, *(series.spread(side, figure) for figure in ("rate", "cpu", "wal")))
                 for side, shown in (("own", "pg_ratchet, enqueue_many()"), (INSERTED, "INSERT … SELECT, the same table"))])
