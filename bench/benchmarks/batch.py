"""T7, T8, T25: the same work on every row of a table, as a batch job and by hand."""

import os

from benchmarks.batch_walks import walks
from rig.batch import SIDES, Table
from rig.ratchet import Ratchet
from rig.report import Series, number, progress, spread

SIZE = 500
SIZES = (100, 500, 2000, 8000)
FAILING = (0.001, 0.01, 0.05, 0.5)  # LIMITS knows targets for them
WORKERS = 1
PARTS = ("sides", "sizes", "failures", "flat", "offset", "walks")

# In the order in which they run: what is compared is measured one after the other.
AT_ZERO = ("one update", "range", "slice", "r-batch", "item", "r-item", "item caught", "function", "r-function", "function caught")
PEERS = {"r-batch": "slice", "r-item": "item", "r-function": "function"}
CAUGHT = {"r-item": "item caught", "r-function": "function caught", "r-batch": "item caught"}
TARGETS = {0.001: 0.80, 0.01: 0.80, 0.05: 1.0, 0.5: 1.05}


def run(sizes, found):
    ratchet = Ratchet(WORKERS, jit="off")
    work = Table(ratchet, SIZES)
    ratchet.enable()
    work.measure("r-item", 1000)  # a worker is there
    parts = [part for part in os.environ.get("BATCH_PARTS", "").split(",") if part] or PARTS
    for part in parts:
        if part == "walks":
            walks(ratchet, sizes, found)
        else:
            {"sides": sides, "sizes": batch_sizes, "failures": failures, "flat": flat, "offset": offset}[part](work, sizes, found)


def rounds(work, series, what, names, repeats, **how):
    """Measures these sides in turn, under (side, what)."""
    for repeat in range(repeats):
        for name in names:
            figures = work.measure(name, **how)
            progress(f"{what}, round {repeat + 1}: {name}: {figures['wall']:.1f} s, {figures['cpu']:.2f} µs per row")
            series.add((name, what), **figures)


def curves(found, file, title, x, series, names, points, what, figure, y="µs", log_x=False, log_y=False, x_of=None):
    """A plot with a line for each of these sides."""
    xs = [x_of(point) if x_of else point for point in points]
    found.plot(file, "lines", title, x, y,
               [(SIDES[name].shown.replace("`", ""), xs, [series.median((name, what(point)), figure) for point in points])
                for name in names], log_x=log_x, log_y=log_y)


def percent(share):
    return f"{share * 100:.3g} %"


def sides(work, sizes, found):
    series, rows = Series(), sizes.batch_rows
    rounds(work, series, "", AT_ZERO, sizes.repeats, rows=rows, size=SIZE)
    lines = []
    for name in AT_ZERO:
        peer = (PEERS.get(name, "range"), "")
        lines.append((SIDES[name].shown, *(series.spread((name, ""), f) for f in ("wall", "cpu")),
                      spread(series.ratio((name, ""), ("range", ""), "cpu")),
                      spread(series.ratio((name, ""), peer, "cpu")) if name in PEERS else "",
                      number(series.ratio_of_best((name, ""), peer, "cpu")) if name in PEERS else "",
                      series.spread((name, ""), "wal"),
                      spread(series.ratio((name, ""), peer, "wal")), series.spread((name, ""), "longest")))
    found.table([f"{number(rows)} rows, none fails, batches of {SIZE}", "s", "CPU of the whole server per row, µs",
           "CPU : range by hand", "CPU : its own way by hand", "best : best", "WAL bytes per row", "WAL ratio",
           "longest transaction, ms"], lines,
          "Target: pg_ratchet per batch ≤ 1.03 × the CPU by hand, WAL ± 2 %. The first ratio is to the cheapest way by hand,"
          " a range of keys, which takes a source that is all rows of one table; the second to the same statement by hand."
          " WAL: a batch job to its own way by hand, the others to the range. Locks of rows last as long as the"
          " transaction, which is looked at every 2 ms. By hand: a procedure that commits each batch with a row of its own"
          " that says how far it is. best : best, the smallest figures of either side, is less disturbed by what else the"
          " machine does than the ratios within each round. Every side changed each row once.")
    for name, peer, shown in (("r-batch", "slice", "against the same statement by hand"),
                              ("r-batch", "range", "against an UPDATE of a range of keys"),
                              ("r-item", "item", "against the same statement by hand")):
        per = SIDES[name].per
        found.goal("T7", f"CPU of a batch job, `per => '{per}'`, none fails, {shown}", "≤ 1.03 ×",
                   series.ratio((name, ""), (peer, ""), "cpu"), "×", at_most=1.03)
        found.goal("T7", f"WAL, `per => '{per}'`, {shown}", "± 2 %", series.ratio((name, ""), (peer, ""), "wal"), "×",
                   at_most=1.02)
    for figure, name in (("batch_cpu", "r-batch"), ("item_cpu", "r-item"), ("one_update_cpu", "one update")):
        found.figure(figure, series.values((name, ""), "cpu"))


