"""The machine: what it is, and who else is using it."""

import os
import platform
import resource
import subprocess

from rig import server

TICK = os.sysconf("SC_CLK_TCK")

SIZES = ("QUICK", "SHORT", "REPEATS", "CRON_ROUNDS", "SECONDS_EACH", "HISTORY_ROWS", "SNAPSHOT_AGE", "START_JOBS",
         "BATCH_ROWS", "BATCH_PARTS", "QUEUE_TASKS", "QUEUE_THROUGH", "QUEUE_BESIDE", "QUEUE_RATE", "QUEUE_PARTS")


def read(path, default=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return default


def busy_seconds():
    """CPU seconds that all processors spent since the machine started."""
    fields = [int(x) for x in read("/proc/stat").splitlines()[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq = fields[:7]
    steal = fields[7] if len(fields) > 7 else 0
    return (user + nice + system + irq + softirq + steal) / TICK


def own_seconds():
    spent = server.total_cpu()
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        spent += usage.ru_utime + usage.ru_stime
    return spent


class OtherLoad:
    """The CPU that neither our servers nor we ourselves use, from now on."""

    def __init__(self):
        self._busy, self._own, self._uptime = busy_seconds(), own_seconds(), self._now()

    @staticmethod
    def _now():
        return float(read("/proc/uptime").split()[0])

    def share(self):
        elapsed = (self._now() - self._uptime) * os.cpu_count()
        others = busy_seconds() - self._busy - (own_seconds() - self._own)
        return max(0.0, others / elapsed)


def cpu_model():
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith(("model name", "Hardware")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def memory():
    kilobytes = int(read("/proc/meminfo").split("MemTotal:")[1].split()[0])
    return f"{kilobytes / 1024 / 1024:.0f} GB"


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def control_version(top):
    for line in read(f"{top}/pg_ratchet.control").splitlines():
        if line.startswith("default_version"):
            return line.split("'")[1]
    return "?"


def kernel():
    """Its version, without what a builder has put behind it."""
    return platform.release().partition("-")[0]


def description():
    """What the figures belong to, as a list of Markdown."""
    top = os.environ["RATCHET_TOP"]
    postgres = output(os.environ["RATCHET_BIN"] + "/postgres", "--version").replace("postgres (PostgreSQL)", "PostgreSQL")
    commit = output("git", "-C", top, "rev-parse", "--short", "HEAD")
    changed = "" if not output("git", "-C", top, "status", "--porcelain", "src", "sql") else ", changed"
    return [
        f"{os.cpu_count()} processors, {cpu_model()}, {memory()}, Linux {kernel()}",
        f"{postgres}; pg_ratchet {control_version(top)} ({commit}{changed})",
        *(f"{name} {version}" for name, version in sorted(server.versions.items())),
        f"server settings: {server.settings_in_words()}",
    ]


def command(name):
    """The command that does the same again."""
    given = " ".join(f"{size}={os.environ[size]}" for size in SIZES if os.environ.get(size))
    return f"make bench ONLY={name} {given}".strip()
