#include "catalog/lock_blockers.h"

#include <algorithm>
#include <csignal>
#include <iterator>

#include "catalog/own_relations.h"
#include "pg/guard.h"
#include "pg/table.h"

extern "C" {
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/lsyscache.h"
}

namespace ratchet::catalog {
namespace {

// For whom a cancel is not enough: it is asked to end its session no sooner than this.
constexpr std::int64_t kGrace = USECS_PER_SEC;
constexpr int kMost = 8;

struct Found {
  Blocker blockers[kMost];
  int count = 0;
};

bool IsSame(const LOCKTAG& a, const LOCKTAG& b) {
  return a.locktag_field1 == b.locktag_field1 && a.locktag_field2 == b.locktag_field2 &&
         a.locktag_field3 == b.locktag_field3 && a.locktag_field4 == b.locktag_field4 &&
         a.locktag_type == b.locktag_type && a.locktag_lockmethodid == b.locktag_lockmethodid;
}

Oid RoleOf(int pid) {
  const PGPROC* process = pid != 0 ? BackendPidGetProc(pid) : nullptr;
  return process != nullptr ? process->roleId : InvalidOid;
}

// The strongest mode that is in the way; NoLock: none is.
LOCKMODE ConflictOf(const LockInstanceData& lock, LOCKMODE wanted) {
  for (LOCKMODE mode = AccessExclusiveLock; mode > NoLock; mode--) {
    if ((lock.holdMask & LOCKBIT_ON(mode)) != 0 && DoLockModesConflict(mode, wanted)) {
      return mode;
    }
  }
  return NoLock;
}

void Add(Found* found, const LockInstanceData& lock, LOCKMODE mode, bool holds) {
  if (found->count < kMost) {
    // A process that helps with a query of another one goes with that.
    const int pid = lock.leaderPid != 0 ? lock.leaderPid : lock.pid;
    found->blockers[found->count++] = {pid, RoleOf(pid), mode, holds};
  }
}

// As of this moment. For use inside of pg::Call.
void Look(const LockWait& wait, Found* found) {
  const LockData* locks = GetLockStatusData();
  for (int i = 0; i < locks->nelements; i++) {
    const LockInstanceData& lock = locks->locks[i];
    if (!IsSame(lock.locktag, wait.tag) || lock.pid == MyProcPid) {
      continue;
    }
    const LOCKMODE held = ConflictOf(lock, wait.mode);
    if (held != NoLock) {
      Add(found, lock, held, true);
    } else if (lock.waitLockMode != NoLock && DoLockModesConflict(lock.waitLockMode, wait.mode)) {
      Add(found, lock, lock.waitLockMode, false);
    }
  }
}

// Immediately before a signal: the process may have gone on meanwhile, or be another one.
bool IsStillThere(const LockWait& wait, const Blocker& blocker) {
  return pg::Call([&] {
    Found found;
    Look(wait, &found);
    return std::find(found.blockers, found.blockers + found.count, blocker) !=
           found.blockers + found.count;
  });
}

bool IsOnOurs(const LockWait& wait) {
  return wait.tag.locktag_type == LOCKTAG_RELATION && wait.tag.locktag_field1 == MyDatabaseId &&
         pg::Call([&wait] { return IsOurRelation(wait.tag.locktag_field2); });
}

// Whoever holds what is not ours has a right to it.
bool MayBeEnded(const LockWait& wait, const Blocker& blocker) {
  return blocker.pid != 0 && OidIsValid(blocker.role) && IsOnOurs(wait) &&
         !pg::Call([&blocker] { return superuser_arg(blocker.role); });
}

std::string NameOf(const LockWait& wait) {
  std::string name;
  pg::Call([&] {
    StringInfoData text;
    initStringInfo(&text);
    if (wait.tag.locktag_type == LOCKTAG_RELATION && wait.tag.locktag_field1 == MyDatabaseId) {
      const char* relation = get_rel_name(wait.tag.locktag_field2);
      const char* schema = get_namespace_name(get_rel_namespace(wait.tag.locktag_field2));
      appendStringInfo(&text, "%s.%s", schema != nullptr ? schema : "?",
                       relation != nullptr ? relation : "?");
    } else {
      DescribeLockTag(&text, &wait.tag);
    }
    name = text.data;
    pfree(text.data);
  });
  return name;
}

std::string WordsOf(const LockWait& wait, const Blocker& blocker) {
  std::string words;
  const std::string name = NameOf(wait);
  pg::Call([&] {
    const char* role = OidIsValid(blocker.role) ? GetUserNameFromId(blocker.role, true) : nullptr;
    const char* mode =
        GetLockmodeName(static_cast<LOCKMETHODID>(wait.tag.locktag_lockmethodid), blocker.mode);
    const char* who = blocker.pid == 0  ? "a prepared transaction"
                      : role == nullptr ? psprintf("process %d", static_cast<int>(blocker.pid))
                                        : psprintf("process %d of role \"%s\"",
                                                   static_cast<int>(blocker.pid), role);
    words = psprintf(blocker.holds ? "%s holds %s on %s" : "%s waits for %s on %s", who, mode,
                     name.c_str());
  });
  return words;
}

void Tell(const std::string& what, const char* step) {
  pg::Call([&what, step] {
    ereport(LOG, (errmsg("pg_ratchet: %s, and is in the way", what.c_str()),
                  errdetail_internal("%s", step), errhidestmt(true), errhidecontext(true)));
  });
}

}  // namespace

LockWait WaitForTable(const char* name, LOCKMODE mode) {
  LockWait wait{};
  const Oid table = pg::Call([name] { return pg::TableOid(name); });
  SET_LOCKTAG_RELATION(wait.tag, MyDatabaseId, table);
  wait.mode = mode;
  return wait;
}

void LockBlockers::Proceed(const LockWait& wait, const std::string& what, policy::SteadyTime now,
                           Known* known) {
  const bool again = known->step != Step::kNamed;
  if (again && (known->step == Step::kTerminated || now - known->since < kGrace)) {
    return;
  }
  if (!IsStillThere(wait, known->blocker)) {
    return;
  }
  kill(known->blocker.pid, again ? SIGTERM : SIGINT);
  known->step = again ? Step::kTerminated : Step::kCanceled;
  known->since = now;
  Tell(what, again ? "Its session is terminated." : "Its statement is canceled.");
}

std::string LockBlockers::MakeWay(const LockWait& wait, policy::SteadyTime now) {
  Found found;
  pg::Call([&] { Look(wait, &found); });
  std::vector<Known> known;
  std::copy_if(known_.begin(), known_.end(), std::back_inserter(known),
               [&wait](const Known& k) { return !IsSame(k.tag, wait.tag); });
  std::string words;
  for (int i = 0; i < found.count; i++) {
    const Blocker& blocker = found.blockers[i];
    const auto before =
        std::find_if(known_.begin(), known_.end(), [&blocker, &wait](const Known& k) {
          return IsSame(k.tag, wait.tag) && k.blocker.pid == blocker.pid &&
                 k.blocker.role == blocker.role;
        });
    const bool is_new = before == known_.end();
    known.push_back(is_new ? Known{wait.tag, blocker, Step::kNamed, now} : *before);
    known.back().blocker = blocker;
    const std::string what = WordsOf(wait, blocker);
    words += (words.empty() ? "" : "; ") + what;
    if (MayBeEnded(wait, blocker)) {
      Proceed(wait, what, now, &known.back());
    } else if (is_new) {
      Tell(what, blocker.pid == 0 ? "COMMIT PREPARED or ROLLBACK PREPARED ends it."
                                  : "It is left alone.");
    }
  }
  known_ = std::move(known);
  return words;
}

}  // namespace ratchet::catalog
