"""What the benchmarks find, kept as one file for each: the report is made of the newest of each."""

import json
import os
import sys
from pathlib import Path

from rig.report import median, spread


def directory():
    return Path(os.environ["RATCHET_TOP"]) / "build" / "bench"


class Findings:
    """Of one benchmark: tables, goals (figures with a target), other figures, and curves to be drawn."""

    def __init__(self, name, title):
        self.name, self.title = name, title
        self.tables, self.goals, self.plots, self.figures = [], [], [], {}

    def table(self, head, rows, note=None):
        rows = [[str(cell) for cell in row] for row in rows]
        self.tables.append({"head": list(head), "rows": rows, "note": note})
        print("\n".join(markdown_table(head, rows)) + "\n")
        if note:
            print(note + "\n")
        sys.stdout.flush()

    def goal(self, which, measure, wanted, values, unit="", at_most=None, at_least=None):
        """A figure of LIMITS T1 to T17: the median decides whether it is met."""
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        middle = median(values)
        met = (at_most is None or middle <= at_most) and (at_least is None or middle >= at_least)
        self.goals.append({"target": which, "measure": measure, "wanted": wanted, "met": met,
                           "found": spread(values) + (unit and " " + unit), "benchmark": self.name})

    def figure(self, key, values):
        """What render.COMPARED puts beside a limit."""
        self.figures[key] = list(values) if isinstance(values, (list, tuple)) else [values]

    def plot(self, file, kind, title, x, y, curves, log_x=False, log_y=False, note=None):
        """curves: a list of (label, xs, ys), or of (label, values) for the kind "share below"."""
        self.plots.append({"file": file, "kind": kind, "title": title, "x": x, "y": y, "log_x": log_x, "log_y": log_y,
                           "note": note, "curves": [[label, *map(list, data)] for label, *data in curves]})

    def save(self, seconds, others, machine, command):
        kept = {key: getattr(self, key) for key in ("name", "title", "tables", "goals", "plots", "figures")}
        kept.update(seconds=round(seconds), others=round(others, 3), machine=machine, command=command)
        directory().mkdir(parents=True, exist_ok=True)
        (directory() / f"{self.name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n",
                                                       encoding="utf-8")


def markdown_table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
            *("| " + " | ".join(row) + " |" for row in rows)]


def load(names):
    """The findings that are there, in the order of these names."""
    files = (directory() / f"{name}.json" for name in names)
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]
