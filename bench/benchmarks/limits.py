"""What the machine and the server can do at most: the limits that the other figures are compared with."""

import os
import re
import subprocess
import threading
import time

from rig import in_server
from rig.report import Series, percentile, progress, require
from rig.server import Server


def run(sizes, found):
    server = Server("limits")
    server.run("CREATE DATABASE bench", database="postgres")
    in_server.prepare(server)
    series = Series()
    for repeat in range(sizes.repeats):
        progress(f"round {repeat + 1}: transactions in the server, connections, wake-ups, flushes")
        for name in in_server.TRANSACTIONS:
            series.add(name, **in_server.transactions(server, name))
        series.add("connect", us=connect(server))
        series.add("wake_up", us=wake_up())
        series.add("timer", us=timer())
    flushes = flush_rate(server)
    found.table(["in one process of the server", "transactions/s", "CPU of the whole server, µs"],
                [(shown, series.spread(name, "rate"), series.spread(name, "cpu"))
                 for name, (shown, *_) in in_server.TRANSACTIONS.items()],
                "A PL/pgSQL procedure that commits after each turn: neither client nor protocol.")
    found.table(["µs", ""], [
        ("a new connection and `SELECT 1` (`pgbench -C`)", series.spread("connect", "us")),
        ("a process is woken by another one (half a round trip through pipes)", series.spread("wake_up", "us")),
        ("a timed wait of 10 ms ends late by", series.spread("timer", "us")),
        ("flush of WAL, `fdatasync` of one page (`pg_test_fsync`)", f"{1e6 / flushes:.0f}")])
    for name in ("insert_async", "insert_sync"):
        for what in ("rate", "cpu"):
            found.figure(f"{name}_{what}", series.values(name, what))
    for name in ("connect", "wake_up", "timer"):
        found.figure(name, series.values(name, "us"))
    found.figure("flush_rate", flushes)


def connect(server):
    rate, _ = server.pgbench("SELECT 1;\n", 1, 2, protocol="simple", connect=True)
    return 1e6 / rate


def wake_up(times=5_000):
    """Half of a round trip between two processes, each of which sleeps until the other one writes."""
    (ask_read, ask_write), (answer_read, answer_write) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        for _ in range(times):
            os.write(answer_write, os.read(ask_read, 1))
        os._exit(0)
    took = []
    for _ in range(times):
        started = time.perf_counter()
        os.write(ask_write, b"x")
        os.read(answer_read, 1)
        took.append(time.perf_counter() - started)
    os.waitpid(child, 0)
    for end in (ask_read, ask_write, answer_read, answer_write):
        os.close(end)
    return percentile(took, 0.5) / 2 * 1e6


def timer(times=100):
    late, never = [], threading.Event()
    for _ in range(times):
        started = time.perf_counter()
        never.wait(0.01)
        late.append(time.perf_counter() - started - 0.01)
    return percentile(late, 0.5) * 1e6


def flush_rate(server):
    """Flushes per second with the method that Linux takes by default, on the disk of the servers."""
    done = subprocess.run([server.program("pg_test_fsync"), "-s", "1", "-f", f"{os.environ['RATCHET_WORK']}/fsync_test"],
                          capture_output=True, text=True, check=False)
    rates = re.findall(r"^\s+fdatasync\s+([0-9.]+) ops/sec", done.stdout, re.MULTILINE)
    require(done.returncode == 0 and rates, f"pg_test_fsync: {done.stderr.strip()[-300:]}")
    return float(rates[0])
