// The ratchet.* settings. docs/reference.md documents each.
#pragma once

namespace ratchet::pg {

enum class LogRuns { kNone, kFailures, kAll };

struct Settings {
  int max_workers;           // processes; server start
  int max_databases;         // entries in shared memory; server start
  int max_queues;            // of which is counted, on the whole server; server start
  int max_workers_per_role;  // 0: one less than max_workers
  bool enabled;              // false: nothing starts
  char* environment;         // "" = none
  char* default_time_zone;   // "" = the session's TimeZone
  char* node;                // "" = cluster_name, else the host's name
  int keep_history;          // minutes
  int cancel_grace;          // milliseconds
  int only_if_timeout;       // milliseconds; 0: no limit of its own
  int max_run_time;          // milliseconds, of runs of ordinary roles; 0: no limit
  int worker_idle_timeout;   // milliseconds
  int worker_memory_limit;   // kilobytes
  int log_runs;              // LogRuns
  double pause_ratio;        // of batch jobs without an own one
  int max_replication_lag;   // milliseconds, of batch jobs without an own one; 0: no limit
  int lock_timeout;          // milliseconds that a batch waits for a lock; 0: as the session does
  int max_same_failures;     // items in a row; 0: no limit
  int deadlock_timeout;      // milliseconds, of a batch; 0: as the session's
  int keep_messages;         // of a run; 0: none
  int max_message_memory;    // kilobytes, for those of a run
};

extern Settings settings;

// Defines the settings; in the postmaster those of the server start too. Called by _PG_init.
void DefineSettings();

// Reads the configuration again if the process was asked to; true when it did. Between two
// statements. May raise an error: for use inside pg::Call.
bool ReadSettingsIfAsked();

// The name under which this server signs its runs.
const char* NodeName();

}  // namespace ratchet::pg
