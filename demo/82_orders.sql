\echo
\echo '-- a shop: an order, its mail and its invoice are one transaction, and two queues do the rest'
CREATE TABLE shop_order (order_id int PRIMARY KEY, customer uuid NOT NULL DEFAULT gen_random_uuid());
CREATE TABLE order_mail (order_id int, task_id bigint);
CREATE TABLE order_invoice (order_id int, task_id bigint);

SELECT ratchet.create_queue('mails', $$INSERT INTO order_mail VALUES (($1 ->> 'order_id')::int, $2)$$) IS NOT NULL AS mails,
       ratchet.create_queue('invoices', $$INSERT INTO order_invoice SELECT (payload ->> 'order_id')::int, task_id
                                            FROM unnest($1, $2) AS task(payload, task_id)$$,
                            per => 'batch') IS NOT NULL AS invoices;

-- Each tenth transaction is rolled back, and its tasks with it.
CREATE PROCEDURE place_orders(orders int)
LANGUAGE plpgsql AS $$
BEGIN
    FOR id IN 1 .. orders LOOP
        INSERT INTO shop_order VALUES (id);
        PERFORM ratchet.enqueue('mails', jsonb_build_object('order_id', id));
        PERFORM ratchet.enqueue('invoices', jsonb_build_object('order_id', id));
        IF id % 50 = 0 THEN
            IF id % 500 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
        END IF;
    END LOOP;
END $$;

-- Until then the tasks wait, so that there is a middle in which the server can be killed.
SELECT ratchet.pause_queue('mails'), ratchet.pause_queue('invoices');
CALL place_orders(40000);
SELECT queue_name, ready, running FROM ratchet.queues ORDER BY queue_name;
SELECT ratchet.resume_queue('mails'), ratchet.resume_queue('invoices');

CREATE PROCEDURE await_rows(of_table regclass, enough bigint)
LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    FOR look IN 1 .. 30000 LOOP
        EXECUTE format('SELECT count(*) FROM %s', of_table) INTO found;
        EXIT WHEN found >= enough;
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
CALL await_rows('order_mail', 2000);
