\echo
\echo '-- not at three, but now'
SELECT ratchet.trigger('segments') AS run_id \gset
\echo run :run_id is asked for; what it has committed so far:
\set show 'SELECT job_name, pid, current_batch, items_done, items_remaining, items_failed, rate FROM ratchet.running WHERE run_id = ' :run_id ';'
CALL await_progress(:run_id, 0.05);
:show
CALL await_progress(:run_id, 0.30);
:show
