// The ratchet.* settings. docs/reference.md documents each.
#pragma once

namespace ratchet::pg {

enum class LogRuns { kNone, kFailures, kAll };

struct Settings {
  int max_workers;          // processes; server start
  int max_databases;        // entries in shared memory; server start
  bool enabled;             // false: nothing starts
  char* environment;        // "" = none
  char* default_time_zone;  // "" = the session's TimeZone
  char* node;               // "" = cluster_name, else the host's name
  int keep_history;         // minutes
  int cancel_grace;         // milliseconds
  int worker_idle_timeout;  // milliseconds
  int worker_memory_limit;  // kilobytes
  int log_runs;             // LogRuns
  // Of batch jobs; milliseconds, 0: no limit, or the server's own.
  double pause_ratio;
  int max_replication_lag;
  int lock_timeout;
  int deadlock_timeout;
};

extern Settings settings;

// Defines the settings; in the postmaster those of the server start too. Called by _PG_init.
void DefineSettings();

// The name under which this server signs its runs.
const char* NodeName();

}  // namespace ratchet::pg
