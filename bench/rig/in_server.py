"""Transactions in the server itself, without a client: what a background worker could do."""

import time

from rig.server import process_seconds

LOG = ("CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id bigint, status text,"
       " started timestamptz, finished timestamptz)")
INSERT = ("INSERT INTO log (job_id, status, started, finished)"
          " VALUES (1, 'succeeded', clock_timestamp(), clock_timestamp());")

LOOP = """CREATE PROCEDURE {name}(times int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..times LOOP
        {work}
        COMMIT;
    END LOOP;
END $$"""

# What is shown, the work of a transaction, how many of them, synchronous_commit.
TRANSACTIONS = {
    "empty": ("empty transaction", "", 200_000, "off"),
    "select": ("`SELECT 1` in its own transaction", "PERFORM 1;", 100_000, "off"),
    "insert_async": ("insert of one row, asynchronous commit", INSERT, 50_000, "off"),
    "insert_sync": ("insert of one row, synchronous commit", INSERT, 2_000, "on"),
}


def prepare(server):
    server.run(LOG)
    for name, (_, work, _, _) in TRANSACTIONS.items():
        server.run(LOOP.format(name=f"bench_{name}", work=work))


def transactions(server, name):
    """Makes them; returns transactions per second, and CPU µs of the whole server for each."""
    _, _, times, durable = TRANSACTIONS[name]
    session = server.session()
    session.rows(f"SET synchronous_commit = {durable}; CALL bench_{name}(100)")
    others = sum(process_seconds(pid) for pid in server.processes() if pid != session.pid)
    spent, started = process_seconds(session.pid), time.monotonic()
    session.rows(f"CALL bench_{name}({times})")
    took, spent = time.monotonic() - started, process_seconds(session.pid) - spent
    spent += sum(process_seconds(pid) for pid in server.processes() if pid != session.pid) - others
    session.close()
    return {"rate": times / took, "cpu": spent / times * 1e6}
