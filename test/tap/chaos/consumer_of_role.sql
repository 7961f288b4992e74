-- A session of a role that consumes tasks.
SELECT setseed(:seed) \g /dev/null
CALL chaos.consume(30);
