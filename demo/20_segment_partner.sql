-- A partner's customer segment from its revenue of the last 12 months in euros. It knows nothing of
-- batches, of transactions and of errors: that is the job's part.

CREATE TABLE exchange_rate (
    currency text PRIMARY KEY,
    in_euros numeric NOT NULL
);
INSERT INTO exchange_rate VALUES ('EUR', 1), ('USD', 0.92), ('CHF', 1.05);

CREATE FUNCTION in_euros(amount numeric, the_currency text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
DECLARE
    rate numeric := (SELECT r.in_euros FROM exchange_rate r WHERE r.currency = the_currency);
BEGIN
    IF rate IS NULL THEN
        RAISE EXCEPTION 'no exchange rate for %', the_currency;
    END IF;
    RETURN amount * rate;
END $$;

CREATE FUNCTION segment_partner(the_partner int, as_of date DEFAULT '2026-07-01') RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    turnover numeric := (SELECT coalesce(sum(amount), 0) FROM invoice
                          WHERE partner_id = the_partner
                            AND invoice_date >= as_of - interval '12 months' AND invoice_date < as_of);
    revenue  numeric := (SELECT in_euros(turnover, currency) / (1 - discount) FROM partner
                          WHERE partner_id = the_partner);
BEGIN
    UPDATE partner
       SET revenue_12m = revenue,
           segment = CASE WHEN revenue >= 100000 THEN 'key account'
                          WHEN revenue >= 10000 THEN 'large'
                          WHEN revenue >= 1000 THEN 'medium'
                          WHEN revenue > 0 THEN 'small'
                          ELSE 'inactive' END,
           times_done = times_done + 1
     WHERE partner_id = the_partner;
END $$;
