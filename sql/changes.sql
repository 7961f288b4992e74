-- What ratchet.changes says of each function that defines, alters or drops jobs and queues.
SET client_min_messages = warning;
SET TIME ZONE 'UTC';
CREATE ROLE ratchet_keeper LOGIN;
CREATE ROLE ratchet_helper LOGIN IN ROLE ratchet_keeper;
GRANT USAGE ON SCHEMA ratchet TO ratchet_keeper, ratchet_helper;

SET SESSION AUTHORIZATION ratchet_helper;
SELECT ratchet.schedule('tidy', '@daily', 'SELECT 1', run_as => 'ratchet_keeper', settings => '{"search_path": "public"}') IS NOT NULL AS made;
SELECT ratchet.schedule('tidy', '@daily', 'SELECT 1', run_as => 'ratchet_keeper', settings => '{"search_path": "public"}') IS NOT NULL AS the_same;
SELECT ratchet.alter_job('tidy', schedule => '@hourly', max_attempts => 3, tags => '{a,b}');
SELECT ratchet.alter_job('tidy', reset => '{tags}', payload => '{"k": [1, null]}');
SELECT ratchet.pause_job('tidy');
SELECT ratchet.pause_job('tidy');
SELECT ratchet.resume_job('tidy');
SELECT ratchet.alter_job('tidy', new_name => 'tidy up');
SELECT ratchet.alter_job('tidy up', run_as => 'ratchet_helper');
SELECT ratchet.unschedule('tidy up');
SELECT ratchet.unschedule('tidy up', if_exists => true);
SELECT action, changed_by, owner, job_name, old_values, new_values FROM ratchet.changes ORDER BY change_id \gx
RESET SESSION AUTHORIZATION;

SELECT ratchet.create_queue('letters', rate => 3) IS NOT NULL AS made;
SELECT ratchet.alter_queue('letters', rate => 4, new_name => 'mail');
SELECT ratchet.pause_queue('mail');
SELECT ratchet.drop_queue('mail');
SELECT action, job_name, old_values - 'run_as' AS old_values, new_values - 'run_as' AS new_values
  FROM ratchet.changes WHERE job_name LIKE 'queue %' ORDER BY change_id;

DROP OWNED BY ratchet_helper, ratchet_keeper;
DROP ROLE ratchet_helper, ratchet_keeper;
-- The names stay.
SELECT DISTINCT changed_by FROM ratchet.changes WHERE job_name = 'tidy';
