#include "worker/session.h"

#include <sys/stat.h>

#include "board/database_board.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "pg/transaction.h"
#include "worker/session_names.h"
#include "worker/start_watch.h"

extern "C" {
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "commands/async.h"
#include "commands/prepare.h"
#include "commands/sequence.h"
#include "common/pg_prng.h"
#include "postmaster/bgworker.h"
#include "replication/origin.h"
#include "replication/slot.h"
#include "storage/lock.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
}

namespace ratchet::worker {
namespace {

// What DISCARD ALL does, except for two things. Plans are kept: they show nothing of an earlier
// run, and a job that calls PL/pgSQL would plan everything anew in each run (run.cpp drops them
// when another job's turn comes). Temporary tables are looked for only when there can be some.
void Discard(bool identity_changed, bool has_temporary_tables) {
  PortalHashTableDeleteAll();
  if (identity_changed) {
    SetPGVariable("session_authorization", NIL, false);
  }
  ResetAllOptions();
  DropAllPreparedStatements();
  Async_UnlistenAll();
  LockReleaseAll(USER_LOCKMETHOD, true);
  if (has_temporary_tables) {
    // What the catalogs say of a table may be stored out of line: deleting that takes a snapshot.
    PushActiveSnapshot(GetTransactionSnapshot());
    ResetTempTableNamespace();
    PopActiveSnapshot();
  }
  ResetSequenceCaches();
}

// What DISCARD ALL forgets. A base backup that a run has begun ends with its session only.
void DiscardMore() {
  if (MyReplicationSlot != nullptr) {
    ReplicationSlotRelease();
  }
  pg::DropTemporarySlots();
  if (pg::WritesForAnother()) {
    pg::WriteForMyself();
  }
  // After setseed() in one job, random() in the next one would return known numbers.
  DirectFunctionCall1(setseed, Float8GetDatum(pg_prng_double(&pg_global_prng_state) * 2 - 1));
}

// As the server does for a client, with its user and the settings of its role and database.
void LoadLibraries() {
  try {
    pg::Call([] { process_session_preload_libraries(); });
  } catch (const pg::PgError& error) {
    const ErrorData& data = error.data();
    ereport(FATAL, (errcode(data.sqlerrcode), errmsg("%s", error.what()),
                    data.detail != nullptr ? errdetail("%s", data.detail) : 0,
                    data.hint != nullptr ? errhint("%s", data.hint) : 0));
  }
}

const char* TextOf(const char* setting) { return setting != nullptr ? setting : ""; }

}  // namespace

Session::Session(Oid database, Oid role)
    : database_(database),
      role_(role),
      zones_epoch_(board::ZonesEpoch()),
      epoch_(board::SessionEpoch()) {
  const StartWatch watch;
  ListenForRoleChanges();
  pg::Call([=] { BackgroundWorkerInitializeConnectionByOid(database, role, 0); });
  user_ = GetUserId();
  struct stat here = {};
  if (stat(".", &here) == 0) {
    directory_ = here.st_ino;
    device_ = here.st_dev;
  }
  libraries_ = TextOf(session_preload_libraries_string);
  local_libraries_ = TextOf(local_preload_libraries_string);
  pg::Transaction transaction;
  made_from_ = SessionIdentity::Read(database, role);
  LearnSessionNames(role);
  ShowSessionNames();
  LoadLibraries();
  transaction.Commit();
  // What has changed in between may be in the session or not: it does not stay.
  if (RolesHaveChanged() || epoch_ != board::SessionEpoch()) {
    made_from_.reset();
  }
}

bool Session::Reset(TransactionWatch& transactions) noexcept {
  const bool identity_changed = !IsClean();
  try {
    pg::Call([identity_changed, &transactions] {
      StartTransactionCommand();
      Discard(identity_changed, transactions.HasUsedTemporaryTables());
      transactions.CommitNextAsynchronously();
      CommitTransactionCommand();
      DiscardMore();
    });
  } catch (const pg::PgError& error) {
    ereport(LOG, (errcode(error.sqlstate()),
                  errmsg("session of a ratchet worker could not be reset: %s", error.what()),
                  errdetail("The worker leaves, and another one takes its place.")));
    pg::AbortOpenTransaction();
    return false;
  }
  return IsClean() && IsInItsDirectory() && get_backup_status() == SESSION_BACKUP_NONE;
}

// The server's files are found from there. An untrusted language may have gone elsewhere.
bool Session::IsInItsDirectory() const {
  struct stat here = {};
  return stat(".", &here) == 0 && here.st_ino == directory_ && here.st_dev == device_;
}

bool Session::IsClean() const {
  Oid user = InvalidOid;
  int security_context = 0;
  GetUserIdAndSecContext(&user, &security_context);
  return user == user_ && security_context == 0 && GetSessionUserId() == role_ &&
         !IsTransactionOrTransactionBlock();
}

// The setting "role" of a role or a database makes its sessions begin as another role. A session
// keeps that when the membership that has allowed it is gone: so this is asked before each run.
bool Session::MayStillBeItsUser() const {
  if (user_ == role_) {
    return true;
  }
  pg::Transaction transaction;
  const bool may = pg::Call([this] {
    return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(user_)) && pg::MaySetRole(role_, user_);
  });
  transaction.Commit();
  return may;
}

// Looks at the catalogs only after somebody has changed something of this kind: any row of a role,
// which the server tells every process, or settings, and prepared transactions that may have
// changed some, which sessions with this library tell (catalog/commit_notice.cpp).
bool Session::IsAsItWas() {
  if (zones_epoch_ != board::ZonesEpoch() || !MayStillBeItsUser()) {
    return false;
  }
  const std::uint32_t epoch = board::SessionEpoch();
  if (!RolesHaveChanged() && epoch == epoch_) {
    return made_from_.has_value();
  }
  epoch_ = epoch;
  pg::Transaction transaction;
  // That its role is gone is for the run to find, which fails with that reason.
  const auto now = SessionIdentity::Read(database_, role_);
  const bool same = made_from_ && (!now || *made_from_ == *now);
  transaction.Commit();
  return same;
}

// A client that connects now would have others if the server's configuration has been changed.
bool Session::HasItsLibraries() const {
  return libraries_ == TextOf(session_preload_libraries_string) &&
         local_libraries_ == TextOf(local_preload_libraries_string);
}

bool Session::IsFresh(bool look_at_memory) {
  if (!HasItsLibraries() || !IsAsItWas()) {
    return false;
  }
  const Size limit = static_cast<Size>(pg::settings.worker_memory_limit) * 1024;
  return !look_at_memory || MemoryContextMemAllocated(TopMemoryContext, true) <= limit;
}

}  // namespace ratchet::worker
