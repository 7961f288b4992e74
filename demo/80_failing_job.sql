\echo
\echo '-- a job that fails: the error is in the record, and nobody else notices'
SELECT ratchet.schedule('broken', '@manual', 'SELECT amount / 0 FROM invoice LIMIT 1') AS job_id;
SELECT ratchet.trigger('broken') AS run_id \gset
CALL ratchet.wait_for(:run_id);
\x on
SELECT run_id, job_name, status, sqlstate, error, error_context FROM ratchet.runs WHERE run_id = :run_id;
\x off
