"""A server with pg_ratchet, and the ways to keep it busy."""

import time

from rig.report import require
from rig.server import Server


class Ratchet:
    def __init__(self, workers=4, databases=("bench",), name="ratchet", **settings):
        self.server = Server(name, shared_preload_libraries="pg_ratchet",
                             **{"ratchet.max_workers": workers, "ratchet.enabled": "off"}, **settings)
        for database in databases:
            self.server.run(f"CREATE DATABASE {database}", database="postgres")
            self.server.run("CREATE EXTENSION pg_ratchet", database=database)
        self.await_scheduler(databases[0])

    def await_scheduler(self, database="bench"):
        self.server.wait_until(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'pg_ratchet scheduler'"
            " AND datname = current_database() AND state = 'idle')",
            "the scheduler starts", database=database, timeout=60)

    def set(self, **settings):
        """Changes settings of the server that need no start."""
        lines = "\n".join(f"ALTER SYSTEM SET ratchet.{key} = '{value}';" for key, value in settings.items())
        self.server.run(lines + "SELECT pg_reload_conf();", database="postgres")

    def enable(self):
        self.set(enabled="on")

    def disable(self, database="bench"):
        """Returns when the runs that were under way have ended."""
        self.set(enabled="off")
        time.sleep(0.2)
        self.server.wait_until("SELECT NOT EXISTS (SELECT FROM ratchet.run_queue WHERE claimed_at IS NOT NULL)",
                               "runs under way end", database=database, timeout=60)

    def schedule(self, count, schedule, command, prefix="job", options="", database="bench", user="postgres"):
        """Jobs prefix1, prefix2, ...; %s in the command is replaced by the job's number."""
        command = command.replace("'", "''").replace("%s", "' || g || '")
        self.server.run(
            f"SELECT count(ratchet.schedule('{prefix}' || g, '{schedule}', '{command}'{options and ', ' + options}))"
            f" FROM generate_series(1, {count}) g", database=database, user=user)

    def unschedule(self, database="bench"):
        self.server.run("SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs", database=database)

    def workers(self):
        return [pid for pid, title in self.server.processes().items() if "pg_ratchet worker" in title]

    def leave_workers(self):
        """Ends the workers, so that all of their statistics are counted."""
        self.server.run("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                        " WHERE backend_type IN ('pg_ratchet worker', 'pg_ratchet scheduler')", database="postgres")
        self.await_scheduler()

    def check_runs(self, condition, database="bench"):
        """All runs that fulfil the condition have succeeded, but for skipped ones. Returns their number."""
        rows = self.server.rows(
            "SELECT status, count(*), min(coalesce(error, reason)) FROM ratchet.run_log"
            f" WHERE {condition} GROUP BY status", database=database)
        found = {status: (int(count), why) for status, count, why in rows}
        for status, (count, why) in found.items():
            require(status in ("succeeded", "skipped"), f"{count} runs are {status}: {why}")
        return found.get("succeeded", (0, ""))[0]

    def saturate(self, seconds, settle=1.5, database="bench"):
        """Lets the jobs that are defined run for so long; returns runs, runs/s, CPU µs per run, and how many
        rows per run record skipped occurrences."""
        self.enable()
        time.sleep(settle)
        session = self.server.session(database)
        spent, start = self.server.cpu(without=[session.pid]), session.value("SELECT clock_timestamp()")
        time.sleep(seconds)
        end, spent = session.value("SELECT clock_timestamp()"), self.server.cpu(without=[session.pid]) - spent
        elapsed = float(session.value(f"SELECT extract(epoch FROM '{end}'::timestamptz - '{start}')"))
        session.close()
        self.disable(database)
        runs = self.check_runs(f"finished_at BETWEEN '{start}' AND '{end}'", database)
        require(runs > 0, "no run was recorded")
        rows = self.server.number(f"SELECT count(*) FROM ratchet.run_log WHERE finished_at BETWEEN '{start}' AND '{end}'",
                                  database)
        return {"runs": runs, "rate": runs / elapsed, "cpu": spent / runs * 1e6, "skipped": (rows - runs) / runs}

    def ask(self, count, jobs, database="bench"):
        """Triggers so many runs, of jobs with overlap => 'allow'. Returns the id of the first, and their number."""
        # A transaction for each round of all jobs, so that the runs of one job, which may want the same row,
        # do not come all at once: what was asked for at the same time goes by job.
        ask = ("SELECT min(ratchet.trigger(job_name, \"coalesce\" => false)) FROM (SELECT job_name FROM ratchet.job"
               f" WHERE overlap = 'allow' ORDER BY job_id LIMIT {jobs}) j;\n")
        first = int(self.server.rows("SET synchronous_commit = off;\n" + ask * (count // jobs), database)[0][0])
        return first, count // jobs * jobs

    def drain(self, count, jobs, database="bench", prepared=None):
        """Runs that were asked for beforehand. Calls prepared() before they start."""
        first, asked = self.ask(count, jobs, database)
        # What the server does with so many new rows is not part of the runs.
        self.server.run("VACUUM ANALYZE ratchet.run_queue; CHECKPOINT", database=database)
        if prepared:
            prepared()
        return self.run_down(first, asked, database)

    def run_down(self, first, asked, database="bench"):
        """Lets so many runs go that wait, the first of which has that id; returns runs/s and CPU µs per run."""
        session = self.server.session(database)
        spent = self.server.cpu(without=[session.pid])
        self.enable()
        end = time.monotonic() + 300
        while session.value("SELECT EXISTS (SELECT FROM ratchet.run_queue)") == "t":
            require(time.monotonic() < end, "the runs that were asked for do not end")
            time.sleep(0.1)
        spent = self.server.cpu(without=[session.pid]) - spent
        session.close()
        self.disable(database)
        runs = self.check_runs(f"run_id >= {first} AND cause = 'trigger'", database)
        require(runs == asked, f"{asked} runs were asked for, {runs} succeeded")
        elapsed = self.server.number(
            "SELECT extract(epoch FROM max(finished_at) - min(started_at)) FROM ratchet.run_log"
            f" WHERE run_id >= {first} AND cause = 'trigger'", database)
        return {"rate": runs / elapsed, "cpu": spent / runs * 1e6}
