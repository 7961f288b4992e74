"""The task queues that are compared, all on one server, each in a database of its own: how tasks get in, and how
they are done."""

import os
import subprocess
import tempfile
import threading
import time

from rig import node
from rig.report import require
from rig.server import versions

KEYS = 10_000
ACCOUNTS = (f"CREATE TABLE account (k int PRIMARY KEY, changes bigint NOT NULL) WITH (fillfactor = 50);"
            f"INSERT INTO account SELECT g, 0 FROM generate_series(1, {KEYS}) g;"
            "CREATE TABLE done (sent float8 NOT NULL, at float8 NOT NULL);"
            "VACUUM ANALYZE account")
PAYLOAD = f"jsonb_build_object('k', 1 + g % {KEYS})"
SESSIONS = 2  # of the loops in the server: as many as pg_ratchet has workers

# What a task of each kind does, given its payload.
EFFECTS = {
    "noop": "SELECT 1",
    "effect": "UPDATE account SET changes = changes + 1 WHERE k = ({payload}->>'k')::int",
    "stamp": "INSERT INTO done VALUES (({payload}->>'sent')::float8, extract(epoch FROM clock_timestamp()))",
}


class Queue:
    """One side. `guarantee` is what it says of an effect in the database."""

    name = guarantee = database = ""
    kinds = ("noop", "effect")

    def __init__(self, server):
        self.server = server
        if self.database != "bench":
            server.run(f"CREATE DATABASE {self.database}", database="postgres")
        self.run(ACCOUNTS)
        self.install()

    def run(self, sql):
        self.server.run(sql, database=self.database)

    def number(self, sql):
        return self.server.number(sql, database=self.database)

    def drain(self, kind, count):
        """Puts so many tasks in, and measures how they are done."""
        self.fill(kind, count)
        self.run("VACUUM ANALYZE")
        self.server.run("CHECKPOINT", database="postgres")
        before = self.number("SELECT sum(changes) FROM account")
        self.ready(kind, count)
        meter = Meter(self.server)
        seconds, client = self.work(kind, count)
        figures = meter.read(count, seconds, client)
        made = self.number("SELECT sum(changes) FROM account") - before
        require(made == (count if kind == "effect" else 0), f"{self.name}: {count} tasks left {made:.0f} changes")
        return figures

    def ready(self, kind, count):
        """Whatever is not to be measured before the work."""


class Meter:
    """What the server uses from here on."""

    def __init__(self, server):
        self._server = server
        self._session = server.session("postgres")
        self._cpu, self._wal, self._commits = self._now()

    def _now(self):
        wal, commits = self._session.rows(
            "SELECT (SELECT wal_bytes FROM pg_stat_wal), (SELECT sum(xact_commit) FROM pg_stat_database)")[0]
        return self._server.cpu(without=[self._session.pid]), float(wal), float(commits)

    def read(self, count, seconds, client=0.0):
        spent = self._server.cpu(without=[self._session.pid]) - self._cpu
        time.sleep(1.5)  # until all have told their statistics
        _, wal, commits = self._now()
        self._session.close()
        return {"rate": count / seconds, "cpu": spent / count * 1e6, "client": client / count * 1e6,
                "wal": (wal - self._wal) / count, "commits": (commits - self._commits) / count}


