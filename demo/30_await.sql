-- Waiting, without sleeping for longer than a look takes. Each look is a transaction of its own: a
-- snapshot that is held would be in other people's way.

-- Returns when the run has done that share of its work, or has ended.
CREATE PROCEDURE await_progress(the_run bigint, share float8)
LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        EXIT WHEN EXISTS (SELECT FROM ratchet.running
                           WHERE run_id = the_run
                             AND walk_done >= share * (walk_done + items_remaining));
        EXIT WHEN EXISTS (SELECT FROM ratchet.runs
                           WHERE run_id = the_run AND status NOT IN ('queued', 'running'));
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;

-- Returns when nothing of the job is left to run.
CREATE PROCEDURE await_end(the_job text)
LANGUAGE plpgsql AS $$
BEGIN
    FOR look IN 1 .. 30000 LOOP
        EXIT WHEN NOT EXISTS (SELECT FROM ratchet.runs
                               WHERE job_name = the_job AND status IN ('queued', 'running'))
              AND EXISTS (SELECT FROM ratchet.runs
                           WHERE job_name = the_job AND status IN ('succeeded', 'failed'));
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
