package Chaos::Checks::Tasks;

# P11 to P14: tasks of queues are done once, if and only if they were enqueued, in the order and within the limits of
# their queues.

use strict;
use warnings;

sub checks
{
	return (
		{
			promise => 'P11', name => 'only what was enqueued and committed is done',
			rows => q{SELECT format('task %s of %s', task_id, queue) FROM chaos.did d WHERE NOT EXISTS (SELECT FROM chaos.sent s WHERE s.task_id = d.task_id)
				UNION ALL SELECT format('task %s was rolled back, and is there', task_id) FROM chaos.unsent u
				WHERE u.task_id NOT IN (SELECT task_id FROM chaos.sent) AND u.task_id IN (SELECT task_id FROM ratchet.task UNION ALL SELECT task_id FROM ratchet.finished_task)},
			plant => q{INSERT INTO chaos.did SELECT -1, queue, 1, 'chaos1', 0 FROM chaos.queue LIMIT 1},
		},
		{
			promise => 'P12', name => 'each task is done once',
			rows => q{SELECT format('task %s of %s was done %s times', s.task_id, s.queue, coalesce(n, 0)) FROM chaos.sent s
				LEFT JOIN (SELECT task_id, count(*) AS n FROM chaos.did GROUP BY 1) d USING (task_id) WHERE NOT s.bad AND coalesce(n, 0) <> 1},
			plant => q{INSERT INTO chaos.did SELECT * FROM chaos.did LIMIT 1},
		},
		{
			promise => 'P12', name => 'no task is lost',
			rows => q{SELECT format('task %s of %s', s.task_id, s.queue) FROM chaos.sent s WHERE NOT EXISTS (SELECT FROM chaos.did d WHERE d.task_id = s.task_id)
				AND NOT EXISTS (SELECT FROM ratchet.finished_task f WHERE f.task_id = s.task_id AND f.state = 'dead' AND s.bad)},
			plant => q{DELETE FROM chaos.did WHERE task_id = (SELECT max(task_id) FROM chaos.did)},
		},
		{
			promise => 'P12', name => 'what was set aside leaves nothing, and says why',
			rows => q{SELECT format('task %s of %s: %s', f.task_id, s.queue, f.error) FROM ratchet.finished_task f JOIN chaos.sent s USING (task_id)
				WHERE f.state <> 'dead' OR f.error IS DISTINCT FROM 'bad' OR EXISTS (SELECT FROM chaos.did d WHERE d.task_id = f.task_id)
				UNION ALL SELECT format('task %s of %s is bad, and was done', d.task_id, d.queue) FROM chaos.did d JOIN chaos.sent s USING (task_id) WHERE s.bad},
			plant => q{UPDATE chaos.sent SET bad = true},
		},
		{
			promise => 'P12', name => 'no claim and no task is left',
			rows => q{SELECT format('claim %s', to_jsonb(c)) FROM ratchet.task_claim c
				UNION ALL SELECT format('task %s', task_id) FROM ratchet.task
				UNION ALL SELECT format('task %s waits and has ended', task_id) FROM ratchet.task JOIN ratchet.finished_task USING (task_id)},
			plant => q{INSERT INTO ratchet.task_claim VALUES (1, 1, '{1}')},
		},
		{
			promise => 'P14', name => 'one unfinished task for each unique key',
			rows => q{SELECT format('%s of %s: task %s was there before task %s had been done', unique_key, queue, task_id, task_before) FROM (
				SELECT s.queue, s.unique_key, s.task_id, s.ticket, lag(d.t1) OVER w AS t1_before, lag(s.task_id) OVER w AS task_before
				FROM chaos.sent s LEFT JOIN chaos.did d USING (task_id) WHERE s.unique_key IS NOT NULL
				WINDOW w AS (PARTITION BY s.queue, s.unique_key ORDER BY s.task_id)) x WHERE ticket < t1_before},
			plant => q{INSERT INTO chaos.sent VALUES (-2, 'mail_1', false, 'planted', NULL, 1), (-1, 'mail_1', false, 'planted', NULL, 2);
				INSERT INTO chaos.did VALUES (-2, 'mail_1', 1, 'chaos1', 1, 3)},
		},
		{
			promise => 'P14', name => 'one task at a time for each ordering key, in order',
			rows => q{SELECT format('%s of %s: task %s before task %s', ordering_key, queue, task_id, task_before) FROM (
				SELECT s.queue, s.ordering_key, s.task_id, d.t0, lag(d.t1) OVER w AS t1_before, lag(s.task_id) OVER w AS task_before
				FROM chaos.sent s JOIN chaos.did d USING (task_id) WHERE s.ordering_key IS NOT NULL
				WINDOW w AS (PARTITION BY s.queue, s.ordering_key ORDER BY s.task_id)) x WHERE t0 < t1_before AND queue NOT LIKE 'parcel%'
				UNION ALL
				SELECT format('%s of %s: task %s was done before task %s', ordering_key, queue, task_id, task_before) FROM (
				SELECT s.queue, s.ordering_key, s.task_id, d.t1, lag(d.t1) OVER w AS t1_before, lag(s.task_id) OVER w AS task_before
				FROM chaos.sent s JOIN chaos.did d USING (task_id) WHERE s.ordering_key IS NOT NULL
				WINDOW w AS (PARTITION BY s.queue, s.ordering_key ORDER BY s.task_id)) x WHERE t1 < t1_before},
			plant => q{UPDATE chaos.did SET t1 = -t1},
		},
		{
			promise => 'P14', name => 'a rate holds in whichever span', unless => 'clock_moved',
			rows => q{SELECT format('%s: more than 20 within 500 ms of %s', queue, began) FROM (
				SELECT queue, began, began - lag(began, 20) OVER (PARTITION BY queue ORDER BY began) AS span FROM chaos.did WHERE queue LIKE 'rated%') x WHERE span < '500 ms'},
			plant => q{INSERT INTO chaos.did SELECT -g, 'rated_1', 1, 'chaos1', 0, 0, now() FROM generate_series(1, 21) g},
		},
		{
			promise => 'P6', name => 'a handler runs as the owner of its queue',
			rows => q{SELECT format('task %s of %s was done by %s', task_id, d.queue, who) FROM chaos.did d JOIN ratchet.queues q ON q.queue_name = d.queue
				WHERE d.queue NOT LIKE 'parcel%' AND q.owner <> who::regrole},
			plant => q{UPDATE chaos.did SET who = CASE who WHEN 'chaos1' THEN 'chaos2' ELSE 'chaos1' END},
		},
	);
}

1;
