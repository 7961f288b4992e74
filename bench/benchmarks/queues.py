"""T12 to T17: task queues beside graphile-worker, pg-boss, PgQ and a loop with SKIP LOCKED, on one server."""

import os

from benchmarks import queue_consumers, queue_crash, queue_drain, queue_enqueue, queue_latency, queue_limits, queue_snapshot
from rig.ratchet import Ratchet
from rig.report import require
from rig.task_queues import SESSIONS, BareLoop, Graphile, PgBoss, PgQ, RatchetQueue

PARTS = {"drain": queue_drain, "enqueue": queue_enqueue, "latency": queue_latency, "consumers": queue_consumers,
         "limits": queue_limits, "snapshot": queue_snapshot, "crash": queue_crash}


class Sides:
    """All that are compared, on one server."""

    def __init__(self):
        self.ratchet = Ratchet(SESSIONS, max_connections="200")
        server = self.server = self.ratchet.server
        self.own = RatchetQueue(self.ratchet)
        self.graphile, self.pgboss, self.pgq = Graphile(server), PgBoss(server), PgQ(server)
        self.loop = BareLoop(server, 100)
        self.loop_set = BareLoop(server, 100, set_based=True, is_first=False)
        self.loop_one = BareLoop(server, 1, is_first=False)

    @property
    def all(self):
        return (self.own, self.graphile, self.pgboss, self.pgq, self.loop, self.loop_set, self.loop_one)


def run(sizes, found):
    chosen = [part for part in os.environ.get("QUEUE_PARTS", "").split(",") if part] or list(PARTS)
    unknown = set(chosen) - set(PARTS)
    require(not unknown, f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    sides = Sides()
    try:
        for part in chosen:
            PARTS[part].run(sides, sizes, found)
    finally:
        sides.pgq.close()
