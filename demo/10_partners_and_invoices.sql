-- 50 000 partners and 1 000 000 invoices of 24 months, as a company has them: few partners have most
-- of the invoices, few invoices have most of the money.
--
-- Every value follows from the row's number by arithmetic, so that each machine makes the same data.
-- frac(n * irrational) spreads evenly over [0, 1): one irrational for each thing to choose.

CREATE TABLE partner (
    partner_id   int PRIMARY KEY,
    name         text NOT NULL,
    currency     text NOT NULL DEFAULT 'EUR',
    discount     numeric(3, 2) NOT NULL DEFAULT 0,
    segment      text NOT NULL DEFAULT 'new',
    revenue_12m  numeric(14, 2) CHECK (revenue_12m >= 0),
    times_done   int NOT NULL DEFAULT 0
) WITH (fillfactor = 80);

CREATE TABLE invoice (
    invoice_id   int NOT NULL,
    partner_id   int NOT NULL,
    invoice_date date NOT NULL,
    amount       numeric(12, 2) NOT NULL
);

INSERT INTO partner (partner_id, name)
SELECT n, 'Partner ' || lpad(n::text, 5, '0')
  FROM generate_series(1, 50000) n;

INSERT INTO invoice
SELECT n,
       -- a cube: the first percent of the partners has about a fifth of the invoices
       1 + floor(50000 * who ^ 3)::int,
       DATE '2026-06-30' - floor(730 * age)::int,
       -- Pareto: half of the invoices are below 40, one in a thousand is above 5 000
       least(20 * (1 - size) ^ -0.8, 250000)::numeric(12, 2)
  FROM (SELECT n,
               n * sqrt(2::float8) - floor(n * sqrt(2::float8)) AS who,
               n * sqrt(3::float8) - floor(n * sqrt(3::float8)) AS age,
               n * sqrt(7::float8) - floor(n * sqrt(7::float8)) AS size
          FROM generate_series(1, 1000000) n) spread;

-- Three of the partners are poison: nobody noticed, until something was computed from them.
UPDATE partner SET currency = 'XXX' WHERE partner_id = 1234;
UPDATE partner SET discount = 1 WHERE partner_id = 7777;
INSERT INTO invoice VALUES (1000001, 49000, '2026-06-15', -8000000);

ALTER TABLE invoice ADD PRIMARY KEY (invoice_id);
CREATE INDEX ON invoice (partner_id, invoice_date) INCLUDE (amount);
VACUUM (ANALYZE) partner, invoice;
