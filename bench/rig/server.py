"""Private servers (script/private-server), and what their processes use."""

import os
import re
import subprocess
import tempfile
import time

from rig import slow_flush
from rig.report import BenchmarkFailed, require

TICK = os.sysconf("SC_CLK_TCK")
SEPARATOR = "\x1f"

# The same for every server that is measured. Durable: fsync, full_page_writes and synchronous_commit
# are on, as they are by default.
SETTINGS = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_connections": "100",
    "max_worker_processes": "40",
    "track_wal_io_timing": "on",
    "timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] %b ",
}

FAULT = re.compile(r"PANIC:|terminated by signal|TRAP:|pg_ratchet (scheduler|launcher) ERROR:")

versions = {}
servers = []


def settings_in_words():
    return ("fsync = on, synchronous_commit = on, " +
            ", ".join(f"{k} = {v}" for k, v in SETTINGS.items() if k.startswith(("shared", "max_w"))))


def total_cpu():
    return sum(server.spent + (server.cpu() if server.is_running else 0) for server in servers)


def remove_all():
    """Removes the servers; returns what their logs say about crashes."""
    return [fault for server in servers for fault in server.remove()]


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def stat_fields(pid):
    """The fields of /proc/PID/stat behind the name: state, parent, ..."""
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def process_seconds(pid):
    """CPU seconds of one process, from the scheduler's own count where the kernel shows it."""
    precise = read(f"/proc/{pid}/schedstat").split()
    if precise:
        return int(precise[0]) / 1e9
    fields = stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / TICK if fields else 0.0


class Session:
    """A psql that stays connected."""

    def __init__(self, server, database, user):
        self._process = subprocess.Popen(
            server.psql_command(database, user), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=server.environment(user))
        self.pid = int(self.rows("SELECT pg_backend_pid()")[0][0])

    def begin(self, sql):
        """Does not wait for its end."""
        self._process.stdin.write(sql.rstrip("; \n") + ";\n\\echo @done@\n")
        self._process.stdin.flush()

    def rows(self, sql):
        self.begin(sql)
        lines = []
        while True:
            line = self._process.stdout.readline()
            if not line:
                raise BenchmarkFailed("a session ended: " + " ".join(lines)[-500:])
            if line.rstrip("\n") == "@done@":
                return [row.split(SEPARATOR) for row in lines]
            lines.append(line.rstrip("\n"))

    def value(self, sql):
        return self.rows(sql)[0][0]

    def close(self):
        self._process.stdin.close()
        self._process.wait()

    def abandon(self):
        """Its statement does not end."""
        self._process.kill()
        self._process.wait()


