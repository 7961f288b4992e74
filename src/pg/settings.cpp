#include "pg/settings.h"

#include "pg/guard.h"

extern "C" {
#include "pgtime.h"
#include "postmaster/interrupt.h"
#include "postmaster/postmaster.h"
#include "utils/guc.h"
}

#include <climits>

#include <unistd.h>

namespace ratchet::pg {

Settings settings;

namespace {

const config_enum_entry kLogRunsOptions[] = {
    {"none", static_cast<int>(LogRuns::kNone), false},
    {"failures", static_cast<int>(LogRuns::kFailures), false},
    {"all", static_cast<int>(LogRuns::kAll), false},
    {nullptr, 0, false}};

bool CheckTimeZone(char** value, void** /*extra*/, GucSource /*source*/) {
  if (**value == '\0') {
    return true;
  }
  if (pg_tzset(*value) == nullptr) {
    GUC_check_errdetail("Time zone \"%s\" is not known.", *value);
    return false;
  }
  return true;
}

void DefineServerStartSettings() {
  DefineCustomIntVariable(
      "ratchet.max_workers", "Sets the maximum number of worker processes of pg_ratchet.",
      "Each takes one of max_worker_processes, and so do the launcher and the "
      "scheduler of each database.",
      &settings.max_workers, 4, 1, 1024, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "ratchet.max_databases", "Sets how many databases can have jobs at the same time.", nullptr,
      &settings.max_databases, 1024, 1, 65536, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "ratchet.max_queues", "Sets for how many task queues counters are kept in shared memory.",
      "Those of all databases; tasks of further ones are done, and not counted.",
      &settings.max_queues, 1000, 1, 100000, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
}

void DefineReloadableSettings() {
  DefineCustomBoolVariable("ratchet.enabled", "Starts runs of jobs.",
                           "While it is off nothing starts; running runs are let finish.",
                           &settings.enabled, true, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("ratchet.environment",
                             "Names the environment of this server, such as production or staging.",
                             "A job with the option environments runs only where it is listed.",
                             &settings.environment, "", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("ratchet.node", "Names this server in the records of its runs.",
                             "Empty: cluster_name, else the name of the host and the port.",
                             &settings.node, "", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("ratchet.keep_history", "Sets how long the records of runs are kept.",
                          "The option keep_history of a job overrides it.", &settings.keep_history,
                          30 * 24 * 60, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN, nullptr, nullptr,
                          nullptr);
  DefineCustomIntVariable("ratchet.cancel_grace",
                          "Sets how long a run may ignore being canceled before it is terminated.",
                          nullptr, &settings.cancel_grace, 5000, 0, INT_MAX, PGC_SIGHUP,
                          GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("ratchet.max_workers_per_role",
                          "Sets how many workers a role may have at a time on the whole server.",
                          "0: one less than ratchet.max_workers, and at least one.",
                          &settings.max_workers_per_role, 0, 0, 1024, PGC_SIGHUP, 0, nullptr,
                          nullptr, nullptr);
  DefineCustomIntVariable(
      "ratchet.max_run_time", "Sets how long a run of a role that is no superuser may take.",
      "0: no limit. The option timeout of a job may set a shorter one.", &settings.max_run_time, 0,
      0, INT_MAX, PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("ratchet.only_if_timeout",
                          "Sets how long the query only_if of a job may take.",
                          "0: as long as the run itself.", &settings.only_if_timeout, 10000, 0,
                          INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("ratchet.worker_idle_timeout",
                          "Sets how long a worker without work stays.",
                          "It leaves at once when another role or database waits for a worker.",
                          &settings.worker_idle_timeout, 60000, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS,
                          nullptr, nullptr, nullptr);
  DefineCustomIntVariable("ratchet.worker_memory_limit",
                          "Replaces a worker that holds more memory than this between two runs.",
                          nullptr, &settings.worker_memory_limit, 128 * 1024, 8 * 1024,
                          MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable("ratchet.log_runs", "Sets which runs are reported in the server's log.",
                           nullptr, &settings.log_runs, static_cast<int>(LogRuns::kFailures),
                           kLogRunsOptions, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
}

// How batch jobs share the server with everybody else.
void DefineNeighbourSettings() {
  DefineCustomRealVariable("ratchet.pause_ratio",
                           "Sets the share of its time for which a run of a batch job is idle.",
                           "The option pause_ratio of a job overrides it.", &settings.pause_ratio,
                           0, 0, 0.99, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "ratchet.max_replication_lag",
      "Lets batch jobs wait while a standby is further behind than this.",
      "0: they do not wait. The option max_replication_lag of a job overrides it.",
      &settings.max_replication_lag, 0, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr,
      nullptr);
  DefineCustomIntVariable("ratchet.lock_timeout",
                          "Sets how long a batch waits for a lock before it gives way.",
                          "0: as long as any session does.", &settings.lock_timeout, 500, 0,
                          INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "ratchet.deadlock_timeout",
      "Sets how long a batch waits for a lock before it looks for a deadlock.",
      "Shorter than that of other sessions, the batch is the one that gives way. 0: the server's.",
      &settings.deadlock_timeout, 10, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr,
      nullptr);
}

// What is kept of what runs say.
void DefineMessageSettings() {
  DefineCustomIntVariable("ratchet.keep_messages",
                          "Sets how many messages of a run are kept, such as NOTICE and WARNING.",
                          "The first and the last ones. Also in the settings of a job. 0: none.",
                          &settings.keep_messages, 100, 0, 100000, PGC_USERSET, 0, nullptr, nullptr,
                          nullptr);
  DefineCustomIntVariable("ratchet.max_message_memory",
                          "Sets how much space the kept messages of a run may take.", nullptr,
                          &settings.max_message_memory, 64, 1, 64 * 1024, PGC_SIGHUP, GUC_UNIT_KB,
                          nullptr, nullptr, nullptr);
}

}  // namespace

void DefineSettings() {
  if (process_shared_preload_libraries_in_progress) {
    DefineServerStartSettings();
  }
  DefineReloadableSettings();
  DefineNeighbourSettings();
  DefineMessageSettings();
  DefineCustomStringVariable(
      "ratchet.default_time_zone", "Sets the time zone of jobs that are scheduled without one.",
      "Empty: the TimeZone of the session that schedules.", &settings.default_time_zone, "",
      PGC_USERSET, 0, CheckTimeZone, nullptr, nullptr);
  DefineCustomIntVariable(
      "ratchet.max_same_failures",
      "Ends a run of a batch job when so many items in a row fail in the same words.",
      "A whole batch of them at least. 0: never; they are set aside one by one.",
      &settings.max_same_failures, 50, 0, INT_MAX, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  MarkGUCPrefixReserved("ratchet");
}

bool ReadSettingsIfAsked() {
  if (ConfigReloadPending == 0) {
    return false;
  }
  ConfigReloadPending = 0;
  ProcessConfigFile(PGC_SIGHUP);
  return true;
}

const char* NodeName() {
  if (settings.node != nullptr && settings.node[0] != '\0') {
    return settings.node;
  }
  if (cluster_name != nullptr && cluster_name[0] != '\0') {
    return cluster_name;
  }
  // There may be several servers on a host.
  static char name[280] = "";
  if (name[0] == '\0') {
    char host[256] = "";
    const bool known = gethostname(host, sizeof(host) - 1) == 0;
    snprintf(name, sizeof(name), "%s:%d", known ? host : "localhost", PostPortNumber);
  }
  return name;
}

}  // namespace ratchet::pg
