"""Sources whose rows are not stored in the order of the key, and their walks: by hand, and as a batch job."""

from dataclasses import dataclass

from rig.report import require

SIZE = 500
HOUR = "1 hour"


@dataclass(frozen=True)
class Source:
    shown: str
    tables: str           # SQL that makes and fills them; {rows}: how many
    query: str
    key: tuple            # its columns
    types: tuple          # theirs
    first: tuple          # SQL of values before all others
    share: float = 1.0    # of the rows that are items


PLAIN = "CREATE TABLE walked (id {type} PRIMARY KEY, pad text) WITH (autovacuum_enabled = off);"

SOURCES = {
    "in order": Source(
        "bigint key, stored in its order",
        PLAIN.format(type="bigint") + "INSERT INTO walked SELECT g, md5(g::text) FROM generate_series(1, {rows}) g;",
        "SELECT id, pad FROM walked", ("id",), ("bigint",), ("0",)),
    "uuid": Source(
        "uuid key",
        PLAIN.format(type="uuid") + "INSERT INTO walked SELECT gen_random_uuid(), md5(g::text) FROM generate_series(1, {rows}) g;",
        "SELECT id, pad FROM walked", ("id",), ("uuid",), ("'00000000-0000-0000-0000-000000000000'",)),
    "text": Source(
        "text key, collation en-US of ICU",
        PLAIN.format(type='text COLLATE "en-US-x-icu"') +
        "INSERT INTO walked SELECT md5(g::text), md5(g::text || 'x') FROM generate_series(1, {rows}) g;",
        "SELECT id, pad FROM walked", ("id",), ("text",), ("''",)),
    "shuffled": Source(
        "integer key, stored at random",
        PLAIN.format(type="int") +
        "INSERT INTO walked SELECT g, md5(g::text) FROM generate_series(1, {rows}) g ORDER BY md5(g::text || 'x');",
        "SELECT id, pad FROM walked", ("id",), ("int",), ("0",)),
    "two columns": Source(
        "key of two columns, stored at random",
        "CREATE TABLE walked (a int, b int, pad text, PRIMARY KEY (a, b)) WITH (autovacuum_enabled = off);"
        "INSERT INTO walked SELECT g / 7, g % 7, md5(g::text) FROM generate_series(1, {rows}) g ORDER BY md5(g::text || 'x');",
        "SELECT a, b, pad FROM walked", ("a", "b"), ("int", "int"), ("-1", "-1")),
    "condition": Source(
        "uuid key, a condition leaves out 96 %",
        PLAIN.format(type="uuid") + "INSERT INTO walked SELECT gen_random_uuid(), CASE WHEN g % 25 = 0 THEN 'new' ELSE 'done ' || g END"
        " FROM generate_series(1, {rows}) g;",
        "SELECT id FROM walked WHERE left(pad, 3) = 'new'", ("id",), ("uuid",),
        ("'00000000-0000-0000-0000-000000000000'",), share=0.04),
    "join": Source(
        "join with a table of 5 000 rows, bigint key",
        "CREATE TABLE walked (id bigint PRIMARY KEY, customer int, pad text) WITH (autovacuum_enabled = off);"
        "CREATE TABLE customer (id int PRIMARY KEY, name text) WITH (autovacuum_enabled = off);"
        "INSERT INTO customer SELECT g, md5(g::text) FROM generate_series(1, 5000) g;"
        "INSERT INTO walked SELECT g, 1 + (hashint4(g) & 4095), md5(g::text) FROM generate_series(1, {rows}) g;",
        "SELECT w.id, c.name FROM walked w JOIN customer c ON c.id = w.customer", ("id",), ("bigint",), ("0",)),
    "partitions": Source(
        "uuid key, eight partitions by hash",
        "CREATE TABLE walked (id uuid PRIMARY KEY, pad text) PARTITION BY HASH (id);"
        "SELECT format('CREATE TABLE walked_%s PARTITION OF walked FOR VALUES WITH (MODULUS 8, REMAINDER %s)"
        " WITH (autovacuum_enabled = off)', n, n) FROM generate_series(0, 7) n \\gexec\n"
        "INSERT INTO walked SELECT gen_random_uuid(), md5(g::text) FROM generate_series(1, {rows}) g;",
        "SELECT id, pad FROM walked", ("id",), ("uuid",), ("'00000000-0000-0000-0000-000000000000'",)),
}

