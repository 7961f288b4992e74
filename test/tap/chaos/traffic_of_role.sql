-- A session of a role that owns jobs: traffic, and now and then a run in the foreground.
SELECT setseed(:seed) \g /dev/null
CALL chaos.traffic(12);
SELECT format('CALL ratchet.run(%L)', job_name) FROM ratchet.jobs
 WHERE job_name LIKE 'here%' AND owner = session_user::regrole ORDER BY random() LIMIT 1 \gexec
