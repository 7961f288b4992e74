SELECT count(*) AS orders FROM shop_order \gset
CALL await_rows('order_mail', :orders);
CALL await_rows('order_invoice', :orders);
\echo
\echo '-- stretches of work on the queues: those that were killed, and those that went on'
SELECT run_id, job_name, status, items_done, batches, duration FROM ratchet.runs WHERE cause = 'queue' ORDER BY run_id;

\pset tuples_only on
\pset format unaligned
SELECT promise('orders were placed, and some were rolled back', (SELECT count(*) BETWEEN 1 AND 39999 FROM shop_order));
SELECT promise('the server was killed in the middle of the work', EXISTS (SELECT FROM ratchet.runs WHERE cause = 'queue' AND status = 'crashed'));
SELECT promise('each order has exactly one mail, and nothing else has',
             (SELECT count(*) = 0 FROM shop_order o FULL JOIN (SELECT order_id, count(*) FROM order_mail GROUP BY order_id) m USING (order_id)
               WHERE o.order_id IS NULL OR m.count IS DISTINCT FROM 1));
SELECT promise('each order has exactly one invoice, and nothing else has',
             (SELECT count(*) = 0 FROM shop_order o FULL JOIN (SELECT order_id, count(*) FROM order_invoice GROUP BY order_id) i USING (order_id)
               WHERE o.order_id IS NULL OR i.count IS DISTINCT FROM 1));
SELECT promise('no task is left', NOT EXISTS (SELECT FROM ratchet.tasks WHERE queue_name IN ('mails', 'invoices')));
SELECT promise('no task has failed', NOT EXISTS (SELECT FROM ratchet.tasks WHERE state = 'dead'));
