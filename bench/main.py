"""Runs the benchmarks that ONLY names, or all of them. Called by bench/run."""

import importlib
import os
import signal
import sys
import time

from rig import machine, report
from rig.sizes import Sizes
from rig.server import remove_all

# In the order in which they run: the short ones first.
BENCHMARKS = {
    "trigger": "commit of a trigger to the first statement of its run (T3)",
    "durable": "jobs that do one durable UPDATE, against pgbench (T2)",
    "records": "no-op jobs with a record each, against pg_cron (T1)",
    "on_change": "writers of a table with a change trigger (T9)",
    "lag": "start lag of one due job and of 100, against pg_cron (T4)",
    "batch": "batch jobs, against the same work by hand (T7, T8)",
    "schedule": "defining jobs, and starting with very many (T6)",
    "idle": "CPU of jobs that are not due, against pg_cron (T5)",
    "snapshot": "the same under an old snapshot (T11)",
    "history": "the same with a long history (T10)",
}


def chosen():
    only = [name for name in os.environ.get("ONLY", "").replace(" ", ",").split(",") if name]
    unknown = [name for name in only if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"bench: there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return only or list(BENCHMARKS)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    names = chosen()
    sizes = Sizes.from_environment()
    failed = []
    for name in names:
        print(f"## {name}: {BENCHMARKS[name]}\n", flush=True)
        others = machine.OtherLoad()
        started = time.monotonic()
        try:
            importlib.import_module(f"benchmarks.{name}").run(sizes)
            took = time.monotonic() - started
            print(f"({took:.0f} s; meanwhile others used {others.share():.0%} of this machine's CPU)\n",
                  flush=True)
        except report.BenchmarkFailed as failure:
            failed.append(name)
            print(f"**FAILED**: {failure}\n", flush=True)
        finally:
            faults = remove_all()
        if faults:
            failed.append(name)
            print(f"**FAILED**: in the log of a server, {len(faults)} times: {faults[0]}\n", flush=True)
    print(machine.description(names, sizes), flush=True)
    if failed:
        sys.exit(f"bench: failed: {', '.join(dict.fromkeys(failed))}")


main()
