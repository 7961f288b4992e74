#!/usr/bin/env python3
# Prints the labels of parcels: consumer.py QUEUE. The connection is that of PGHOST, PGDATABASE and so on.
import os
import random
import signal
import sys
import threading
import time

import psycopg

QUEUE = sys.argv[1]
LEASE = float(os.environ.get("LEASE", 30))  # seconds
Stale = psycopg.errors.ObjectNotInPrerequisiteState  # 55000

stopping = threading.Event()
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stopping.set())


def connect():
    # A PgBouncer before 1.21 knows no prepared statements.
    return psycopg.connect("", autocommit=True, prepare_threshold=None)


def print_label(payload):
    """The work: it takes as long as it takes, and is in no transaction."""
    time.sleep(payload.get("seconds", 0))
    if not payload.get("address"):
        raise ValueError(f"parcel {payload['parcel']} has no address")
    return f"To {payload['address']}"


def keep(task_id, token, done):
    """Prolongs the lease until the work is done."""
    while not done.wait(LEASE / 3):
        try:
            with connect() as conn:
                conn.execute("SELECT ratchet.extend(%s, %s, make_interval(secs => %s))", (task_id, token, LEASE))
        except Stale:
            return  # complete() will say so as well
        except psycopg.OperationalError:
            pass  # the next time


def has_committed(xid):
    """What became of a COMMIT whose answer was lost."""
    while True:
        try:
            with connect() as conn:
                status = conn.execute("SELECT pg_xact_status(%s::xid8)", (xid,)).fetchone()[0]
            if status != "in progress":
                return status == "committed"
        except psycopg.OperationalError:
            pass  # the server is away
        time.sleep(0.2 + random.random())


def complete(task_id, token, payload, label):
    """The effect and the completion in one transaction; again when the connection was lost before it had committed."""
    while True:
        xid = None
        try:
            with connect() as conn, conn.transaction():
                conn.execute("INSERT INTO label VALUES (%s, %s)", (payload["parcel"], label))
                xid = conn.execute("SELECT pg_current_xact_id()::text, ratchet.complete(%s, %s)", (task_id, token)).fetchone()[0]
            return
        except Stale:  # psycopg counts it among the operational ones
            raise
        except psycopg.OperationalError:
            if xid is not None and has_committed(xid):
                return
            time.sleep(0.2 + random.random())


def consume(conn):
    task = conn.execute(
        "SELECT task_id, token, payload FROM ratchet.claim(%s, lease => make_interval(secs => %s), wait => '3 seconds')",
        (QUEUE, LEASE)).fetchone()
    if task is None:
        return
    task_id, token, payload = task
    done = threading.Event()
    keeper = threading.Thread(target=keep, args=(task_id, token, done))
    keeper.start()
    try:
        complete(task_id, token, payload, print_label(payload))
    except Stale as error:
        print(f"{error.diag.message_primary}: its effect is rolled back", file=sys.stderr)
    except psycopg.OperationalError:
        raise
    except Exception as error:  # of the work, or of what it has to write
        conn.execute("SELECT ratchet.fail(%s, %s, %s)", (task_id, token, str(error)))
    finally:
        done.set()
        keeper.join()


conn = None
while not stopping.is_set():
    try:
        conn = conn or connect()
        consume(conn)
    except (psycopg.OperationalError, Stale) as error:
        print(error, file=sys.stderr)
        conn = None
        stopping.wait(0.2 + random.random())
