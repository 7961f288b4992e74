"""T25: walks over rows that are not stored in the order of the key, part of the benchmark batch."""

from rig.report import Series, number, progress, spread
from rig.walked import SIZE, SOURCES, Walked

# By hand twice: as the planner does it, and as it does it when told not to sort.
SIDES = ("plain", "no sort", "job")
HOPELESS = 3  # times the CPU of the other way by hand: not tried with more rows
STATISTICS = {True: "analyzed", False: "never analyzed"}


def best_by_hand(series, what):
    """Of each round, the cheaper way."""
    both = [series.values((side, what), "cpu") for side in ("plain", "no sort")]
    return [min(pair) for pair in zip(*both)] if all(both) else both[1]


def ratios(series, what):
    return [ours / theirs for ours, theirs in zip(series.values(("job", what), "cpu"), best_by_hand(series, what))]


def walks(ratchet, sizes, found):
    series = Series()
    counts = (sizes.walk_rows // 30, sizes.walk_rows)
    for name, source in SOURCES.items():
        for analyzed in (False, True):
            sides = SIDES
            for rows in counts:
                what = (name, analyzed, rows)
                table = Walked(ratchet, source, rows, analyzed)
                for repeat in range(sizes.repeats if rows == counts[0] else 1):
                    for side in sides:
                        cpu = table.measure(side)
                        progress(f"{source.shown}, {number(rows)} rows, {STATISTICS[analyzed]}, round {repeat + 1}:"
                                 f" {side}: {cpu:.2f} µs per item")
                        series.add((side, what), cpu=cpu)
                if series.median(("plain", what), "cpu") > HOPELESS * series.median(("no sort", what), "cpu"):
                    sides = SIDES[1:]
    show(series, counts, found)


def show(series, counts, found):
    lines = []
    for name, source in SOURCES.items():
        for analyzed in (False, True):
            for rows in counts:
                what = (name, analyzed, rows)
                lines.append((source.shown, STATISTICS[analyzed], number(rows),
                              *(series.spread((side, what), "cpu") for side in SIDES), spread(ratios(series, what))))
            small, large = ((name, analyzed, rows) for rows in counts)
            found.goal("T25", f"CPU per item of a walk: {source.shown}, {STATISTICS[analyzed]}, {number(counts[1])} rows,"
                       " against the better way by hand", "≤ 1.2 ×", ratios(series, large), "×", at_most=1.2)
            found.goal("T25", f"the same against {number(counts[0])} rows", "flat: ≤ 1.2 ×",
                       series.median(("job", large), "cpu") / series.median(("job", small), "cpu"), "×", at_most=1.2)
    found.table(["source", "statistics", "rows", "CPU per item by hand, µs", "by hand, `enable_sort = off`, µs",
           "pg_ratchet, `per => 'item'`, µs", "ratio to the better"], lines,
          f"Target: ≤ 1.2 ×, flat. Batches of {SIZE}; the action is `SELECT $1`, so that this is the walk and its"
          " commits alone. By hand: a procedure that reads the next rows behind the last key by one statement and commits"
          " each batch with a row of its own; without a figure, because with fewer rows it already took more than"
          f" {HOPELESS} × the CPU of the other way. The largest once.")