class RatchetQueue(Queue):
    name, guarantee, database = "pg_ratchet", "exactly once", "bench"

    def __init__(self, ratchet):
        self.ratchet = ratchet
        super().__init__(ratchet.server)

    def install(self):
        self.ratchet.enable()
        for kind, effect in EFFECTS.items():
            self.create(kind, effect)

    def create(self, queue, effect, options=""):
        handler = effect.format(payload="$1")
        if "$1" not in handler:
            handler += " FROM (SELECT $1) p"
        self.run(f"SELECT ratchet.create_queue('{queue}', $handler${handler}$handler$, enabled => false{options})")

    def fill(self, kind, count, options="", keys=""):
        self.run(f"SELECT ratchet.enqueue_many('{kind}', array_agg({PAYLOAD}){options}{keys})"
                 f" FROM generate_series(1, {count}) g GROUP BY g / 10000 ORDER BY min(g)")

    def ready(self, kind, count):
        # It has read what is to be done.
        self.server.wait_until(f"SELECT ready + blocked >= {count} FROM ratchet.queues WHERE queue_name = '{kind}'",
                               "the tasks are ready", timeout=300)

    def work(self, kind, count):
        session = self.server.session()
        last = int(session.value("SELECT max(task_id) FROM ratchet.task"))
        began = time.monotonic()
        session.rows(f"SELECT ratchet.resume_queue('{kind}')")
        # The last ones that were put in; and then all.
        self._until_none(session, f"SELECT EXISTS (SELECT FROM ratchet.task WHERE task_id > {last - 1000})")
        self._until_none(session, f"SELECT EXISTS (SELECT FROM ratchet.task t JOIN ratchet.queue q USING (queue_id)"
                                  f" WHERE q.queue_name = '{kind}')")
        took = time.monotonic() - began
        session.rows(f"SELECT ratchet.pause_queue('{kind}')")
        session.close()
        return took, 0.0

    @staticmethod
    def _until_none(session, sql):
        end = time.monotonic() + 900
        while session.value(sql) == "t":
            require(time.monotonic() < end, "the tasks do not come to an end")
            time.sleep(0.01)


# Without retries, isolation of what fails, order or record. One UPDATE for each task, and one for all of a batch.
LOOP = """CREATE PROCEDURE {name}_{size}() LANGUAGE plpgsql AS $$
DECLARE
    payloads jsonb[];
    payload jsonb;
BEGIN
    LOOP
        WITH gone AS (DELETE FROM task WHERE id = ANY (ARRAY(
            SELECT id FROM task ORDER BY id LIMIT {size} FOR UPDATE SKIP LOCKED)) RETURNING task.payload)
        SELECT array_agg(gone.payload) INTO payloads FROM gone;
        EXIT WHEN payloads IS NULL;
        {work}
        COMMIT;
    END LOOP;
END $$"""
EACH = "FOREACH payload IN ARRAY payloads LOOP {effect}; END LOOP;"
SET_BASED = ("UPDATE account a SET changes = changes + n.n FROM (SELECT (p->>'k')::int AS k, count(*) AS n FROM unnest(payloads) p"
             " GROUP BY 1) n WHERE a.k = n.k;")


class BareLoop(Queue):
    guarantee, database = "exactly once; no retry, no isolation, no record", "bare"

    def __init__(self, server, size, set_based=False, is_first=True):
        self.name = f"bare loop, {size} per commit" + (", one UPDATE for all" if set_based else "")
        self._size, self._set_based, self._is_first = size, set_based, is_first
        self.kinds = ("effect",) if set_based else ("noop", "effect")
        self.server = server
        if is_first:
            super().__init__(server)
        else:
            self.install()

    def install(self):
        if self._is_first:
            self.run("CREATE TABLE task (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb)"
                     " WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000)")
        works = {"set": SET_BASED} if self._set_based else {
            "noop": EACH.format(effect="NULL"), "effect": EACH.format(effect=EFFECTS["effect"].format(payload="payload"))}
        for name, work in works.items():
            self.run(LOOP.format(name=name, size=self._size, work=work))

    def fill(self, kind, count):
        self.run(f"INSERT INTO task (payload) SELECT {PAYLOAD} FROM generate_series(1, {count}) g")

    def work(self, kind, count):
        name = f"{'set' if self._set_based else kind}_{self._size}"
        sessions = [self.server.session(self.database) for _ in range(SESSIONS)]
        threads = [threading.Thread(target=session.rows, args=(f"CALL {name}()",)) for session in sessions]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        for session in sessions:
            session.close()
        require(self.number("SELECT count(*) FROM task") == 0, "the loop has left tasks")
        return took, 0.0


