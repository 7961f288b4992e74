"""Figures and tables."""

import statistics
import sys


class BenchmarkFailed(Exception):
    """What was to be measured did not happen."""


def require(condition, message):
    if not condition:
        raise BenchmarkFailed(message)


def progress(text):
    print(f"   {text}", file=sys.stderr, flush=True)


def percentile(values, share):
    """The value below which this share of the values is (nearest rank)."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[int(rank) - 1]


def number(value):
    """Three significant digits, or the whole number, with thin groups of three."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def spread(values):
    """Median, and smallest and largest where there are several."""
    if not values:
        return "–"
    text = number(statistics.median(values))
    if len(values) > 1:
        text += f" ({number(min(values))} … {number(max(values))})"
    return text


def median(values):
    return statistics.median(values)


class Series:
    """Measurements by side and by what was measured, collected over the repeats."""

    def __init__(self):
        self._values = {}

    def add(self, side, **figures):
        for what, value in figures.items():
            self._values.setdefault((side, what), []).append(value)

    def values(self, side, what):
        return self._values.get((side, what), [])

    def median(self, side, what):
        values = self.values(side, what)
        return statistics.median(values) if values else None

    def spread(self, side, what):
        return spread(self.values(side, what))

    def ratio(self, side, other, what):
        """How many times the figure of the other side, from the pairs of each repeat."""
        pairs = zip(self.values(side, what), self.values(other, what))
        return [a / b for a, b in pairs if b]

    def ratio_of_best(self, side, other, what):
        """The smallest figure of one side by the smallest of the other: noise only ever adds."""
        mine, theirs = self.values(side, what), self.values(other, what)
        return min(mine) / min(theirs) if mine and theirs else None


def quantiles(values, points=200):
    """As many values as a plot needs: the quantiles in equal steps, the smallest and the largest included."""
    ordered = sorted(values)
    if len(ordered) <= points:
        return ordered
    return [ordered[round(i * (len(ordered) - 1) / (points - 1))] for i in range(points)]
