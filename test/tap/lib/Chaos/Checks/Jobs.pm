package Chaos::Checks::Jobs;

# P5: a bad job fails alone. P6: a job runs as its owner. P9: the past is explainable.

use strict;
use warnings;

sub checks
{
	return (
		{
			promise => 'P5', name => 'bad jobs fail, good ones go on',
			rows => q{SELECT format('run %s of %s has succeeded', run_id, job_name) FROM ratchet.run_log r JOIN chaos.kind k USING (job_name)
				WHERE k.kind IN ('endless', 'deaf', 'suicide', 'wrong') AND status = 'succeeded'
				UNION ALL
				SELECT format('job heart has not run in round %s', n) FROM chaos.round t WHERE n = (SELECT max(n) FROM chaos.round)
				AND NOT EXISTS (SELECT FROM chaos.effect e WHERE e.job = 'heart' AND e.t0 > t.ticket)},
			plant => q{DELETE FROM chaos.effect WHERE job = 'heart' AND t0 > (SELECT max(ticket) FROM chaos.round)},
		},
		{
			promise => 'P5', name => 'a failure is the failure of its job',
			rows => q{SELECT format('run %s of %s: %s %s %s', run_id, job_name, status, sqlstate, error) FROM ratchet.run_log r JOIN chaos.kind k USING (job_name)
				WHERE sqlstate = '22012' AND k.kind <> 'wrong' OR sqlstate = 'P0001' AND k.kind NOT IN ('grid', 'after', 'mutex', 'steps', 'retry', 'here')
				OR sqlstate LIKE 'XX%'},
			plant => q{UPDATE ratchet.run_log SET sqlstate = 'XX000' WHERE run_id = (SELECT max(run_id) FROM ratchet.run_log)},
		},
		{
			promise => 'P6', name => 'a job runs as its owner',
			rows => q{SELECT format('run %s of %s ran as %s', run_id, job, who) FROM chaos.effect e JOIN ratchet.run_log r USING (run_id)
				WHERE r.owner IS DISTINCT FROM (SELECT oid FROM pg_roles WHERE rolname = who)},
			plant => q{UPDATE chaos.effect SET who = 'chaos1' WHERE who <> 'chaos1'},
		},
		{
			promise => 'P6', name => 'nothing leaks from run to run',
			rows => q{SELECT format('run %s of %s has found %s', run_id, job, leaks) FROM chaos.effect WHERE leaks IS NOT NULL},
			plant => q{UPDATE chaos.effect SET leaks = 'a planted leak' WHERE run_id = (SELECT max(run_id) FROM chaos.effect)},
		},
		{
			promise => 'P9', name => 'each run has kept what it ran',
			rows => q{SELECT format('run %s of %s: version %s is not kept', run_id, r.job_name, r.version) FROM ratchet.run_log r
				LEFT JOIN ratchet.job_version v USING (job_id, version) WHERE v.job_id IS NULL AND r.status <> 'skipped' AND r.started_at IS NOT NULL
				UNION ALL
				SELECT format('run %s of %s has run marker %s: %s', run_id, r.job_name, e.marker, v.command) FROM chaos.effect e
				JOIN ratchet.run_log r USING (run_id) JOIN ratchet.job_version v USING (job_id, version) JOIN chaos.kind k ON k.job_name = e.job
				WHERE k.kind = 'grid' AND (v.command NOT LIKE format('%%, %s, %%', e.marker) OR v.job_name <> e.job OR v.owner <> r.owner)},
			plant => q{UPDATE chaos.effect SET marker = -1 WHERE job LIKE 'grid%'},
		},
		{
			promise => 'P9', name => 'a replay runs what its run ran',
			rows => q{SELECT format('run %s is no replay of %s', r.run_id, o.run_id) FROM ratchet.run_log r JOIN ratchet.run_log o ON o.run_id = r.replay_of
				WHERE (r.job_id, r.version, r.scheduled_at, r.owner) IS DISTINCT FROM (o.job_id, o.version, o.scheduled_at, o.owner)},
			plant => q{UPDATE ratchet.run_log SET version = version + 1 WHERE run_id = (SELECT max(run_id) FROM ratchet.run_log WHERE replay_of IS NOT NULL)},
		},
		{
			promise => 'P9', name => 'how a job stands is what its last run says',
			rows => q{SELECT format('%s: last run %s was %s, recorded as %s', j.job_name, s.last_run_id, s.last_status, coalesce(r.status, 'nothing'))
				FROM ratchet.job_state s JOIN ratchet.job j USING (job_id) LEFT JOIN ratchet.run_log r ON r.run_id = s.last_run_id
				WHERE s.last_run_id IS NOT NULL AND r.status IS DISTINCT FROM s.last_status},
			plant => q{UPDATE ratchet.job_state SET last_status = 'nonsense' WHERE last_run_id IS NOT NULL},
		},
	);
}

1;
