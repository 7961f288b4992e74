"""The benchmarks: each module has run(sizes, found)."""

# In the order in which they run and are reported: the short ones first.
BENCHMARKS = {
    "limits": "what the machine and the server can do at most",
    "trigger": "commit of a trigger to the first statement of its run (T3)",
    "durable": "jobs that do one durable UPDATE, against pgbench (T2)",
    "records": "no-op jobs with a record each, against pg_cron (T1)",
    "on_change": "writers of a table with a change trigger (T9)",
    "lag": "start lag of one due job and of 100, against pg_cron (T4)",
    "batch": "batch jobs, against the same work by hand (T7, T8)",
    "schedule": "defining jobs, and starting with very many (T6)",
    "jobs": "what other jobs cost those that run (P8)",
    "waiting": "what other runs of the job that wait cost a run (P8)",
    "idle": "CPU of jobs that are not due, against pg_cron (T5)",
    "snapshot": "the same under an old snapshot (T11)",
    "queues": "task queues, beside graphile-worker, pg-boss, PgQ and a loop with SKIP LOCKED (T12 to T17)",
    "history": "the same with a long history (T10)",
}
