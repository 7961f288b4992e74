"""The report: one Markdown file with what every benchmark found last, and its plots."""

import os

from statistics import median

from rig import results
from rig.report import number
from rig.results import markdown_table

# A figure, and the physical limit of the same kind, which was measured in the same run.
COMPARED = (
    ("CPU of a run that does nothing, with its record", "run_cpu", "µs",
     "insert of one row of a log and its asynchronous commit, in the server", "insert_async_cpu"),
    ("durable runs/s, 1 worker", "durable_rate_1", "/s", "flushes of WAL/s", "flush_rate"),
    ("durable runs/s, 1 worker", "durable_rate_1", "/s", "inserts with a synchronous commit, in the server",
     "insert_sync_rate"),
    ("CPU of a durable run, 8 workers", "durable_cpu_8", "µs", "`pgbench` with the same UPDATE, 8 clients, no log",
     "pgbench_cpu_8"),
    ("`trigger` to first statement, warm", "trigger_warm", "µs", "a process is woken by another one", "wake_up"),
    ("the same, cold", "trigger_cold", "µs", "a new connection and its first statement", "connect"),
    ("start lag of one due job", "lag_one", "µs", "a timed wait of 10 ms ends late by", "timer"),
    ("CPU per row of a batch job, `per => 'batch'`", "batch_cpu", "µs", "one UPDATE of the whole table",
     "one_update_cpu"),
    ("the same, `per => 'item'`", "item_cpu", "µs", "one UPDATE of the whole table", "one_update_cpu"),
)


def summary(found):
    """The targets, and what was measured; in bold what falls short."""
    rows = []
    for findings in found:
        for goal in findings["goals"]:
            measured = goal["found"] if goal["met"] else f"**{goal['found']}**"
            rows.append([goal["target"], goal["measure"], goal["wanted"], measured, f"`{goal['benchmark']}`"])
    # Targets of time (T), then promises (P).
    rows.sort(key=lambda row: (row[0][0] != "T", int(row[0][1:])))
    return markdown_table(["", "measure", "target", "measured", "benchmark"], rows)


def limits(found):
    """Figures beside the physical limit of the same kind."""
    figures = {key: median(values) for findings in found for key, values in findings["figures"].items()}
    rows = [[what, f"{number(figures[key])} {unit}", limit, f"{number(figures[floor])} {unit}",
             f"{number(figures[key] / figures[floor])} ×"]
            for what, key, unit, limit, floor in COMPARED if key in figures and figures.get(floor)]
    return markdown_table(["what", "measured", "physical limit", "measured", "ratio"], rows)


def machines(found):
    """What ran where: most often one machine and one version for all."""
    lines = []
    for findings in found:
        for line in findings["machine"]:
            if f"* {line}" not in lines:
                lines.append(f"* {line}")
    return lines


def runs(found):
    rows = [[f"`{f['name']}`", f["title"], f"{f['seconds']} s", f"{f['others']:.0%}", f"`{f['command']}`"] for f in found]
    return markdown_table(["benchmark", "measures", "took", "CPU that others used meanwhile", "again"], rows)


def details(found, plots):
    lines = []
    for findings in found:
        lines += [f"## `{findings['name']}`: {findings['title']}", ""]
        for table in findings["tables"]:
            lines += markdown_table(table["head"], table["rows"]) + [""]
            lines += [table["note"], ""] if table["note"] else []
        for plot in findings["plots"]:
            lines += [f"![{plot['title']}]({plots}/{plot['file']}.svg)", ""]
    return lines


def text(found, plots="plots"):
    return "\n".join([
        "# Measurements", "",
        "Written by `make bench`. Figures are medians, with the smallest and the largest of the repeats in brackets;"
        " in bold what falls short of its target. bench/README.md says how to read them.", "",
        "## Machine and versions", "", *machines(found), "",
        *runs(found), "",
        "## Targets", "", *summary(found), "",
        "## Beside the physical limits", "",
        "The limits are from the benchmark `limits`, and from the other side of the same benchmark.", "",
        *limits(found), "",
        *details(found, plots)]).rstrip() + "\n"


def draw_all(found, directory):
    from rig import plots  # matplotlib takes a second to load
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.svg"):
        old.unlink()
    for findings in found:
        for plot in findings["plots"]:
            plots.draw(plot, directory / f"{plot['file']}.svg")


def write_report(names):
    found = results.load(names)
    directory = results.directory()
    draw_all(found, directory / "plots")
    path = directory / "report.md"
    path.write_text(text(found), encoding="utf-8")
    return os.path.relpath(path)
