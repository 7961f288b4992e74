-- The extension's tables. All rows are written by the library through the heap, never by user SQL:
-- ordinary roles hold SELECT only, and row-level security shows them their own jobs.
-- Columns and their order are known to the library, which refuses others: src/catalog/declaration.h.
-- Each table has a primary key: without one, a publication of all tables would stop its subscribers.

-- Job definitions -----------------------------------------------------------------------------

CREATE SEQUENCE ratchet.job_id_seq AS bigint;
COMMENT ON SEQUENCE ratchet.job_id_seq IS 'numbers of jobs';
CREATE SEQUENCE ratchet.run_id_seq AS bigint;
COMMENT ON SEQUENCE ratchet.run_id_seq IS 'numbers of runs';

CREATE TABLE ratchet.job (
    job_id         bigint      NOT NULL DEFAULT pg_catalog.nextval('ratchet.job_id_seq'),
    job_name       text        NOT NULL,
    owner          regrole     NOT NULL,
    version        integer     NOT NULL DEFAULT 1,
    enabled        boolean     NOT NULL DEFAULT true,
    schedule       text        NOT NULL,
    time_zone      text        NOT NULL,
    schedule_since timestamptz NOT NULL,
    command        text,
    transaction    text        NOT NULL DEFAULT 'single'
        CHECK (transaction IN ('single', 'per_statement')),
    overlap        text        NOT NULL DEFAULT 'skip' CHECK (overlap IN ('skip', 'queue', 'allow')),
    timeout        interval,
    max_attempts   integer     NOT NULL DEFAULT 1 CHECK (max_attempts >= 1),
    backoff        interval    NOT NULL DEFAULT '1 minute',
    backoff_factor float8      NOT NULL DEFAULT 2,
    backoff_cap    interval    NOT NULL DEFAULT '1 hour',
    backoff_jitter float8      NOT NULL DEFAULT 0,
    on_crash       text        NOT NULL DEFAULT 'resume' CHECK (on_crash IN ('resume', 'next')),
    misfire        text        NOT NULL DEFAULT 'once' CHECK (misfire IN ('once', 'skip', 'all')),
    misfire_limit  integer     NOT NULL DEFAULT 100 CHECK (misfire_limit >= 1),
    start_at       timestamptz,
    end_at         timestamptz,
    max_runs       integer CHECK (max_runs >= 1),
    mutex          text,
    active_window  text,
    calendar       text,
    only_if        text,
    watch          regclass[],
    depends_on     text[],
    environments   text[],
    priority       integer     NOT NULL DEFAULT 0,
    settings       jsonb,
    payload        jsonb,
    keep_history   interval,
    deadline       interval,
    heartbeat      text,
    comment        text,
    tags           text[],
    created_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
    changed_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
    backfill_from  timestamptz,
    source         text,
    action         text,
    key            text[],
    per            text CHECK (per IN ('item', 'batch')),
    batch_size     integer CHECK (batch_size >= 1),
    batch_target   interval,
    mode           text CHECK (mode IN ('full', 'incremental')),
    max_run_time   interval,
    max_failed_items integer CHECK (max_failed_items >= 0),
    pause_ratio    float8,
    max_replication_lag interval,
    columns        jsonb,
    has_parents    boolean,
    is_queue       boolean,
    seal           bigint,
    PRIMARY KEY (job_id),
    CHECK (CASE WHEN is_queue THEN command IS NULL AND source IS NULL
                ELSE (command IS NULL) = (source IS NOT NULL AND action IS NOT NULL) END)
);
CREATE UNIQUE INDEX job_name_key ON ratchet.job (job_name);
-- Not a partial index on depends_on: the library writes the indexes of this table below the executor,
-- where there are no predicates.
CREATE INDEX job_has_parents_idx ON ratchet.job (has_parents);

COMMENT ON TABLE ratchet.job IS
    'job definitions, one row each; read it through the view ratchet.jobs';
COMMENT ON COLUMN ratchet.job.version IS
    'grows with every change of what a run does; the versions that ran are kept in ratchet.job_version';
COMMENT ON COLUMN ratchet.job.command IS
    'null for a batch job, which has a source and an action, and for a queue, whose action is its handler';
