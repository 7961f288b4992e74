-- Returns when the run has done that share of its work, or has ended. Each look is a transaction of
-- its own: a snapshot that is held would be in other people's way.

CREATE PROCEDURE await_progress(the_run bigint, share float8)
LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        EXIT WHEN EXISTS (SELECT FROM ratchet.running
                           WHERE run_id = the_run
                             AND items_done >= share * (items_done + items_remaining));
        EXIT WHEN EXISTS (SELECT FROM ratchet.runs
                           WHERE run_id = the_run AND status NOT IN ('queued', 'running'));
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
