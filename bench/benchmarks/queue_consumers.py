"""T16: consumers that claim by SQL, in sessions of their own."""

from rig.report import Series, number, progress, spread

SESSIONS = 8
ONE = ("BEGIN;\nSELECT task_id, token FROM ratchet.claim('consumed') \\gset\n"
       "SELECT ratchet.complete(:task_id::bigint, :token::bigint);\nCOMMIT;\n")
HUNDRED = ("WITH c AS MATERIALIZED (SELECT task_id, token FROM ratchet.claim('consumed', 100))"
           " SELECT ratchet.complete(array_agg(task_id), array_agg(token)) FROM c HAVING count(*) > 0;\n")
DELETE = ("DELETE FROM waiting WHERE id = (SELECT id FROM waiting ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id;\n")
OWN, PLAIN, OWN_HUNDRED, BOSS = ("pg_ratchet, claim() and complete() in one transaction", "DELETE … SKIP LOCKED … RETURNING of one row",
                                 "pg_ratchet, 100 in one transaction", "pg-boss, 2 loops of 500")


def refill(sides, count):
    sides.server.run("TRUNCATE waiting; VACUUM waiting;"
                     f"INSERT INTO waiting (payload) SELECT jsonb_build_object('k', g) FROM generate_series(1, {count}) g;"
                     "SELECT ratchet.drop_queue('consumed', if_exists => true, force => true); VACUUM ratchet.task;"
                     "SELECT ratchet.create_queue('consumed')")
    sides.own.fill("consumed", count)
    sides.own.ready("consumed", count)


def measure(sides, script, seconds, each=1):
    server = sides.server
    wal, spent = server.wal_bytes(), server.cpu()
    rate, count = server.pgbench(script, SESSIONS, seconds)
    tasks = count * each
    return {"rate": rate * each, "cpu": (server.cpu() - spent) / tasks * 1e6, "wal": (server.wal_bytes() - wal) / tasks}


def run(sides, sizes, found):
    server, series = sides.server, Series()
    server.run("CREATE TABLE waiting (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb)"
               " WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000)")
    seconds = max(1.0, sizes.seconds_each / 4)
    for repeat in range(2 * sizes.repeats):
        progress(f"consumers, round {repeat + 1}")
        refill(sides, sizes.queue_tasks)
        series.add(PLAIN, **measure(sides, DELETE, seconds))
        series.add(OWN, **measure(sides, ONE, seconds))
        # All that are left: those that are asked for when there are none would count as claims of 100.
        before = server.number("SELECT count(*) FROM ratchet.task")
        figures = measure(sides, HUNDRED, min(1.0, seconds), each=100)
        left = server.number("SELECT count(*) FROM ratchet.task")
        share = (before - left) / (figures["rate"] * max(1, round(min(1.0, seconds))))
        series.add(OWN_HUNDRED, **{**figures, "rate": figures["rate"] * min(1.0, share),
                                   "cpu": figures["cpu"] / min(1.0, share), "wal": figures["wal"] / min(1.0, share)})
        series.add(BOSS, **{k: v for k, v in sides.pgboss.drain("noop", sizes.queue_tasks // 4).items() if k in ("rate", "cpu", "wal")})
    found.table([f"consumers, {SESSIONS} sessions", "tasks/s", "server's CPU per task, µs", "WAL bytes per task"],
                [(side, *(series.spread(side, figure) for figure in ("rate", "cpu", "wal"))) for side in (OWN, PLAIN, OWN_HUNDRED, BOSS)],
                f"pgbench, durable, {2 * sizes.repeats} rounds of {number(seconds)} s in turn. The DELETE is what people write first: no lease, no retry, no"
                f" order of keys. Ratio of one at a time: {spread(series.ratio(OWN, PLAIN, 'rate'))}.")
    found.goal("T16", "consumers, 8 sessions, claim and complete one in a transaction, against DELETE … RETURNING: tps", "≥ 0.8 ×",
               series.ratio(OWN, PLAIN, "rate"), "×", at_least=0.8)
    found.goal("T16", "consumers, 100 in a transaction, against pg-boss with batches of 500", "≥ 10 ×",
               series.ratio(OWN_HUNDRED, BOSS, "rate"), "×", at_least=10)
