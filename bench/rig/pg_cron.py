"""A server with pg_cron, in one of its two modes.

Debian's pg_cron schedules by the minute, so jobs that are due at once are due at the start of a minute.
"""

import math
import time

from rig.report import progress, require
from rig.server import Server, versions


class PgCron:
    def __init__(self, mode, name=""):
        """mode: libpq or workers."""
        self.mode = mode
        self.server = Server(f"cron_{mode}{name}", **{
            "shared_preload_libraries": "pg_cron", "cron.database_name": "bench", "cron.host": "/tmp",
            "cron.use_background_workers": "on" if mode == "workers" else "off"})
        self.server.run("CREATE DATABASE bench", database="postgres")
        self.server.run("CREATE EXTENSION pg_cron")
        self.server.restart(**{"cron.host": self.server.socket})
        versions["pg_cron"] = self.server.value("SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'")
        self.server.wait_until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pg_cron scheduler'"
                               " OR backend_type = 'pg_cron launcher')", "pg_cron starts", timeout=30)

    def schedule(self, count, schedule="* * * * *"):
        self.server.run(f"SELECT count(cron.schedule('job' || g, '{schedule}', 'SELECT 1'))"
                        f" FROM generate_series(1, {count}) g")

    def unschedule(self):
        self.server.run("SELECT count(cron.unschedule(jobid)) FROM cron.job")

    def minute(self, jobs):
        """Jobs that are due at the next minute: runs/s until the last has ended, CPU, start lags in ms."""
        left = 60 - time.time() % 60
        if left < 3:
            time.sleep(left + 0.5)
        progress(f"pg_cron ({self.mode}): waiting for the next minute")
        self.schedule(jobs)
        minute = (math.floor(time.time() / 60) + 1) * 60
        time.sleep(max(0.0, minute - time.time() - 1))
        session = self.server.session()
        spent = self.server.cpu(without=[session.pid])
        due = f"to_timestamp({minute})"
        while session.value(f"SELECT count(*) >= {jobs} FROM cron.job_run_details"
                            f" WHERE end_time IS NOT NULL AND start_time >= {due}") != "t":
            require(time.time() < minute + 50, "pg_cron has not run its jobs within 50 seconds")
            time.sleep(0.1)
        spent = self.server.cpu(without=[session.pid]) - spent
        session.close()
        self.unschedule()
        rows = self.server.rows(
            f"SELECT status, extract(epoch FROM start_time - {due}) * 1e3, extract(epoch FROM end_time - {due}),"
            f" return_message FROM cron.job_run_details WHERE start_time >= {due}")
        bad = [row for row in rows if row[0] != "succeeded"]
        require(not bad, f"{len(bad)} runs of pg_cron did not succeed: {bad and bad[0]}")
        require(len(rows) == jobs, f"{jobs} jobs of pg_cron were due, {len(rows)} ran")
        return {"rate": jobs / max(float(row[2]) for row in rows), "cpu": spent / jobs * 1e6,
                "lags": [float(row[1]) for row in rows]}