class Server:
    def __init__(self, name, **settings):
        """A new server that runs, with these settings on top of SETTINGS."""
        self.name = "bench_" + name
        self.spent = 0.0
        self.is_running = False
        self._started_with = {}
        self._script("remove")
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            for key, value in {**SETTINGS, **settings}.items():
                file.write(f"{key} = '{value}'\n")
            file.flush()
            servers.append(self)
            self._start(file.name)

    def _script(self, action, *words, **environment):
        done = subprocess.run([os.environ["RATCHET_TOP"] + "/script/private-server", action, self.name, *words],
                              capture_output=True, text=True, check=False, env={**os.environ, **environment})
        require(done.returncode == 0, f"{action} of server {self.name}: {done.stderr.strip()[-800:]}")
        return done.stdout

    def _start(self, *words):
        self._script("start", *words, **self._started_with)
        self._address = dict(word.split("=", 1) for word in self._script("status").split())
        data = f"{os.environ['RATCHET_WORK']}/server/{self.name}/data"
        self._postmaster = int(read(f"{data}/postmaster.pid").split()[0])
        self.is_running = True

    @property
    def socket(self):
        return self._address["PGHOST"]

    def restart(self, **settings):
        """With changes of settings that need a start of the server."""
        for key, value in settings.items():
            self.run(f"ALTER SYSTEM SET {key} = '{value}'", database="postgres")
        if os.path.exists(f"/proc/{self._postmaster}"):
            self.spent += self.cpu()
        self._start()

    def kill(self):
        """SIGKILL to all of its processes at once, as when the power fails."""
        self.spent += self.cpu()
        self._script("kill")

    def slow_flushes(self, microseconds):
        """From the next restart on each flush of WAL takes so much longer than the disk does."""
        self._started_with = slow_flush.environment(microseconds)

    def remove(self):
        """Returns the lines of its log about crashed processes and failed passes of a scheduler."""
        if not self.is_running:
            return []
        self.spent += self.cpu()
        self.is_running = False
        log = read(f"{os.environ['RATCHET_WORK']}/server/{self.name}/server.log")
        self._script("remove")
        return [f"{self.name}: {line}" for line in log.splitlines() if FAULT.search(line)]

    def log_end(self, lines=5):
        log = read(f"{os.environ['RATCHET_WORK']}/server/{self.name}/server.log")
        return "\n".join(log.splitlines()[-lines:])

    # ---- SQL

    def environment(self, user="postgres"):
        # The build's library path and the caller's settings are not ours.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        return {**kept, **self._address, "PGUSER": user}

    def psql_command(self, database, _user="postgres"):
        return [self.program("psql"), "-XAtq", "-F", SEPARATOR,
                "-v", "ON_ERROR_STOP=1", "-d", database]

    def rows(self, sql, database="bench", user="postgres"):
        done = subprocess.run(self.psql_command(database), input=sql, capture_output=True, text=True,
                              check=False, env=self.environment(user))
        require(done.returncode == 0, f"{sql.strip()[:200]}: {done.stderr.strip()[-800:]}")
        return [row.split(SEPARATOR) for row in done.stdout.splitlines()]

    def run(self, sql, database="bench", user="postgres"):
        self.rows(sql, database, user)

    def value(self, sql, database="bench", user="postgres"):
        return self.rows(sql, database, user)[0][0]

    def number(self, sql, database="bench", user="postgres"):
        return float(self.value(sql, database, user))

    def session(self, database="bench", user="postgres"):
        return Session(self, database, user)

    def wait_until(self, sql, what, timeout=120, database="bench", every=0.1):
        """Waits until the query says true, in one session."""
        session = self.session(database)
        end = time.monotonic() + timeout
        while session.value(sql) != "t":
            require(time.monotonic() < end, f"{what}: not after {timeout} s; the log of the server ends:\n{self.log_end()}")
            time.sleep(every)
        session.close()

    @staticmethod
    def program(name):
        return f"{os.environ['RATCHET_BIN']}/{name}"

    def pgbench(self, script, clients, seconds, protocol="prepared", options="", connect=False, database="bench", extra=()):
        """Runs a script; returns transactions per second, and their number."""
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            done = subprocess.run(
                [self.program("pgbench"), "-n", *(["-C"] if connect else []), "-c", str(clients), "-j", str(min(clients, 2)),
                 "-T", str(max(1, round(seconds))), "-M", protocol, *extra, "-f", file.name, database],
                capture_output=True, text=True, check=False,
                env={**self.environment(), "PGOPTIONS": options})
        require(done.returncode == 0, f"pgbench: {done.stderr.strip()[-500:]}")
        failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
        time.sleep(0.3)  # until its backends are counted as ended
        require(not failed or failed.group(1) == "0", "transactions of pgbench failed")
        rate = re.search(r"tps = ([0-9.]+)", done.stdout)
        require(rate, f"pgbench has done nothing: {(done.stdout + done.stderr).strip()[-800:]}")
        rate = float(rate.group(1))
        count = int(re.search(r"actually processed: (\d+)", done.stdout).group(1))
        return rate, count

    # ---- processes

    def processes(self):
        """The server's processes by id, with the title that each one shows."""
        found = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                fields = stat_fields(entry)
                if fields and int(fields[1]) == self._postmaster:
                    found[int(entry)] = read(f"/proc/{entry}/cmdline").replace("\0", " ").strip()
        return found

    def process(self, title):
        """The id of the one process whose title has this in it."""
        pids = [pid for pid, shown in self.processes().items() if title in shown]
        require(len(pids) == 1, f"there are {len(pids)} processes '{title}' in server {self.name}")
        return pids[0]

    def cpu(self, without=()):
        """CPU seconds of all processes of the server, of those that have ended too."""
        fields = stat_fields(self._postmaster)
        ended = (int(fields[13]) + int(fields[14])) / TICK if fields else 0.0
        alive = sum(process_seconds(pid) for pid in self.processes() if pid not in without)
        return ended + process_seconds(self._postmaster) + alive

    def wal_bytes(self):
        return self.number("SELECT wal_bytes FROM pg_stat_wal")

    def flushes(self):
        """WAL flushes, the milliseconds they took, and WAL bytes since the server was made."""
        # Version 18 counts them where it counts the other input and output.
        if self.number("SHOW server_version_num") >= 180000:
            synced = "(SELECT sum(fsyncs), sum(fsync_time) FROM pg_stat_io WHERE object = 'wal')"
        else:
            synced = "(SELECT wal_sync, wal_sync_time FROM pg_stat_wal)"
        row = self.rows(f"SELECT synced.*, wal_bytes FROM {synced} AS synced, pg_stat_wal")[0]
        return [float(x) for x in row]
