"""T15: the same drain under an old snapshot, with millions of tasks beside that wait for their time or have ended; and
what such tasks and millions that are ready cost in memory and at a start."""

import time

from rig.report import number, progress, require
from rig.server import read

TABLES = "('task', 'finished_task', 'task_claim', 'run_queue', 'job_state', 'job_stat')"
ENDED = """INSERT INTO ratchet.finished_task (task_id, queue_id, priority, payload, enqueued_at, attempts, crashes, alone, state, finished_at)
SELECT nextval('ratchet.task_id_seq'), queue_id, 0, '{"k": 1}', now(), 1, 0, false, CASE g %% 2 WHEN 0 THEN 'completed' ELSE 'dead' END, now()
  FROM ratchet.queue, generate_series(1, %d) g WHERE queue_name = 'beside'"""


def memory(server):
    """Megabytes that the scheduler has for itself."""
    status = read(f"/proc/{server.process('pg_ratchet scheduler')}/status")
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def run(sides, sizes, found):
    server, beside = sides.server, sizes.queue_beside
    empty = memory(server)
    server.run("SELECT ratchet.create_queue('beside', 'SELECT $1', retention => '1 day')")
    progress(f"{beside} tasks beside")
    server.run("SELECT ratchet.enqueue_many('beside', array_agg(jsonb_build_object('k', g)), delay => '2 days')"
               f" FROM generate_series(1, {beside // 2}) g GROUP BY g / 10000; {ENDED % (beside - beside // 2)}")
    server.run("VACUUM ANALYZE ratchet.task, ratchet.finished_task; CHECKPOINT")
    delayed = memory(server)
    slices(sides, sizes, found)
    backlog(sides, sizes, found, empty, delayed)


def slices(sides, sizes, found):
    """So many tenths of all tasks, one after the other, under one snapshot."""
    server, own, count = sides.server, sides.own, sizes.queue_through // 10
    session = server.session()
    session.rows("BEGIN ISOLATION LEVEL REPEATABLE READ")
    seen = session.value("SELECT count(*) FROM ratchet.task")
    rates, cpu, dead = [], [], []
    for part in range(10):
        progress(f"under an old snapshot: tasks {part * count + 1} to {(part + 1) * count}")
        figures = drain_beside(own, count)
        rates.append(figures["rate"])
        cpu.append(figures["cpu"])
        dead.append(server.number("SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE schemaname = 'ratchet'"))
    require(session.value("SELECT count(*) FROM ratchet.task") == seen, "the snapshot did not stay")
    said = server.rows("SELECT detail FROM ratchet.status() WHERE detail ~ 'snapshot|horizon|dead rows'")
    size = server.number(f"SELECT sum(pg_total_relation_size('ratchet.' || t)) / 1e6 FROM unnest(ARRAY{list(TABLES.strip('()').replace(chr(39), '').split(', '))}) t")
    session.close()
    found.table(["under one snapshot", "tasks/s", "server's CPU per task, µs", "dead rows in the tables of the extension afterwards"],
                [(f"tasks {i * count + 1} to {(i + 1) * count}", number(rates[i]), number(cpu[i]), number(dead[i])) for i in range(10)],
                f"No-op, 2 workers, {sizes.queue_beside} tasks beside that are delayed, completed or dead. The tables have {number(size)} MB in the end."
                " ratchet.status() says: " + ("; ".join(row[0] for row in said) or "nothing of it") + ".")
    found.goal("T15", f"drain of {10 * count} under an old snapshot, {sizes.queue_beside} delayed, completed or dead beside: last tenth against the first",
               "≥ 0.9 ×", rates[-1] / rates[0], "×", at_least=0.9)


def drain_beside(own, count):
    """As Queue.drain(), without the VACUUM, which would have nothing to remove."""
    from rig.task_queues import Meter
    own.fill("noop", count)
    own.ready("noop", count)
    meter = Meter(own.server)
    seconds, _ = own.work("noop", count)
    return meter.read(count, seconds)


def backlog(sides, sizes, found, empty, delayed):
    """Memory with so many ready, and a start with them: until the first is done, and until the depth is known."""
    server, own, count = sides.server, sides.own, sizes.queue_beside
    server.run("SELECT ratchet.create_queue('deep', 'SELECT 1 FROM (SELECT $1) p', enabled => false)")
    progress(f"{count} tasks that are ready")
    own.fill("deep", count)
    own.ready("deep", count)
    ready = memory(server)
    largest = number(max(ready - delayed, 0) * 1024 * 1024 / count)
    progress("restart after kill -9")
    server.kill()
    began = time.monotonic()
    server.restart()
    up = time.monotonic()
    sides.ratchet.await_scheduler()
    server.wait_until(f"SELECT ready >= {count} FROM ratchet.queues WHERE queue_name = 'deep'", "the depth is known", timeout=600, every=0.05)
    known = time.monotonic()
    exact = server.number("SELECT ready FROM ratchet.queues WHERE queue_name = 'deep'")
    require(exact == count, f"{count} are ready, and {exact:.0f} are said to be")
    again = memory(server)
    server.run("SELECT ratchet.create_queue('soon', 'SELECT 1 FROM (SELECT $1) p'); SELECT ratchet.enqueue('soon')")
    server.wait_until("SELECT completed = 1 FROM ratchet.queues WHERE queue_name = 'soon'", "a task of another queue", timeout=60, every=0.01)
    found.table(["memory of the scheduler, MB", "", ], [
        ("no tasks", number(empty)), (f"{sizes.queue_beside // 2} delayed, as many completed or dead", number(delayed)),
        (f"and {count} ready", number(ready)), ("after kill -9 and a start", number(again))],
        f"{largest} bytes for each that is ready. After kill -9 of the whole server it was up after {number(up - began)} s (recovery"
        f" included), and {number(known - up)} s later the depth of the queue was known, to the task.")
    found.goal("P15", f"memory of the scheduler for each of {count} ready tasks", "flat: ≤ 10 bytes",
               max(ready - delayed, 0) * 1024 * 1024 / count, "bytes", at_most=10)
    found.goal("P15", f"start with {count} ready, {sizes.queue_beside} others: until the depth is known", "≤ 5 s", known - up, "s", at_most=5)
    server.run("SELECT ratchet.drop_queue('deep', force => true), ratchet.drop_queue('beside', force => true), ratchet.drop_queue('soon', force => true)")
