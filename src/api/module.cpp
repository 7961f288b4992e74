// The library's entry point.
#include "api/table_use.h"
#include "api/utility_hook.h"
#include "board/board.h"
#include "catalog/commit_notice.h"
#include "catalog/session_patience.h"
#include "catalog/task_notice.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "pg/time_zone.h"
#include "process/start.h"

extern "C" {

RATCHET_MODULE_MAGIC(RATCHET_VERSION);

PGDLLEXPORT void _PG_init(void);

// Loaded at server start it does all its work; loaded by a session that calls a function, the SQL
// interface works and ratchet.status() says what is missing.
void _PG_init(void) {
  ratchet::pg::Entry([] {
    ratchet::pg::Call([] { ratchet::pg::DefineSettings(); });
    ratchet::catalog::InstallCommitNotice();
    ratchet::catalog::InstallTaskNotice();
    if (!process_shared_preload_libraries_in_progress) {
      return;
    }
    ratchet::catalog::InstallSessionPatience();
    ratchet::pg::NoteInheritedZones();
    ratchet::board::InstallSharedMemory();
    ratchet::api::InstallUtilityHook();
    ratchet::api::InstallTableUseHook();
    if (!IsBinaryUpgrade) {
      ratchet::process::RegisterAtServerStart(ratchet::board::ProcessKind::kLauncher);
    }
  });
}

}  // extern "C"