COMMENT ON COLUMN ratchet.job.columns IS
    'of a batch job: the columns of its source when source and action were given, with their types, and which of them action and key use: $3 means the third of these';
COMMENT ON COLUMN ratchet.job.depends_on IS
    'names of jobs: they follow a job that is renamed, and mean the new one when a job is dropped and defined anew';
COMMENT ON COLUMN ratchet.job.seal IS
    'only the library can make it: without the right one the row is held back until ratchet.adopt(); in other tables, too';
COMMENT ON COLUMN ratchet.job.has_parents IS
    'true if the job depends on others, else null: the few that do are found by its index';
COMMENT ON COLUMN ratchet.job.is_queue IS
    'true for the row in which a queue has what it shares with jobs: its runs are the work on its tasks; else null';
COMMENT ON COLUMN ratchet.job.schedule_since IS
    'the schedule in force counts occurrences after this instant; also the anchor of an interval without start_at';

-- What a run ran: a row for every version of a job that ran, kept as long as its runs are ---------

CREATE TABLE ratchet.job_version (
    job_id      bigint      NOT NULL,
    version     integer     NOT NULL,
    job_name    text        NOT NULL,
    owner       oid         NOT NULL,
    owner_name  name        NOT NULL,
    schedule    text        NOT NULL,
    time_zone   text        NOT NULL,
    command     text,
    transaction text        NOT NULL,
    timeout     interval,
    only_if     text,
    settings    jsonb,
    payload     jsonb,
    pinned_at   timestamptz NOT NULL,
    source      text,
    action      text,
    key         text[],
    per         text,
    batch_size  integer,
    batch_target interval,
    mode        text,
    max_run_time interval,
    max_failed_items integer,
    pause_ratio float8,
    max_replication_lag interval,
    columns     jsonb,
    keep_history interval,
    seal        bigint,
    PRIMARY KEY (job_id, version)
);
COMMENT ON TABLE ratchet.job_version IS
    'the definition that each run pins (command, settings, owner), kept after the job was altered or dropped';
COMMENT ON COLUMN ratchet.job_version.keep_history IS
    'of a job that was dropped, in its newest version: for how long its history is kept; null: ratchet.keep_history';

-- Where each job stands. Written by the scheduler of the database only, by tuple id, so that the
-- cost does not grow with dead row versions under an old snapshot.

