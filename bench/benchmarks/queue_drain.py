"""T12: a backlog is done."""

from rig.report import Series, progress, spread

KINDS = {"noop": "no-op", "effect": "one UPDATE by key"}


def run(sides, sizes, found):
    series = {kind: Series() for kind in KINDS}
    for repeat in range(sizes.repeats):
        for kind in KINDS:
            for side in (side for side in sides.all if kind in side.kinds):
                # The slow ones are measured with fewer, and are no slower for it.
                count = sizes.queue_tasks if side in (sides.own, sides.loop, sides.loop_set, sides.pgq) else sizes.queue_tasks // 4
                progress(f"drain, {KINDS[kind]}, round {repeat + 1}: {count} tasks by {side.name}")
                series[kind].add(side.name, **side.drain(kind, count))
    for kind, shown in KINDS.items():
        measured = series[kind]
        rows = [(side.name, *(measured.spread(side.name, figure) for figure in ("rate", "cpu", "client", "wal", "commits")),
                 spread(measured.ratio(sides.own.name, side.name, "rate")), side.guarantee)
                for side in sides.all if kind in side.kinds]
        found.table([f"drain, {shown} per task", "tasks/s", "server's CPU per task, µs", "client's", "WAL bytes per task",
                     "commits per task", "pg_ratchet against it", "guarantee"], rows,
                    f"{sizes.queue_tasks} tasks that are there before the clock starts, a quarter of it for clients and the"
                    " loop of one per commit; pg_ratchet with 2 workers, per => 'item', and the loops in 2 sessions. Durable:"
                    " synchronous_commit is on for all. After each round the table of accounts has as many changes as there"
                    " were tasks.")
        factor = {"noop": 6, "effect": 10}[kind]
        found.goal("T12", f"drain, {shown} per task: pg_ratchet against graphile-worker's fastest mode", f"≥ {factor} ×",
                   measured.ratio(sides.own.name, sides.graphile.name, "rate"), "×", at_least=factor)
        found.goal("T12", f"the same against the bare loop of 100 per commit, {shown} in its turn", "≥ 0.6 ×",
                   measured.ratio(sides.own.name, sides.loop.name, "rate"), "×", at_least=0.6)
    found.goal("T12", "the same against the bare loop of 100 per commit, one UPDATE for all of them", "≥ 0.6 ×",
               [mine / theirs for mine, theirs in zip(series["effect"].values(sides.own.name, "rate"),
                                                      series["effect"].values(sides.loop_set.name, "rate"))],
               "×", at_least=0.6)
