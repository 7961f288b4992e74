"""Runs the benchmarks that ONLY names, or all of them, and writes the report. Called by bench/run."""

import importlib
import os
import signal
import sys
import time

from benchmarks import BENCHMARKS
from rig import machine, render, report, results
from rig.sizes import Sizes
from rig.server import remove_all


def chosen():
    only = [name for name in os.environ.get("ONLY", "").replace(" ", ",").split(",") if name]
    unknown = [name for name in only if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"bench: there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return only or list(BENCHMARKS)


def run_one(name, sizes):
    """Returns why it failed, or None. What a failed one found is not kept."""
    print(f"## {name}: {BENCHMARKS[name]}\n", flush=True)
    found = results.Findings(name, BENCHMARKS[name])
    others, started, failed = machine.OtherLoad(), time.monotonic(), None
    try:
        importlib.import_module(f"benchmarks.{name}").run(sizes, found)
        took, share = time.monotonic() - started, others.share()
        print(f"({took:.0f} s; meanwhile others used {share:.0%} of this machine's CPU)\n", flush=True)
    except report.BenchmarkFailed as failure:
        failed = str(failure)
    finally:
        faults = remove_all()
    if faults and not failed:
        failed = f"in the log of a server, {len(faults)} times: {faults[0]}"
    if failed:
        print(f"**FAILED**: {failed}\n", flush=True)
    else:
        found.save(took, share, machine.description(), machine.command(name))
    return failed


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    names = chosen()
    sizes = Sizes.from_environment()
    failed = [name for name in names if run_one(name, sizes)]
    path = render.write_report(list(BENCHMARKS))
    print(f"The report, with plots and what was found earlier by the benchmarks that did not run now: {path}")
    if failed:
        sys.exit(f"bench: failed: {', '.join(failed)}")


main()