CREATE TABLE ratchet.job_state (
    job_id               bigint NOT NULL,
    next_run_at          timestamptz,
    last_scheduled_at    timestamptz,
    last_occurrence      timestamptz,
    last_run_id          bigint,
    last_run_at          timestamptz,
    last_finished_at     timestamptz,
    last_status          text,
    last_success_at      timestamptz,
    consecutive_failures integer NOT NULL,
    crash_streak         integer NOT NULL,
    backoff_until        timestamptz,
    run_count            bigint NOT NULL,
    last_not_needed_at   timestamptz,
    watch_seen           text,
    depends_since        timestamptz,
    schedule_problem     text,
    PRIMARY KEY (job_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE ratchet.job_state IS
    'where each job stands in its schedule; read it through the view ratchet.jobs';
COMMENT ON COLUMN ratchet.job_state.last_occurrence IS
    'the newest occurrence of the schedule that was started: ratchet.previous_scheduled_at() of the next run';
COMMENT ON COLUMN ratchet.job_state.depends_since IS
    'of a job with depends_on: the jobs that it depends on must succeed after this instant; null for others';
COMMENT ON COLUMN ratchet.job_state.schedule_problem IS
    'why the schedule stands still: it, its window or its time zone cannot be read; null: it does not';
COMMENT ON COLUMN ratchet.job_state.last_scheduled_at IS
    'every occurrence up to this instant is accounted for: it ran, its skip is recorded, or it was not needed';
COMMENT ON COLUMN ratchet.job_state.last_not_needed_at IS
    'when the job was last due and there was nothing to do: only_if was false, or watch saw no change';
COMMENT ON COLUMN ratchet.job_state.watch_seen IS
    'what its last success has seen of the tables that the job watches, in the library''s own format';

-- Runs asked for or under way -----------------------------------------------------------------

CREATE TABLE ratchet.run_queue (
    run_id                bigint      NOT NULL,
    job_id                bigint      NOT NULL,
    version               integer     NOT NULL,
    owner                 oid         NOT NULL,
    cause                 text        NOT NULL,
    attempt               integer     NOT NULL,
    scheduled_at          timestamptz NOT NULL,
    previous_scheduled_at timestamptz,
    run_at                timestamptz NOT NULL,
    queued_at             timestamptz NOT NULL,
    claimed_at            timestamptz,
    payload               jsonb,
    coalesce              boolean     NOT NULL,
    dry_run               boolean     NOT NULL,
    replay_of             bigint,
    retry_of              bigint,
    walk                  bigint      NOT NULL,
    items_of              bigint,
    backfill_id           bigint,
    on_change             boolean     NOT NULL,
    share_hash            bigint,
    mark                  bigint      NOT NULL DEFAULT 0,
    walk_began            bigint,
    requested_by          oid,
    seal                  bigint,
    PRIMARY KEY (run_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX run_queue_job_idx ON ratchet.run_queue (job_id, share_hash);
COMMENT ON TABLE ratchet.run_queue IS
    'runs that were asked for or are under way, a row each until they end; read it through the view ratchet.runs';
COMMENT ON COLUMN ratchet.run_queue.version IS 'definition that the run pins; 0 until it is claimed';
COMMENT ON COLUMN ratchet.run_queue.claimed_at IS 'null while the run waits';
COMMENT ON COLUMN ratchet.run_queue.walk IS
    'whose checkpoint it goes on behind: 0 for the job''s own, the run with which a replay or another walk beside the job''s own began, or less than 0 for the one of all runs with the same payload of their own';
COMMENT ON COLUMN ratchet.run_queue.items_of IS
    'it does the failed items of this run only';
COMMENT ON COLUMN ratchet.run_queue.share_hash IS
    'of what another trigger must ask for to share the run: payload and time; null: it is not shared';
COMMENT ON COLUMN ratchet.run_queue.on_change IS
    'a table has changed that has a change trigger; at most one run of a job waits because of that';
COMMENT ON COLUMN ratchet.run_queue.backfill_id IS
    'the backfill whose occurrence it is for';
COMMENT ON COLUMN ratchet.run_queue.mark IS
    'random: tells the run from another one with the same number';
COMMENT ON COLUMN ratchet.run_queue.requested_by IS
    'the role that has asked for it, or for the backfill or the run that it goes on with: without the rights to do so it is canceled; null: the schedule, a dependency or a change trigger has';
COMMENT ON COLUMN ratchet.run_queue.walk_began IS
    'it goes on with the walk that began with this run, and is nothing when that walk has ended; null: it may begin one';

-- Runs that ended: append only ------------------------------------------------------------------

CREATE TABLE ratchet.run_log (
    run_id          bigint      NOT NULL,
    job_id          bigint      NOT NULL,
    job_name        text        NOT NULL,
    owner           oid         NOT NULL,
    version         integer     NOT NULL,
    cause           text        NOT NULL,
    status          text        NOT NULL,
    attempt         integer     NOT NULL,
    scheduled_at    timestamptz NOT NULL,
    queued_at       timestamptz NOT NULL,
    started_at      timestamptz,
    finished_at     timestamptz NOT NULL,
    items_done      bigint,
    items_failed    bigint,
    batches         bigint,
    checkpoint_from jsonb,
    checkpoint_to   jsonb,
    rows_affected   bigint,
    sqlstate        text,
    error           text,
    error_detail    text,
    error_hint      text,
    error_context   text,
    reason          text,
    worker_pid      integer,
    node            text,
    payload         jsonb,
    replay_of       bigint,
    retry_of        bigint,
    dry_run         boolean     NOT NULL,
    wal_bytes       bigint,
    blocks_read     bigint,
    blocks_hit      bigint,
    cpu_time        interval,
    result          text,
    occurrences     bigint      NOT NULL,
    previous_scheduled_at timestamptz,
    items_of        bigint,
    key             text,
    mark            bigint      NOT NULL DEFAULT 0,
    seal            bigint,
    messages        jsonb,
    requested_by    text,
    canceled_by     text,
    PRIMARY KEY (run_id)
);
CREATE INDEX run_log_job_idx ON ratchet.run_log (job_id, run_id);
CREATE INDEX run_log_name_idx ON ratchet.run_log (job_name, run_id);
COMMENT ON TABLE ratchet.run_log IS
    'runs that ended and occurrences that did not run, append only; read it through the view ratchet.runs';
COMMENT ON COLUMN ratchet.run_log.occurrences IS
    'occurrences that the row accounts for: 1, or more when one row records several skipped ones';
COMMENT ON COLUMN ratchet.run_log.previous_scheduled_at IS
    'what ratchet.previous_scheduled_at() was in the run';
COMMENT ON COLUMN ratchet.run_log.items_of IS
    'it did the failed items of this run only';
COMMENT ON COLUMN ratchet.run_log.key IS
    'of a batch job: by which its checkpoints and the keys of its failed items were written, as in ratchet.job_checkpoint';
COMMENT ON COLUMN ratchet.run_log.mark IS
    'random: tells the run from another one with the same number';
COMMENT ON COLUMN ratchet.run_log.messages IS
    'what the run said, such as NOTICE and WARNING, as ratchet.keep_messages allows';
COMMENT ON COLUMN ratchet.run_log.requested_by IS
    'the name of the role that has asked for it, as it was when the run ended; null: the definition of the job has';
COMMENT ON COLUMN ratchet.run_log.canceled_by IS
    'of a canceled run: the name of the role that called ratchet.cancel(), as it was then';
COMMENT ON COLUMN ratchet.run_log.result IS
    'first row of the last query of the command as JSON text, cut to 8000 bytes';

-- Counters per job ------------------------------------------------------------------------------

CREATE TABLE ratchet.job_stat (
    job_id          bigint NOT NULL,
    runs            bigint NOT NULL,
    succeeded       bigint NOT NULL,
    failures        bigint NOT NULL,
    skipped         bigint NOT NULL,
    not_needed      bigint NOT NULL,
    items           bigint NOT NULL,
    rows_affected   bigint NOT NULL,
    total_time      float8 NOT NULL,
    max_time        float8 NOT NULL,
    total_lag       float8 NOT NULL,
    max_lag         float8 NOT NULL,
    cpu_time        float8 NOT NULL,
    wal_bytes       bigint NOT NULL,
    blocks_read     bigint NOT NULL,
    blocks_hit      bigint NOT NULL,
    stats_reset     timestamptz,
    day             bytea,
    PRIMARY KEY (job_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE ratchet.job_stat IS
    'cumulative counters per job, times in milliseconds; read it through the views ratchet.stat_jobs and ratchet.job_health';
COMMENT ON COLUMN ratchet.job_stat.day IS
    'counters per hour and a histogram of durations over the last day, in the library''s own format';

-- Checkpoints -------------------------------------------------------------------------------------
-- Of a batch job: written in each batch's transaction, by tuple id. What has committed of the run in
-- hand is counted here, so that the record of a run which died with its server is exact.

CREATE TABLE ratchet.job_checkpoint (
    job_id        bigint      NOT NULL,
    walk          bigint      NOT NULL,
    owner         oid         NOT NULL,
    run_id        bigint      NOT NULL,
    saved_at      timestamptz NOT NULL,
    value         jsonb,
    run_from      jsonb,
    items_done    bigint      NOT NULL,
    items_failed  bigint      NOT NULL,
    batches       bigint      NOT NULL,
    rows_affected bigint      NOT NULL,
    walk_items    bigint      NOT NULL,
    first_run     bigint      NOT NULL,
    key           text,
    run_mark      bigint      NOT NULL DEFAULT 0,
    seal          bigint,
    PRIMARY KEY (job_id, walk)
) WITH (fillfactor = 50);
COMMENT ON TABLE ratchet.job_checkpoint IS
    'how far a job is: the key of the last item of a batch job that committed, or what ratchet.save_checkpoint() saved, until the walk is complete or a run of the job succeeds';
COMMENT ON COLUMN ratchet.job_checkpoint.walk IS
    '0 for the job''s own, the run with which a replay or another walk beside the job''s own began, or less than 0 for the one of all runs with the same payload of their own';
COMMENT ON COLUMN ratchet.job_checkpoint.run_id IS
    'the run that saved last; items_done, items_failed, batches and rows_affected are what it has committed';
COMMENT ON COLUMN ratchet.job_checkpoint.run_mark IS 'the mark of that run';
COMMENT ON COLUMN ratchet.job_checkpoint.run_from IS 'the checkpoint behind which that run began';
COMMENT ON COLUMN ratchet.job_checkpoint.walk_items IS
    'items that earlier runs of the same walk have done';
COMMENT ON COLUMN ratchet.job_checkpoint.first_run IS 'the run with which the walk began';
COMMENT ON COLUMN ratchet.job_checkpoint.key IS
    'by which the walk goes, as JSON: its columns, direction, types, and what else decides their order; to another order the checkpoint means nothing';

-- Items that failed -------------------------------------------------------------------------------

CREATE SEQUENCE ratchet.failed_item_id_seq AS bigint;
COMMENT ON SEQUENCE ratchet.failed_item_id_seq IS 'numbers of failed items, in the order in which they failed';

CREATE TABLE ratchet.failed_item (
    item_id      bigint      NOT NULL,
    job_id       bigint      NOT NULL,
    run_id       bigint      NOT NULL,
    owner        oid         NOT NULL,
    job_name     text        NOT NULL,
    key_hash     bigint      NOT NULL,
    key          jsonb       NOT NULL,
    item         jsonb,
    sqlstate     text        NOT NULL,
    error        text        NOT NULL,
    error_detail text,
    attempts     integer     NOT NULL,
    failed_at    timestamptz NOT NULL,
    resolved_at  timestamptz,
    resolved_by  bigint,
    key_order    text,
    seal         bigint,
    PRIMARY KEY (run_id, item_id)
) WITH (fillfactor = 80);
CREATE INDEX failed_item_open_idx ON ratchet.failed_item (job_id, resolved_at, key_hash);
COMMENT ON TABLE ratchet.failed_item IS
    'items of batch jobs that failed while their neighbours committed; read it through the view ratchet.failed_items';
COMMENT ON COLUMN ratchet.failed_item.key_hash IS 'of the key: the same item of the same job, however often it fails';
COMMENT ON COLUMN ratchet.failed_item.item IS 'its columns as the source gave them when it failed last; null when they are just the key, or large';
COMMENT ON COLUMN ratchet.failed_item.attempts IS 'how often it has failed, earlier runs of the job included';
COMMENT ON COLUMN ratchet.failed_item.resolved_at IS
    'when a replay has done it, or a later walk has come to it again: it then was done, failed anew as an item of that run, or was gone';
COMMENT ON COLUMN ratchet.failed_item.resolved_by IS 'the run that did';
COMMENT ON COLUMN ratchet.failed_item.key_order IS
    'of a key with an enum: what ratchet.job_checkpoint.key was when the item failed, since labels may be renamed later; else null';

-- Backfills ---------------------------------------------------------------------------------------

CREATE SEQUENCE ratchet.backfill_id_seq AS bigint;
COMMENT ON SEQUENCE ratchet.backfill_id_seq IS 'numbers of backfills';

CREATE TABLE ratchet.backfill (
    backfill_id    bigint      NOT NULL,
    job_id         bigint      NOT NULL,
    owner          regrole     NOT NULL,
    after_time     timestamptz NOT NULL,
    to_time        timestamptz,
    holds_schedule boolean     NOT NULL,
    requested_at   timestamptz NOT NULL,
    requested_by   regrole,
    seal           bigint,
    PRIMARY KEY (backfill_id)
) WITH (fillfactor = 50);
CREATE INDEX backfill_job_idx ON ratchet.backfill (job_id, backfill_id);
COMMENT ON TABLE ratchet.backfill IS
    'backfills that are not finished: occurrences that are still to be run, oldest first';
COMMENT ON COLUMN ratchet.backfill.after_time IS
    'every occurrence up to this instant has been queued or run';
COMMENT ON COLUMN ratchet.backfill.to_time IS 'the last instant; null: until it has caught up with the schedule';
COMMENT ON COLUMN ratchet.backfill.requested_by IS
    'the role that has asked for it: without the rights to do so it ends; null: the definition of the job has (backfill_from)';
COMMENT ON COLUMN ratchet.backfill.holds_schedule IS 'the schedule starts when the backfill is done';

-- Where these jobs are at home: a restored or cloned copy finds a foreign row and holds still -----

CREATE TABLE ratchet.home (
    system_identifier bigint      NOT NULL,
    database_oid      oid         NOT NULL,
    job_table_oid     oid         NOT NULL,
    since             timestamptz NOT NULL,
    copy_id           bigint      NOT NULL,
    seal_key          bytea       NOT NULL,
    paused_at         timestamptz,
    paused_by         oid,
    PRIMARY KEY (system_identifier, database_oid, job_table_oid)
);
COMMENT ON COLUMN ratchet.home.copy_id IS
    'the restore or copy of the whole server after which somebody has said that jobs run here; 0: of none is known';
COMMENT ON COLUMN ratchet.home.seal_key IS
    'with which the library seals the rows that it writes: who has it, and may write the tables, can make rows that it believes';
COMMENT ON TABLE ratchet.home IS
    'the server and database that run these jobs; a copy that finds another one here starts nothing until ratchet.adopt()';

-- Who sees what ---------------------------------------------------------------------------------
-- Own rows, and all of them for superusers and members of pg_monitor. Of tables without an owner: those of
-- the jobs that are seen, which are looked up once per query and not once per row, as EXISTS would do.

ALTER TABLE ratchet.job ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.job_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.job_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.run_queue ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.run_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.job_stat ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.job_checkpoint ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.failed_item ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.backfill ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratchet.home ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_jobs ON ratchet.job FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner::oid, 'USAGE'));
CREATE POLICY own_jobs ON ratchet.job_version FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner, 'USAGE'));
CREATE POLICY own_jobs ON ratchet.job_state FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
    OR job_id OPERATOR(pg_catalog.=) ANY (SELECT j.job_id FROM ratchet.job j));
CREATE POLICY own_jobs ON ratchet.run_queue FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner, 'USAGE'));
CREATE POLICY own_jobs ON ratchet.run_log FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner, 'USAGE'));
CREATE POLICY own_jobs ON ratchet.job_stat FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
    OR job_id OPERATOR(pg_catalog.=) ANY (SELECT j.job_id FROM ratchet.job j));