class NodeQueue(Queue):
    guarantee = "at least once"
    script = package = ""

    def install(self):
        versions[self.package] = node.version(self.package)
        node.call(self.server, self.database, self.script, "install")

    def ready(self, kind, count):
        self.worker = node.Worker(self.server, self.database, self.script, kind, count)

    def work(self, kind, count):
        return self.worker.work()


class Graphile(NodeQueue):
    name, database, script, package = "graphile-worker, local queue of 500, 24 at once", "graphile", "graphile.mjs", "graphile-worker"

    def fill(self, kind, count):
        self.run(f"SELECT count(graphile_worker.add_job('{kind}', {PAYLOAD}::json)) FROM generate_series(1, {count}) g")


class PgBoss(NodeQueue):
    name, database, script, package = "pg-boss, 2 loops of 500", "pgboss", "pgboss.mjs", "pg-boss"

    def fill(self, kind, count):
        node.call(self.server, self.database, self.script, "fill", kind, count)


PGQ_LOOP = """CREATE PROCEDURE {name}() LANGUAGE plpgsql AS $$
DECLARE
    batch bigint;
    event record;
BEGIN
    LOOP
        batch := pgq.next_batch('{name}', 'bench');
        IF batch IS NULL THEN
            EXIT WHEN NOT {goes_on};
            COMMIT;
            PERFORM pg_sleep(0.005);
            CONTINUE;
        END IF;
        FOR event IN SELECT ev_data FROM pgq.get_batch_events(batch) LOOP
            {effect};
        END LOOP;
        PERFORM pgq.finish_batch(batch);
        COMMIT;
    END LOOP;
END $$"""


class PgQ(Queue):
    """With its ticker, and a consumer in the server: what it costs without a client."""

    name, guarantee, database = "PgQ, 1 consumer in PL/pgSQL", "exactly once, in one database; one consumer, in order of batches", "pgq"

    def install(self):
        self.run("CREATE EXTENSION pgq")
        versions["PgQ"] = self.server.value("SELECT extversion FROM pg_extension WHERE extname = 'pgq'", database="pgq")
        for kind, effect in EFFECTS.items():
            work = "NULL" if kind == "noop" else effect.format(payload="event.ev_data::jsonb")
            goes_on = "true" if kind == "stamp" else "false"
            self.run(f"SELECT pgq.create_queue('{kind}'), pgq.register_consumer('{kind}', 'bench');"
                     f"SELECT pgq.set_queue_config('{kind}', 'ticker_max_lag', '100 ms')")
            self.run(PGQ_LOOP.format(name=kind, effect=work, goes_on=goes_on))
        with tempfile.NamedTemporaryFile("w", suffix=".ini", delete=False) as file:
            file.write(f"[pgqd]\nbase_connstr = host={self.server.socket}\ninitial_database = postgres\ndatabase_list = pgq\n"
                       "syslog = 0\ncheck_period = 5\nticker_period = 0.05\nmaint_period = 60\n")
        self.ticker = subprocess.Popen([f"{os.environ['RATCHET_WORK']}/pgqd", "-q", file.name], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env=self.server.environment())

    def fill(self, kind, count):
        self.run(f"SELECT count(pgq.insert_event('{kind}', 'task', {PAYLOAD}::text)) FROM generate_series(1, {count}) g")

    def ready(self, kind, count):
        # A tick is later than the last of them.
        self.server.wait_until(f"SELECT ev_new = 0 FROM pgq.get_queue_info('{kind}')", "PgQ's ticker has seen the events",
                               database=self.database, timeout=60)

    def work(self, kind, count):
        session = self.server.session(self.database)
        began = time.monotonic()
        session.rows(f"CALL {kind}()")
        took = time.monotonic() - began
        session.close()
        return took, 0.0

    def close(self):
        self.ticker.terminate()
        self.ticker.wait()
