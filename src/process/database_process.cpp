#include "process/database_process.h"

#include "board/process_board.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "process/start.h"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
}

namespace ratchet::process {
namespace {

// Whatever ALTER DATABASE or ALTER ROLE have set for people. What such a process writes is waited
// for by nobody, and its statements are its own.
constexpr const char* kSettings[][2] = {
    {"search_path", "pg_catalog, pg_temp"},
    {"default_transaction_read_only", "off"},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_deferrable", "off"},
    {"DateStyle", "ISO"},
    {"client_min_messages", "warning"},
};

void Connect(Oid database, const char* title) {
  pg::Call([database, title] {
    pg::IgnoreTransactionTimeout();
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
    for (const auto& setting : kSettings) {
      SetConfigOption(setting[0], setting[1], PGC_SUSET, PGC_S_OVERRIDE);
    }
    SetConfigOption("application_name", title, PGC_USERSET, PGC_S_SESSION);
    pgstat_report_appname(title);
    pgstat_report_activity(STATE_IDLE, nullptr);
  });
}

}  // namespace

bool DatabaseProcess::Attach() {
  entry_ = board::AttachToDatabase(kind(), database_);
  if (entry_ == nullptr) {
    return false;
  }
  Connect(database_, TitleOf(kind()));
  return true;
}

void DatabaseProcess::Detach() noexcept { board::DetachFromDatabase(); }

bool DatabaseProcess::MustLeave() const { return board::MustLeave(entry_, kind()); }

}  // namespace ratchet::process
