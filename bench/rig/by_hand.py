"""The work of the benchmark batch, and how people do it by hand: procedures as good as we could write them."""

# About 20 µs of PL/pgSQL. An item without an amount fails at the end of it.
WORK = """
CREATE FUNCTION recompute(amount int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    value bigint := amount;
BEGIN
    FOR i IN 1..500 LOOP
        value := (value * 31 + i) % 1000003;
    END LOOP;
    IF amount = 0 THEN
        RAISE EXCEPTION 'the item has no amount';
    END IF;
    RETURN value;
END $$;
CREATE TABLE item (id int PRIMARY KEY, amount int NOT NULL, value bigint, changes int NOT NULL)
    WITH (autovacuum_enabled = off);
CREATE FUNCTION renew(which int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE item SET value = recompute(amount), changes = changes + 1 WHERE id = which;
END $$;
CREATE TABLE walk (last_id int NOT NULL, done bigint NOT NULL, failed bigint NOT NULL, saved_at timestamptz)
    WITH (fillfactor = 50);
CREATE TABLE walk_failed (id int PRIMARY KEY, sqlstate text NOT NULL, error text NOT NULL, attempts int NOT NULL,
    failed_at timestamptz NOT NULL);
"""

# Bad items are spread by a hash, so that they do not keep time with the batches.
RESET = """
TRUNCATE item, walk, walk_failed;
INSERT INTO walk VALUES (0, 0, 0, NULL);
INSERT INTO item SELECT g, CASE WHEN (hashint4(g) & 1048575) < {bad} * 1048576 THEN 0 ELSE g END, NULL, 0
  FROM generate_series(1, {rows}) g;
VACUUM (FREEZE, ANALYZE) item;
CHECKPOINT;
"""

UPDATE = "UPDATE item SET value = recompute(amount), changes = changes + 1"

OF_SLICE = ("UPDATE item SET value = recompute(item.amount), changes = item.changes + 1"
            " FROM unnest($1) AS slice (id) WHERE item.id = slice.id")

# What one item is done by.
BY_STATEMENT = UPDATE + " WHERE id = item_id"
BY_FUNCTION = "PERFORM renew(item_id)"

ONE_UPDATE = f"""
CREATE PROCEDURE {{name}}() LANGUAGE plpgsql AS $$
BEGIN
    {UPDATE};
END $$"""

# By a range of keys: measured, the cheapest of all.
BY_RANGE = f"""
CREATE PROCEDURE {{name}}() LANGUAGE plpgsql AS $$
DECLARE
    behind int;
    upto int;
    changed bigint;
BEGIN
    SELECT last_id INTO behind FROM walk;
    LOOP
        SELECT max(id) INTO upto FROM (SELECT id FROM item WHERE id > behind ORDER BY id LIMIT {{size}}) slice;
        EXIT WHEN upto IS NULL;
        {UPDATE} WHERE id > behind AND id <= upto;
        GET DIAGNOSTICS changed = ROW_COUNT;
        UPDATE walk SET last_id = upto, done = done + changed, saved_at = clock_timestamp();
        COMMIT;
        behind := upto;
    END LOOP;
END $$"""

# By the keys themselves, as it has to be for a source that is more than one table's rows; the same
# statement as that of the batch job.
BY_SLICE = f"""
CREATE PROCEDURE {{name}}() LANGUAGE plpgsql AS $$
DECLARE
    behind int;
    slice_ids int[];
    changed bigint;
BEGIN
    SELECT last_id INTO behind FROM walk;
    LOOP
        slice_ids := ARRAY(SELECT id FROM item WHERE id > behind ORDER BY id LIMIT {{size}});
        EXIT WHEN slice_ids = '{{{{}}}}';
        {OF_SLICE.replace("$1", "slice_ids")};
        GET DIAGNOSTICS changed = ROW_COUNT;
        behind := slice_ids[cardinality(slice_ids)];
        UPDATE walk SET last_id = behind, done = done + changed, saved_at = clock_timestamp();
        COMMIT;
    END LOOP;
END $$"""

ITEM_BY_ITEM = """
CREATE PROCEDURE {name}() LANGUAGE plpgsql AS $$
DECLARE
    behind int;
    item_id int;
    done_here bigint;
    failed_here bigint;
BEGIN
    SELECT last_id INTO behind FROM walk;
    LOOP
        done_here := 0;
        failed_here := 0;
        FOR item_id IN SELECT id FROM item WHERE id > behind ORDER BY id LIMIT {size} LOOP
            {one}
            behind := item_id;
        END LOOP;
        EXIT WHEN done_here + failed_here = 0;
        UPDATE walk SET last_id = behind, done = done + done_here, failed = failed + failed_here,
            saved_at = clock_timestamp();
        COMMIT;
    END LOOP;
END $$"""

PLAIN = """{work};
            done_here := done_here + 1;"""

SUBTRANSACTION = """BEGIN
                {work};
                done_here := done_here + 1;
            EXCEPTION WHEN OTHERS THEN
                INSERT INTO walk_failed AS f VALUES (item_id, SQLSTATE, SQLERRM, 1, clock_timestamp())
                    ON CONFLICT (id) DO UPDATE SET sqlstate = excluded.sqlstate, error = excluded.error,
                        attempts = f.attempts + 1, failed_at = excluded.failed_at;
                failed_here := failed_here + 1;
            END;"""

# The loop that people write first. Over all rows it reads all that it has passed, again and again; over
# the rows that are not done yet, it steps over as many of them as it has just done.
OFFSET = f"""
CREATE PROCEDURE {{name}}() LANGUAGE plpgsql AS $$
DECLARE
    passed bigint := 0;
    changed bigint;
BEGIN
    LOOP
        {UPDATE} WHERE id IN (SELECT id FROM item {{which}} ORDER BY id OFFSET passed LIMIT {{size}});
        GET DIAGNOSTICS changed = ROW_COUNT;
        EXIT WHEN changed = 0;
        passed := passed + {{size}};
        COMMIT;
    END LOOP;
END $$"""


def procedures(size):
    """Procedures with batches of this size: their text by name."""
    def items(one, work):
        return ITEM_BY_ITEM.replace("{one}", one.replace("{work}", work))

    texts = {
        "one_update": ONE_UPDATE,
        "by_range": BY_RANGE,
        "by_slice": BY_SLICE,
        "by_item": items(PLAIN, BY_STATEMENT),
        "by_function": items(PLAIN, BY_FUNCTION),
        "by_item_caught": items(SUBTRANSACTION, BY_STATEMENT),
        "by_function_caught": items(SUBTRANSACTION, BY_FUNCTION),
        "by_offset": OFFSET.replace("{which} ", ""),
        "by_offset_of_rest": OFFSET.replace("{which}", "WHERE value IS NULL"),
    }
    return {f"{name}_{size}": text.format(name=f"{name}_{size}", size=size) for name, text in texts.items()}
