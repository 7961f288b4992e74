"""Ways to do the same work on all rows of a table, in batches: by hand, and as a batch job."""

import threading
import time
from dataclasses import dataclass

from rig import by_hand
from rig.report import BenchmarkFailed, require

HOUR = "1 hour"
SAMPLE = 0.002  # seconds between two looks at how long the transaction has lasted


@dataclass(frozen=True)
class Side:
    shown: str
    procedure: str = ""  # of by_hand
    per: str = ""        # else a batch job
    action: str = ""
    misses_rows: bool = False


SIDES = {
    "one update": Side("one UPDATE", "one_update"),
    "range": Side("by hand, UPDATE of a range of keys per batch", "by_range"),
    "slice": Side("by hand, UPDATE … FROM slice per batch", "by_slice"),
    "item": Side("by hand, UPDATE per row", "by_item"),
    "function": Side("by hand, function per row", "by_function"),
    "item caught": Side("the same, UPDATE in BEGIN … EXCEPTION", "by_item_caught"),
    "function caught": Side("the same, function in BEGIN … EXCEPTION", "by_function_caught"),
    "offset": Side("OFFSET over all rows", "by_offset"),
    "offset of rest": Side("OFFSET over the rows that are not done", "by_offset_of_rest", misses_rows=True),
    "r-batch": Side("pg_ratchet, `per => 'batch'`", per="batch", action=by_hand.OF_SLICE),
    "r-item": Side("pg_ratchet, `per => 'item'`, UPDATE", per="item", action=by_hand.UPDATE + " WHERE id = $1"),
    "r-function": Side("pg_ratchet, `per => 'item'`, function", per="item", action="SELECT renew($1)"),
}


class LongestTransaction:
    """Looks every 2 ms how long the transaction has lasted in which the work is done."""

    def __init__(self, server, of):
        self._session = server.session()
        self._query = ("SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)"
                       f" FROM pg_stat_get_activity(NULL) WHERE {of}")
        self._longest, self._ends, self._error = 0.0, threading.Event(), None
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.pid = self._session.pid

    def _watch(self):
        try:
            while not self._ends.wait(SAMPLE):
                self._longest = max(self._longest, float(self._session.value(self._query)))
        except (BenchmarkFailed, OSError, ValueError) as error:
            self._error = error

    def start(self):
        self._thread.start()

    def milliseconds(self):
        self._ends.set()
        self._thread.join()
        self._session.close()
        require(self._error is None, f"the transactions could not be watched: {self._error}")
        return self._longest * 1e3


class Table:
    """The table that all sides work on, in a server with pg_ratchet."""

    def __init__(self, ratchet, sizes_of_batches):
        self._ratchet, self._server = ratchet, ratchet.server
        self._server.run(by_hand.WORK)
        for size in sizes_of_batches:
            for text in by_hand.procedures(size).values():
                self._server.run(text)

    def reset(self, rows, bad):
        # The items that failed are forgotten on either side: no run has to do with those of another.
        self._server.run("SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs; TRUNCATE ratchet.failed_item;" +
                         by_hand.RESET.format(rows=rows, bad=bad))

    def measure(self, name, rows, bad=0.0, size=500):
        """Does the work once, on a fresh table; bad: share of rows that fail."""
        side = SIDES[name]
        self.reset(rows, bad)
        session = self._server.session()
        if side.procedure:
            watch = LongestTransaction(self._server, f"pid = {session.pid}")
        else:
            session.rows(f"SELECT ratchet.schedule_batch('bench', '@manual', 'SELECT id FROM item', $${side.action}$$,"
                         f" key => '{{id}}', per => '{side.per}', batch_size => {size})")
            watch = LongestTransaction(self._server, "backend_type = 'pg_ratchet worker'")
        run_id, status = None, "succeeded"
        written = session.value("SELECT pg_current_wal_insert_lsn()")
        watch.start()
        spent, started = self._server.cpu(without=[watch.pid]), time.monotonic()
        if side.procedure:
            session.rows(f"CALL {side.procedure}_{size}()")
        else:
            run_id = session.value("SELECT ratchet.trigger('bench')")
            status = session.value(f"CALL ratchet.wait_for({run_id}, '{HOUR}')")
        wall, spent = time.monotonic() - started, self._server.cpu(without=[watch.pid]) - spent
        longest = watch.milliseconds()
        wal = float(session.value(f"SELECT pg_current_wal_insert_lsn() - '{written}'"))
        session.close()
        if run_id is not None:
            self._check_run(run_id, status)
        done = self._check_rows(side, rows, run_id)
        return {"wall": wall, "cpu": spent / rows * 1e6, "wal": wal / rows, "longest": longest, "done": done / rows}

    def _check_run(self, run_id, status):
        why = self._server.value(f"SELECT coalesce(error, reason, '?') FROM ratchet.runs WHERE run_id = {run_id}")
        require(status == "succeeded", f"the run of the batch job is {status}: {why}")

    def _check_rows(self, side, rows, run_id):
        """Every good row was changed once and every bad one is recorded. Returns how many were changed."""
        good, bad, once, more = (int(x) for x in self._server.rows(
            "SELECT count(*) FILTER (WHERE amount <> 0), count(*) FILTER (WHERE amount = 0),"
            " count(*) FILTER (WHERE amount <> 0 AND changes = 1 AND value IS NOT NULL),"
            " count(*) FILTER (WHERE changes > CASE WHEN amount = 0 THEN 0 ELSE 1 END) FROM item")[0])
        require(good + bad == rows, f"the table has {good + bad} rows")
        require(more == 0, f"{side.shown}: {more} rows were changed more than once, or although they are bad")
        if not side.misses_rows:
            require(once == good, f"{side.shown}: {once} of {good} good rows were changed")
        if run_id is not None:
            done, failed, listed = (int(x) for x in self._server.rows(
                "SELECT items_done, items_failed, (SELECT count(*) FROM ratchet.failed_item f WHERE f.run_id = r.run_id)"
                f" FROM ratchet.run_log r WHERE run_id = {run_id}")[0])
            require((done, failed, listed) == (good, bad, bad),
                    f"{side.shown}: {good} good and {bad} bad rows; its record says {done} and {failed}, and lists {listed}")
        elif "caught" in side.procedure:
            failed = self._server.number("SELECT count(*) FROM walk_failed JOIN item USING (id) WHERE amount = 0")
            require(failed == bad, f"{side.shown}: {bad} bad rows, {failed:.0f} are listed")
        return once
