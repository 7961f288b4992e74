-- Every partner's customer segment from its revenue of the last 12 months. A slice of partners is one
-- transaction: locks are short, and what is done stays done when the run is cut.

CREATE PROCEDURE segment_partners(slice int DEFAULT 1000, as_of date DEFAULT '2026-07-01')
LANGUAGE plpgsql AS $$
DECLARE
    total   bigint := (SELECT count(*) FROM partner);
    done    bigint := 0;
    reached int := 0;
    upto    int;
    size    int;
BEGIN
    LOOP
        SELECT max(partner_id), count(*) INTO upto, size
          FROM (SELECT partner_id FROM partner WHERE partner_id > reached
                 ORDER BY partner_id LIMIT slice) next;
        EXIT WHEN size = 0;

        UPDATE partner p
           SET revenue_12m = r.revenue,
               segment = CASE WHEN r.revenue >= 100000 THEN 'key account'
                              WHEN r.revenue >= 10000 THEN 'large'
                              WHEN r.revenue >= 1000 THEN 'medium'
                              WHEN r.revenue > 0 THEN 'small'
                              ELSE 'inactive' END,
               segmented_at = clock_timestamp()
          FROM (SELECT c.partner_id, coalesce(sum(i.amount), 0) AS revenue
                  FROM partner c
                  LEFT JOIN invoice i ON i.partner_id = c.partner_id
                       AND i.invoice_date >= as_of - interval '12 months' AND i.invoice_date < as_of
                 WHERE c.partner_id > reached AND c.partner_id <= upto
                 GROUP BY c.partner_id) r
         WHERE p.partner_id = r.partner_id;

        reached := upto;
        done := done + size;
        PERFORM ratchet.progress(done, total - done);
        COMMIT;
    END LOOP;
END $$;
