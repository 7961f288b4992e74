CALL await_end('segments');
\echo
\echo '-- the run that was killed, and the one that went on behind its last batch'
SELECT run_id, cause, status, checkpoint_from, checkpoint_to, batches, items_done, items_failed, duration
  FROM ratchet.runs WHERE job_name = 'segments' ORDER BY run_id;

\echo '-- how often each partner was done'
SELECT times_done, count(*) AS partners FROM partner GROUP BY times_done ORDER BY times_done;

\echo '-- those that failed: alone, while their neighbours committed'
SELECT run_id, item, sqlstate, error FROM ratchet.failed_items WHERE job_name = 'segments' ORDER BY item_id;

SELECT min(run_id) AS killed, max(run_id) AS last FROM ratchet.runs WHERE job_name = 'segments' \gset
\pset tuples_only on
\pset format unaligned
SELECT promise('a run was killed, and one went on',
             (SELECT array_agg(status ORDER BY run_id) = '{crashed,succeeded}' FROM ratchet.runs
               WHERE job_name = 'segments'));
SELECT promise('every partner was done exactly once, but for the poisoned three',
             (SELECT array_agg(partner_id ORDER BY partner_id) = '{1234,7777,49000}'
                     AND bool_and(times_done = 0)
                FROM partner WHERE times_done <> 1));
SELECT promise('these three are in ratchet.failed_items',
             (SELECT array_agg((key ->> 'partner_id')::int ORDER BY item_id) = '{1234,7777,49000}'
                FROM ratchet.failed_items WHERE job_name = 'segments'));
SELECT promise('it went on exactly where the other one had ended, and not at the beginning',
             (SELECT k.checkpoint_to = l.checkpoint_from AND k.batches > 0 AND l.batches > 0
                FROM ratchet.runs k, ratchet.runs l WHERE k.run_id = :killed AND l.run_id = :last));
SELECT promise('the records account for every partner',
             (SELECT sum(items_done) = 49997 AND sum(items_failed) = 3
                FROM ratchet.runs WHERE job_name = 'segments'));
