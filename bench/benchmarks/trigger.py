"""T3: from the commit of ratchet.trigger() to the first statement of the run."""

from rig.ratchet import Ratchet
from rig.report import Series, percentile, progress, quantiles, require

FIRST_STATEMENT = ("INSERT INTO first_statement VALUES (ratchet.run_id(), clock_timestamp(), pg_backend_pid())")

# One round trip: the clock is read right before and right after the commit, on the server.
ASK = ("BEGIN\\; SELECT ratchet.trigger('asked', \"coalesce\" => false), extract(epoch FROM clock_timestamp())"
       "\\; COMMIT\\; SELECT extract(epoch FROM clock_timestamp());\nSELECT pg_sleep({gap});\n")

WARM, DURABLE = "warm worker, asking transaction commits asynchronously", "warm worker, asking transaction flushes WAL"
COLD = "cold: the worker has to start"
SIDES = {WARM: ("off", "60s", 0.01), DURABLE: ("on", "60s", 0.01), COLD: ("off", "1ms", 0.15)}


def run(sizes, found):
    ratchet = Ratchet(4)
    ratchet.server.run("CREATE TABLE first_statement (run_id bigint, at timestamptz, pid int)")
    ratchet.schedule(1, "@manual", FIRST_STATEMENT, prefix="asked")
    ratchet.server.run("SELECT ratchet.alter_job('asked1', new_name => 'asked')")
    ratchet.enable()
    series, samples = Series(), {side: [] for side in SIDES}
    for repeat in range(sizes.repeats):
        for side, (flush, idle, gap) in SIDES.items():
            progress(f"round {repeat + 1}: {side}")
            cold = side.startswith("cold")
            count = sizes.cold_samples if cold else sizes.latency_samples
            ratchet.set(worker_idle_timeout=idle)
            before, after, workers = measure(ratchet.server, flush, gap, count)
            if cold:
                require(workers >= count - 1, f"{count} runs had {workers} workers: they were not cold")
            else:
                require(workers <= 4, f"{workers} workers for {count} runs: they were not warm")
            samples[side] += before
            series.add(side, p50=percentile(before, 0.5), p99=percentile(before, 0.99), worst=max(before),
                       after=percentile(after, 0.5), after99=percentile(after, 0.99))
    rows = [(side, *(series.spread(side, figure) for figure in ("p50", "p99", "worst", "after", "after99")))
            for side in SIDES]
    found.table(["latency, µs", "from before COMMIT: p50", "p99", "worst", "from after COMMIT: p50", "p99"], rows,
          "Target, warm: p50 ≤ 300, p99 ≤ 5 000; cold: p50 ≤ 5 000. The commit lies between the two clocks, which the"
          " asking session reads right before and right after it; the first one includes its WAL flush. A negative"
          " figure: the run had started before the asking session went on. The other clock is read by the run's first"
          " statement.")
    for side, shown in ((WARM, "warm worker"), (DURABLE, "warm worker, durable trigger, its flush included")):
        p50, p99 = (series.values(side, figure) for figure in ("p50", "p99"))
        found.goal("T3", f"commit of `trigger` to first statement, {shown}: p50", "≤ 300 µs", p50, "µs", at_most=300)
        found.goal("T3", "the same, p99", "≤ 5 ms", [x / 1e3 for x in p99], "ms", at_most=5)
    cold = series.values(COLD, "p50")
    found.goal("T3", "the same, cold: p50", "≤ 5 ms", [x / 1e3 for x in cold], "ms", at_most=5)
    found.figure("trigger_warm", series.values(WARM, "p50"))
    found.figure("trigger_cold", cold)
    found.plot("trigger", "share below", "From the commit of a trigger to the first statement of its run", "µs",
               "% of runs", [(side, quantiles(samples[side])) for side in SIDES], log_x=True)


def measure(server, flush, gap, count):
    """Latencies in µs from before and from after each commit, and how many workers there were."""
    server.run("TRUNCATE first_statement")
    warm_up = 3
    script = "\n".join([f"SET synchronous_commit = {flush};", *[ASK.format(gap=gap)] * (count + warm_up)])
    lines = [line[0] if len(line) == 1 else line for line in server.rows(script)]
    lines = [line for line in lines if line != ""]
    require(len(lines) == 2 * (count + warm_up), f"{count + warm_up} calls gave {len(lines)} lines")
    asked = {int(first[0]): (float(first[1]), float(second)) for first, second in zip(lines[::2], lines[1::2])}
    server.wait_until(f"SELECT count(*) = {count + warm_up} FROM first_statement", "the runs that were asked for", 30)
    started = {int(run_id): (float(at), pid) for run_id, at, pid in server.rows(
        "SELECT run_id, extract(epoch FROM at), pid FROM first_statement ORDER BY run_id")}
    require(set(started) == set(asked), "other runs started than were asked for")
    server.wait_until("SELECT NOT EXISTS (SELECT FROM ratchet.run_queue)", "runs end", 30)
    succeeded = server.number(f"SELECT count(*) FROM ratchet.run_log WHERE status = 'succeeded' AND run_id >= {min(asked)}")
    require(succeeded == count + warm_up, f"{succeeded:.0f} of {count + warm_up} runs succeeded")
    measured = sorted(asked)[warm_up:]
    return ([(started[r][0] - asked[r][0]) * 1e6 for r in measured],
            [(started[r][0] - asked[r][1]) * 1e6 for r in measured],
            len({started[r][1] for r in measured}))