def batch_sizes(work, sizes, found):
    series, rows = Series(), sizes.batch_rows
    names = ("slice", "r-batch", "item", "r-item")
    lines = []
    for size in SIZES:
        rounds(work, series, f"batches of {size}", names, sizes.repeats, rows=rows, size=size)
    for size in SIZES:
        what = f"batches of {size}"
        for name in ("r-batch", "r-item"):
            side, peer = (name, what), (PEERS[name], what)
            lines.append((size, SIDES[name].shown, series.spread(peer, "cpu"), series.spread(side, "cpu"),
                          spread(series.ratio(side, peer, "cpu")), number(series.ratio_of_best(side, peer, "cpu")),
                          spread(series.ratio(side, peer, "wal")), series.spread(peer, "longest"),
                          series.spread(side, "longest")))
    found.table([f"batch size, {number(rows)} rows", "side", "CPU per row by hand, µs", "pg_ratchet, µs", "ratio",
           "best : best", "WAL ratio", "longest transaction by hand, ms", "pg_ratchet, ms"], lines,
          "Target: ratio of `per => 'batch'` ≤ 1.03. None fails. By hand: the same statement, per slice or per row.")
    curves(found, "batch-size", "CPU per row, none fails", "rows per batch", series, names, SIZES,
           lambda size: f"batches of {size}", "cpu", log_x=True)
    curves(found, "batch-locks", "How long locks are held", "rows per batch", series, names, SIZES,
           lambda size: f"batches of {size}", "longest", "ms, longest transaction", log_x=True, log_y=True)


def failures(work, sizes, found):
    series, rows = Series(), sizes.batch_rows
    names = ("item caught", "r-item", "r-batch", "function caught", "r-function")
    lines = []
    for bad in FAILING:
        rounds(work, series, percent(bad), names, sizes.repeats, rows=rows, bad=bad, size=SIZE)
    for name, caught in CAUGHT.items():
        for bad in FAILING:
            side, peer = (name, percent(bad)), (caught, percent(bad))
            lines.append((SIDES[name].shown, percent(bad), series.spread(peer, "cpu"), series.spread(side, "cpu"),
                          spread(series.ratio(side, peer, "cpu")), number(series.ratio_of_best(side, peer, "cpu")),
                          f"≤ {TARGETS[bad]:.2f}" if name != "r-batch" else "–",
                          series.spread(peer, "wal"), spread(series.ratio(side, peer, "wal")),
                          series.spread(peer, "longest"), series.spread(side, "longest")))
    found.table([f"{number(rows)} rows, batches of {SIZE}", "rows that fail", "CPU per row, BEGIN … EXCEPTION by hand, µs",
           "pg_ratchet, µs", "ratio", "best : best", "target", "WAL bytes per row by hand", "WAL ratio",
           "longest transaction by hand, ms", "pg_ratchet, ms"], lines,
          "Target of the WAL: ≤ 1.1 ×. By hand: a subtransaction per row, around the same UPDATE or the same function; a"
          " batch job per batch is compared with the UPDATE per row. Bad rows are spread at random, raise an error at the"
          " end of their 20 µs, and are listed by key with their error and attempts on either side. Every good row was"
          " changed once.")
    for bad in FAILING:
        ratio = {what: series.ratio(("r-item", percent(bad)), ("item caught", percent(bad)), what) for what in ("cpu", "wal")}
        found.goal("T8", f"CPU of a batch job against a subtransaction per row by hand, {percent(bad)} of the rows bad",
                   f"≤ {TARGETS[bad]:.2f} ×", ratio["cpu"], "×", at_most=TARGETS[bad])
        found.goal("T8", f"WAL, {percent(bad)} bad", "≤ 1.1 ×", ratio["wal"], "×", at_most=1.1)
    curves(found, "batch-failures", "CPU per row when some fail", "% of the rows that fail", series,
           ("item caught", "r-item", "r-batch"), FAILING, percent, "cpu", log_x=True, x_of=lambda bad: bad * 100)


def flat(work, sizes, found):
    series = Series()
    names = ("slice", "r-batch", "item", "r-item")
    counts = [sizes.batch_rows * n // 100 for n in (1, 10, 100, 1000)]
    for rows in counts:
        repeats = 1 if rows > sizes.batch_rows else sizes.repeats * (3 if rows < sizes.batch_rows else 1)
        rounds(work, series, number(rows), names, repeats, rows=rows, size=SIZE)
    lines = []
    for rows in counts:
        what = number(rows)
        lines.append((what, *(cell for name in ("r-batch", "r-item") for cell in (
            series.spread((PEERS[name], what), "cpu"), series.spread((name, what), "cpu"),
            spread(series.ratio((name, what), (PEERS[name], what), "cpu"))))))
    found.table(["rows", "CPU per row, UPDATE … FROM slice by hand, µs", SIDES["r-batch"].shown + ", µs", "ratio",
           "UPDATE per row by hand, µs", SIDES["r-item"].shown + ", µs", "ratio"], lines,
          f"Target: flat. Batches of {SIZE}. The largest table once, the small ones more often. The smallest shows what"
          " a run costs by itself.")
    curves(found, "batch-rows", "CPU per row over the size of the table", "rows", series, names, counts, number, "cpu",
           log_x=True)
    most, middle = (("r-item", number(counts[i])) for i in (-1, -2))
    found.goal("T7", f"CPU per row at {number(counts[-1])} rows against {number(counts[-2])}", "flat: ≤ 1.1 ×",
               series.median(most, "cpu") / series.median(middle, "cpu"), "×", at_most=1.1)


def offset(work, sizes, found):
    """Quadratic, so on small tables."""
    series = Series()
    counts = [sizes.batch_rows * n // 100 for n in (5, 10, 20)]
    names = ("range", "r-batch", "offset", "offset of rest")
    for rows in counts:
        rounds(work, series, number(rows), names, sizes.repeats, rows=rows, size=SIZE)
    lines = []
    for rows in counts:
        for name in names:
            side = (name, number(rows))
            lines.append((number(rows), SIDES[name].shown, *(series.spread(side, f) for f in ("wall", "cpu")),
                          spread(series.ratio(side, ("range", number(rows)), "cpu")),
                          percent(series.median(side, "done"))))
    found.table(["rows", "side", "s", "CPU per row, µs", "CPU : range by hand", "rows done"], lines,
          f"Batches of {SIZE}. OFFSET reads again what it has passed; over the rows that are not done yet it also steps"
          " over as many of them as it has just done, and misses them.")
