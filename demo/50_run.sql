\echo
\echo '-- segments before'
SELECT segment, count(*) AS partners, sum(revenue_12m) AS revenue_12m
  FROM partner GROUP BY segment ORDER BY revenue_12m DESC NULLS LAST, segment;

\echo '-- not at three, but now'
SELECT ratchet.trigger('segments') AS run_id \gset
\echo run :run_id is asked for; what is done of it so far:
\set show 'SELECT job_name, pid, items_done, items_remaining, rate, eta FROM ratchet.running WHERE run_id = ' :run_id ';'
\set QUIET on
CALL await_progress(:run_id, 0.05);
:show
CALL await_progress(:run_id, 0.35);
:show
CALL await_progress(:run_id, 0.70);
:show
CALL ratchet.wait_for(:run_id, '10 minutes');

\echo '-- segments after'
SELECT segment, count(*) AS partners, sum(revenue_12m) AS revenue_12m
  FROM partner GROUP BY segment ORDER BY revenue_12m DESC NULLS LAST, segment;
