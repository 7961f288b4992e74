package Chaos::Checks::Occurrences;

# P2: no occurrence is lost in silence. P7: the SQL interface is transactional.

use strict;
use warnings;

# Kinds of which every occurrence of the schedule is accounted for by a row.
my $by_the_clock = q{('heart', 'grid', 'cron', 'rule', 'slow', 'mutex', 'parent', 'steps', 'slices', 'batch', 'events', 'retry', 'endless', 'deaf', 'suicide', 'wrong', 'sort')};

sub checks
{
	return (
		{
			promise => 'P2', name => 'every occurrence is accounted for', unless => 'clock_back',
			rows => qq{SELECT format('%s: %s of %s from %s to %s', job_name, accounted, expected, since, upto) FROM (
				SELECT j.job_name, a.since, s.last_scheduled_at AS upto, chaos.occurrences(j, a.since, s.last_scheduled_at) AS expected,
					(SELECT coalesce(sum(r.occurrences), 0) FROM ratchet.run_log r WHERE r.job_id = j.job_id
						AND r.cause IN ('schedule', 'catchup') AND r.retry_of IS NULL
						AND r.scheduled_at > a.since AND r.scheduled_at <= s.last_scheduled_at)
					+ (SELECT count(*) FROM ratchet.run_queue q WHERE q.job_id = j.job_id
						AND q.cause IN ('schedule', 'catchup') AND q.retry_of IS NULL
						AND q.scheduled_at > a.since AND q.scheduled_at <= s.last_scheduled_at) AS accounted
				FROM ratchet.job j JOIN chaos.kind k USING (job_name) JOIN chaos.account a USING (job_id) JOIN ratchet.job_state s USING (job_id)
				WHERE k.kind IN $by_the_clock) x WHERE accounted IS DISTINCT FROM expected},
			plant => q{DELETE FROM ratchet.run_log WHERE run_id = (SELECT max(run_id) FROM ratchet.run_log
				WHERE job_name = 'heart' AND cause = 'schedule' AND status = 'succeeded')},
		},
		{
			promise => 'P2', name => 'no occurrence has succeeded twice', unless => 'clock_back',
			rows => q{SELECT format('%s at %s: runs %s', r.job_name, r.scheduled_at, array_agg(run_id ORDER BY run_id))
				FROM ratchet.run_log r JOIN lineage l USING (run_id) JOIN chaos.account a USING (job_id)
				WHERE r.status = 'succeeded' AND l.root_cause IN ('schedule', 'catchup') AND r.items_of IS NULL AND r.scheduled_at > a.since
				GROUP BY r.job_name, r.scheduled_at HAVING count(*) > 1},
			plant => q{INSERT INTO ratchet.run_log SELECT (jsonb_populate_record(r, '{"run_id": -1}')).* FROM ratchet.run_log r
				WHERE run_id = (SELECT max(run_id) FROM ratchet.run_log WHERE job_name = 'heart' AND status = 'succeeded')},
		},
		{
			promise => 'P2', name => 'what crashed, or was canceled by a shutdown, is taken up again once',
			rows => q{SELECT format('run %s of %s: %s runs follow', r.run_id, r.job_name, n) FROM ratchet.run_log r JOIN ratchet.job j USING (job_id),
				LATERAL (SELECT (SELECT count(*) FROM ratchet.run_log f WHERE f.retry_of = r.run_id AND f.items_of IS NOT DISTINCT FROM r.items_of)
					+ (SELECT count(*) FROM ratchet.run_queue f WHERE f.retry_of = r.run_id AND f.items_of IS NOT DISTINCT FROM r.items_of) AS n) f
				WHERE (r.status = 'crashed' OR r.status = 'canceled' AND r.reason = 'the server was shut down') AND r.cause NOT IN ('foreground', 'queue') AND j.on_crash = 'resume' AND NOT r.dry_run AND j.end_at IS NULL AND n <> 1},
			plant => q{UPDATE ratchet.run_log SET status = 'crashed' WHERE run_id = (SELECT max(run_id) FROM ratchet.run_log WHERE job_name = 'heart' AND status = 'succeeded')},
		},
		{
			promise => 'P2', name => 'what failed is tried again, as often as it may',
			rows => q{SELECT format('run %s of %s, attempt %s: %s', run_id, job_name, attempt, status) FROM ratchet.run_log r
				JOIN chaos.kind k USING (job_name)
				WHERE k.kind = 'retry' AND (status = 'succeeded' AND attempt < 3 OR sqlstate = 'P0001' AND attempt < 3 AND (
					SELECT count(*) FROM (SELECT retry_of FROM ratchet.run_log UNION ALL SELECT retry_of FROM ratchet.run_queue) f
					WHERE f.retry_of = r.run_id) <> 1)},
			plant => q{DELETE FROM ratchet.run_log WHERE job_name LIKE 'retry%' AND attempt = 2},
		},
		{
			promise => 'P2', name => 'what was asked for has ended',
			rows => q{SELECT format('run %s of %s', run_id, job) FROM chaos.asked a
				WHERE NOT EXISTS (SELECT FROM ratchet.run_log r WHERE r.run_id = a.run_id)},
			plant => q{INSERT INTO chaos.asked VALUES (-1, 'nobody')},
		},
		{
			promise => 'P2', name => 'the last change has been seen',
			rows => q{SELECT format('%s has seen %s of %s', job_name, seen, (SELECT count(*) FROM chaos.changed)) FROM chaos.kind k,
				LATERAL (SELECT max(seen) AS seen FROM chaos.effect e WHERE e.job = k.job_name) s
				WHERE kind IN ('watch', 'change') AND seen IS DISTINCT FROM (SELECT count(*) FROM chaos.changed)},
			plant => q{INSERT INTO chaos.changed (what) VALUES ('planted')},
		},
		{
			promise => 'P2', name => 'a child has run after its parents',
			rows => q{SELECT format('%s has not run since %s', child, parents) FROM (
				SELECT j.job_name AS child, array_agg(p.name) AS parents, bool_and(s.after) AS ready, min(s.run_id) AS first FROM ratchet.job j
				CROSS JOIN LATERAL unnest(j.depends_on) p (name)
				CROSS JOIN LATERAL (SELECT count(*) > 0 AS after, max(e.run_id) AS run_id FROM chaos.effect e JOIN ratchet.run_log r USING (run_id)
					JOIN lineage l USING (run_id) WHERE e.job = p.name AND l.root_cause <> 'replay' AND e.t0 > (SELECT coalesce(max(t1), 0) FROM chaos.effect c WHERE c.job = j.job_name)
						AND e.t1 < (SELECT max(quiet) FROM chaos.round)) s
				GROUP BY 1) x WHERE ready AND NOT EXISTS (SELECT FROM ratchet.run_log r WHERE r.job_name = child AND r.run_id > first AND r.status <> 'skipped')
				AND NOT EXISTS (SELECT FROM ratchet.run_queue q JOIN ratchet.job USING (job_id) WHERE job_name = child)},
			plant => q{DELETE FROM chaos.effect WHERE job LIKE 'b\_%'; DELETE FROM ratchet.run_log WHERE job_name LIKE 'b\_%'; DELETE FROM ratchet.run_queue},
		},
		{
			promise => 'P2', name => 'a backfill has done each of its occurrences once',
			rows => q{SELECT format('%s: done %s times', t, (SELECT count(*) FROM chaos.effect e JOIN chaos.kind k ON k.job_name = e.job WHERE k.kind = 'past' AND e.scheduled_at = t))
				FROM chaos.wanted, generate_series(from_time, to_time, interval '1 minute') t
				WHERE 1 <> (SELECT count(*) FROM chaos.effect e JOIN chaos.kind k ON k.job_name = e.job WHERE k.kind = 'past' AND e.scheduled_at = t)
				AND NOT EXISTS (SELECT FROM ratchet.run_log r JOIN chaos.kind k USING (job_name) WHERE k.kind = 'past' AND r.scheduled_at = t AND r.status = 'canceled')
				AND NOT EXISTS (SELECT FROM ratchet.backfill)},
			plant => q{INSERT INTO chaos.wanted VALUES ('2019-01-01', '2019-01-01')},
		},
		{
			promise => 'P2', name => 'no run is in two places, none is left behind',
			rows => q{SELECT format('run %s is claimed', run_id) FROM ratchet.run_queue WHERE claimed_at IS NOT NULL
				UNION ALL SELECT format('run %s is queued and has ended', run_id) FROM ratchet.run_queue JOIN ratchet.run_log USING (run_id)},
			plant => q{INSERT INTO ratchet.run_queue (run_id, job_id, version, owner, cause, attempt, scheduled_at, run_at, queued_at, coalesce, dry_run, walk, on_change)
				SELECT max(run_id), 1, 0, 10, 'trigger', 1, now(), now(), now(), false, false, 0, false FROM ratchet.run_log},
		},
		{
			promise => 'P2', name => 'why it did not run is told',
			rows => q{SELECT format('run %s of %s: %s', run_id, job_name, status) FROM ratchet.run_log
				WHERE status = 'skipped' AND reason IS NULL OR status IN ('failed', 'timed_out', 'crashed') AND reason IS NULL AND sqlstate IS NULL},
			plant => q{UPDATE ratchet.run_log SET status = 'skipped', reason = NULL WHERE run_id = (SELECT max(run_id) FROM ratchet.run_log)},
		},
		{
			promise => 'P7', name => 'what was rolled back does not run',
			rows => q{SELECT format('run %s was rolled back', run_id) FROM chaos.forgotten f
				WHERE run_id NOT IN (SELECT run_id FROM chaos.asked) AND
				run_id IN (SELECT run_id FROM ratchet.run_log UNION ALL SELECT run_id FROM ratchet.run_queue)
				UNION ALL SELECT format('run %s of a job that never was', run_id) FROM ratchet.run_log WHERE job_name = 'phantom'},
			plant => q{INSERT INTO chaos.forgotten SELECT max(run_id) FROM ratchet.run_log WHERE job_name = 'heart'},
		},
		{
			promise => 'P7', name => 'a run sees what asked for it',
			rows => q{SELECT format('run %s of %s has seen %s of %s', run_id, e.job, e.asked, n) FROM chaos.effect e JOIN
				(SELECT run_id, count(*) AS n FROM chaos.asked GROUP BY 1) a USING (run_id) WHERE e.asked <> n},
			plant => q{UPDATE chaos.effect SET asked = 0},
		},
		{
			promise => 'P7', name => 'only what was asked for runs',
			rows => q{SELECT format('run %s of %s', run_id, job_name) FROM ratchet.run_log r JOIN chaos.kind k USING (job_name)
				WHERE (k.kind = 'asked' AND cause = 'trigger' OR cause = 'replay' AND retry_of IS NULL)
				AND run_id NOT IN (SELECT run_id FROM chaos.asked)},
			plant => q{DELETE FROM chaos.asked},
		},
	);
}

1;
