\echo
\echo '-- the poisoned partners are mended, and only they are done again'
\set ECHO queries
INSERT INTO exchange_rate VALUES ('XXX', 0.5);
UPDATE partner SET discount = 0.1 WHERE partner_id = 7777;
UPDATE invoice SET amount = 80 WHERE invoice_id = 1000001;

SELECT ratchet.replay(run_id, only_failed => true) AS replay
  FROM (SELECT DISTINCT run_id FROM ratchet.failed_items
         WHERE job_name = 'segments' AND resolved_at IS NULL) failed;
\set ECHO none
CALL await_end('segments');
SELECT run_id, cause, status, replay_of, items_done, items_failed
  FROM ratchet.runs WHERE job_name = 'segments' AND cause = 'replay' ORDER BY run_id;
SELECT item, error, attempts, resolved_by FROM ratchet.failed_items WHERE job_name = 'segments' ORDER BY item_id;

\echo '-- segments'
SELECT segment, count(*) AS partners, sum(revenue_12m) AS revenue_12m
  FROM partner GROUP BY segment ORDER BY revenue_12m DESC NULLS LAST, segment;

\pset tuples_only on
\pset format unaligned
SELECT promise('every partner was done exactly once', (SELECT bool_and(times_done = 1) FROM partner));
SELECT promise('no failed item is left',
             (SELECT bool_and(resolved_at IS NOT NULL) FROM ratchet.failed_items));
