"""P8: what other runs of the same job, which wait for their turn, cost a run and a trigger."""

import time

from rig.ratchet import Ratchet
from rig.report import Series, number, progress, require

KINDS = {"one": ("one at a time (`overlap => 'skip'`)", ""), "many": ("side by side (`overlap => 'allow'`)", "overlap => 'allow'")}


def run(sizes, found):
    ratchet = Ratchet(4)
    for job, (_, options) in KINDS.items():
        ratchet.schedule(1, "@manual", "SELECT 1", prefix=job, options=options)
    series = Series()
    for repeat in range(sizes.repeats):
        for count in sizes.waiting_runs:
            for job in KINDS:
                progress(f"round {repeat + 1}: {count} runs of one job, {job}")
                series.add((job, count), **empty(ratchet, f"{job}1", count))
    most, least = max(sizes.waiting_runs), min(sizes.waiting_runs)
    found.table(["runs of the job that wait", "how it runs", "trigger() with a payload, µs", "runs/s", "CPU of the whole server per run, µs"],
                [(number(count), KINDS[job][0], *(series.spread((job, count), figure) for figure in ("trigger", "rate", "cpu")))
                 for job in KINDS for count in sizes.waiting_runs],
                "Promise: cost follows work, not size. Each trigger has a payload of its own, and may share a run"
                " that waits with the same. All are asked for first, then they run; 4 workers.")
    for job, (words, _) in KINDS.items():
        for figure, what in (("cpu", "CPU per run"), ("trigger", "time per `trigger()`")):
            found.goal("P8", f"{what}, {number(most)} runs of the job wait against {number(least)}; {words}", "≤ 1.2 ×",
                       [a / b for a, b in zip(series.values((job, most), figure), series.values((job, least), figure))],
                       "×", at_most=1.2)


def empty(ratchet, job, count):
    server = ratchet.server
    session = server.session()
    session.rows("SET synchronous_commit = off")
    asked = time.monotonic()
    first, waiting = session.rows(f"SELECT min(id), count(DISTINCT id) FROM (SELECT ratchet.trigger('{job}', jsonb_build_object('n', g))"
                                  f" FROM generate_series(1, {count}) g) t (id)")[0]
    asked = (time.monotonic() - asked) / count
    session.close()
    require(int(waiting) == count, f"{count} were asked for, {waiting} wait")
    server.run("VACUUM ANALYZE ratchet.run_queue; CHECKPOINT")
    return {"trigger": asked * 1e6, **ratchet.run_down(int(first), count)}