CREATE POLICY own_jobs ON ratchet.job_checkpoint FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner, 'USAGE'));
CREATE POLICY own_jobs ON ratchet.failed_item FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner, 'USAGE'));
CREATE POLICY own_jobs ON ratchet.backfill FOR SELECT USING (
    (SELECT pg_catalog.pg_has_role('pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role(owner::oid, 'USAGE'));

GRANT SELECT ON ratchet.job, ratchet.job_version, ratchet.job_state, ratchet.run_queue,
    ratchet.run_log, ratchet.job_stat, ratchet.job_checkpoint, ratchet.failed_item, ratchet.backfill
    TO PUBLIC;

-- pg_dump reads these, also for who sees no jobs but its own. They say how many there are, and no more.
GRANT SELECT ON SEQUENCE ratchet.job_id_seq, ratchet.backfill_id_seq TO PUBLIC;

-- pg_dump carries the definitions, the checkpoints and what backfills have left to do, not the history.
-- Owners go by name. A role that was dropped has none: its number would be another role's, elsewhere.
SELECT pg_catalog.pg_extension_config_dump('ratchet.job',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) job.owner)');
SELECT pg_catalog.pg_extension_config_dump('ratchet.job_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ratchet.job_checkpoint', '');
SELECT pg_catalog.pg_extension_config_dump('ratchet.backfill', '');
SELECT pg_catalog.pg_extension_config_dump('ratchet.backfill_id_seq', '');
