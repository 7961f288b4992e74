#include "process/recover.h"

#include "pg/guard.h"
#include "pg/transaction.h"

extern "C" {
#include "pgstat.h"
#include "storage/lwlock.h"
#include "utils/wait_event.h"
}

namespace ratchet::process {

void Recover() noexcept {
  LWLockReleaseAll();
  pgstat_report_wait_end();
  if (IsTransactionState() || IsAbortedTransactionBlockState()) {
    pg::AbortOpenTransaction();
  }
}

void ReportAndRecover(const char* activity, const std::exception& error) noexcept {
  const auto* server_error = dynamic_cast<const pg::PgError*>(&error);
  const auto* own_error = dynamic_cast<const pg::Error*>(&error);
  const int code = server_error != nullptr ? server_error->sqlstate()
                   : own_error != nullptr  ? own_error->sqlstate()
                                           : ERRCODE_INTERNAL_ERROR;
  Recover();
  ereport(LOG, (errcode(code), errmsg("pg_ratchet: %s failed: %s", activity, error.what()),
                server_error != nullptr && server_error->data().context != nullptr
                    ? errdetail_internal("%s", server_error->data().context)
                    : 0));
}

}  // namespace ratchet::process
