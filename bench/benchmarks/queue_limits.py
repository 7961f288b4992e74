"""T17: what limits cost that do not bind, and order by a thousand keys."""

from rig.report import Series, progress, spread

FREE = "1000000"
PLAIN, LIMITED, KEYED = "no limit", "limits that do not bind", "ordering_key, 1 000 keys"
LIMITS = f", concurrency => 100, concurrency_per_key => {FREE}, rate => {FREE}, rate_period => '1 second'"
KEYS = ", ordering_keys => array_agg('customer ' || g % 1000)"
GROUPS = ", group_keys => array_agg('tenant ' || g % 1000)"


def run(sides, sizes, found):
    own, series = sides.own, Series()
    own.create("plain_tasks", "SELECT 1")
    own.create("limited_tasks", "SELECT 1", LIMITS)
    queues = {PLAIN: ("plain_tasks", ""), LIMITED: ("limited_tasks", ""), "both with 1 000 group keys": ("limited_tasks", GROUPS),
              KEYED: ("plain_tasks", KEYS)}
    for repeat in range(2 * sizes.repeats):
        for side, (queue, keys) in queues.items():
            progress(f"limits, round {repeat + 1}: {side}")
            fill = own.fill
            own.fill = lambda kind, count, keys=keys: fill(kind, count, keys=keys)
            try:
                series.add(side, **own.drain(queue, sizes.queue_tasks))
            finally:
                own.fill = fill
    found.table(["no-op per task", "tasks/s", "server's CPU per task, µs", "CPU against no limit", "tasks/s against no limit"],
                [(side, series.spread(side, "rate"), series.spread(side, "cpu"), spread(series.ratio(side, PLAIN, "cpu")),
                  spread(series.ratio(side, PLAIN, "rate"))) for side in queues],
                f"{sizes.queue_tasks} tasks, 2 workers; concurrency 100, concurrency_per_key and rate 1 000 000.")
    found.goal("T17", "limits that do not bind, against none: CPU per task", "≤ 1.05 ×", series.ratio(LIMITED, PLAIN, "cpu"), "×",
               at_most=1.05)
    found.goal("T17", "`ordering_key` with 1 000 keys against none: tasks/s", "≥ 0.5 ×", series.ratio(KEYED, PLAIN, "rate"), "×",
               at_least=0.5)