# As good as we could write it: the bound and the limit in one statement, whose plan PL/pgSQL keeps.
BY_HAND = """
CREATE PROCEDURE by_hand() LANGUAGE plpgsql AS $$
DECLARE
    {declared};
    item record;
    done_here bigint;
BEGIN
    LOOP
        done_here := 0;
        FOR item IN SELECT * FROM ({query}) s WHERE {behind} ORDER BY {key} LIMIT {size} LOOP
            PERFORM item.{first_column};
            {remember};
            done_here := done_here + 1;
        END LOOP;
        EXIT WHEN done_here = 0;
        UPDATE walk SET last = {last}, done = done + done_here, saved_at = clock_timestamp();
        COMMIT;
    END LOOP;
END $$;
"""


def by_hand(source):
    names = [f"behind_{column}" for column in source.key]
    columns, bounds = ", ".join(source.key), ", ".join(names)
    return BY_HAND.format(
        declared="; ".join(f"{name} {kind} := {first}" for name, kind, first in zip(names, source.types, source.first)),
        query=source.query, key=columns, size=SIZE, first_column=source.key[0],
        behind=f"{columns} > {bounds}" if len(names) == 1 else f"({columns}) > ({bounds})",
        remember="; ".join(f"{name} := item.{column}" for name, column in zip(names, source.key)),
        last=" || ' ' || ".join(f"{name}::text" for name in names))


class Walked:
    """The tables of one source, and a batch job and a procedure that walk them."""

    def __init__(self, ratchet, source, rows, analyzed):
        self._server, self._source = ratchet.server, source
        self.items = int(rows * source.share)
        self._server.run("SELECT count(ratchet.unschedule(job_name)) FROM ratchet.jobs;"
                         "DROP TABLE IF EXISTS walked, customer, walk; DROP PROCEDURE IF EXISTS by_hand();"
                         "CREATE TABLE walk (last text, done bigint NOT NULL, saved_at timestamptz) WITH (fillfactor = 50);"
                         "INSERT INTO walk VALUES (NULL, 0, NULL);"
                         + source.tables.replace("{rows}", str(rows)) + by_hand(source))
        self._server.run("VACUUM (FREEZE, ANALYZE)" if analyzed else "CHECKPOINT")
        # Pages are looked at for the first time, and hint bits are set, before anything is measured.
        self._server.run("SELECT count(*) FROM walked; CHECKPOINT")
        self._server.run(f"SELECT ratchet.schedule_batch('bench', '@manual', $q${source.query}$q$, 'SELECT $1',"
                         f" key => '{{{','.join(source.key)}}}', batch_size => {SIZE})")

    def measure(self, side):
        """CPU of the whole server per item, in microseconds."""
        session = self._server.session()
        if side == "no sort":
            session.rows("SET enable_sort = off")
        spent, run_id = self._server.cpu(), None
        if side == "job":
            run_id = session.value("SELECT ratchet.trigger('bench')")
            status = session.value(f"CALL ratchet.wait_for({run_id}, '{HOUR}')")
            require(status == "succeeded", f"{self._source.shown}: the run is {status}")
        else:
            session.rows("UPDATE walk SET done = 0; CALL by_hand()")
        spent = self._server.cpu() - spent
        done = session.value("SELECT done FROM walk" if run_id is None else
                             f"SELECT items_done FROM ratchet.runs WHERE run_id = {run_id}")
        session.close()
        require(int(done) == self.items, f"{self._source.shown}, {side}: {done} of {self.items} items were done")
        return spent / self.items * 1e6
