"""P12: the whole server is killed while tasks are done: nothing is lost, and nothing done twice."""

import time

from rig.report import number, progress, require


def run(sides, sizes, found):
    server, own, count = sides.server, sides.own, sizes.queue_tasks
    rows = []
    for repeat in range(sizes.repeats):
        progress(f"kill -9 in the middle, round {repeat + 1}")
        before = own.number("SELECT sum(changes) FROM account")
        own.fill("effect", count)
        own.ready("effect", count)
        server.run("SELECT ratchet.resume_queue('effect')")
        server.wait_until(f"SELECT sum(changes) > {before + count / 4} FROM account", "a quarter is done", every=0.01)
        server.kill()
        began = time.monotonic()
        server.restart()
        up = time.monotonic()
        at_once = own.number("SELECT sum(changes) FROM account")
        server.wait_until(f"SELECT sum(changes) > {at_once} FROM account", "tasks are done again", every=0.01)
        again = time.monotonic()
        server.wait_until("SELECT NOT EXISTS (SELECT FROM ratchet.task t JOIN ratchet.queue q USING (queue_id)"
                          " WHERE q.queue_name = 'effect')", "all are done", timeout=600)
        made = own.number("SELECT sum(changes) FROM account") - before
        require(made == count, f"{count} tasks have left {made:.0f} changes")
        rows.append((repeat + 1, count, number(at_once - before), number(up - began), number(again - up), number(made)))
        server.run("SELECT ratchet.pause_queue('effect')")
    found.table(["kill -9 of all processes, round", "tasks", "done before", "until the server was up, s", "until the next task was done, s",
                 "changes in the end"], rows, "Each task is one UPDATE. As many changes as tasks: nothing lost, nothing done twice.")
    found.goal("P12", "tasks done twice or lost in a crash of the server", "0", [0 for _ in rows], at_most=0)
