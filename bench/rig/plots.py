"""Plots of what was found, as SVG: the same figures give the same file, byte for byte."""

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot, ticker  # noqa: E402  (the backend has to be chosen first)

COLORS = ("#1b6ca8", "#c8553d", "#588157", "#8a6fb0", "#b08900", "#555555", "#2a9d8f", "#9d4b6c")
STYLE = {
    "svg.hashsalt": "pg_ratchet", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#dddddd",
    "grid.linewidth": 0.6, "legend.frameon": False, "legend.fontsize": 9, "figure.figsize": (7.2, 4.0),
}


def plain(value, _position=None):
    if value >= 1e6 and value % 1e5 == 0:
        return f"{value / 1e6:g} M"
    if value >= 1e3 and value % 1e2 == 0:
        return f"{value / 1e3:g} k"
    return f"{value:g}"


def share_below(axes, curves):
    for color, (label, values) in zip(COLORS, curves):
        ordered = sorted(values)
        shares = [100 * (rank + 1) / len(ordered) for rank in range(len(ordered))]
        axes.step(ordered, shares, where="post", color=color, label=label, linewidth=1.6)
    axes.set_ylim(0, 100.5)


def lines(axes, curves):
    for color, (label, xs, ys) in zip(COLORS, curves):
        by_hand = label.startswith(("by hand", "pgbench", "pg_cron"))
        axes.plot(xs, ys, marker="o", markersize=4, color=color, label=label, linewidth=1.6,
                  linestyle="--" if by_hand else "-")


KINDS = {"share below": share_below, "lines": lines}


def draw(plot, path):
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots()
        if plot["log_x"]:
            axes.set_xscale("log")
        if plot["log_y"]:
            axes.set_yscale("log")
        KINDS[plot["kind"]](axes, plot["curves"])
        if plot["kind"] == "lines" and not plot["log_y"]:
            axes.set_ylim(bottom=0)
        for axis, is_log in ((axes.xaxis, plot["log_x"]), (axes.yaxis, plot["log_y"])):
            axis.set_major_formatter(ticker.FuncFormatter(plain))
            if is_log:
                axis.set_minor_formatter(ticker.NullFormatter())
        axes.set_title(plot["title"], loc="left", fontsize=11)
        axes.set_xlabel(plot["x"])
        axes.set_ylabel(plot["y"])
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.14))
        figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
