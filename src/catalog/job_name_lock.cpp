#include "catalog/job.h"
#include "catalog/role_rights.h"
#include "pg/guard.h"

extern "C" {
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
}

#include <array>
#include <cstring>

namespace ratchet::catalog {
namespace {

// Classes of advisory locks: SQL's functions use 1 and 2, the lock of a job's run 3.
constexpr uint16 kNameLockClass = 4;
constexpr uint16 kDependencyLockClass = 5;

// A transaction that schedules thousands of jobs must not fill the lock table of the whole server.
// Beyond this many names it goes without locks: it then meets another transaction at the row of the
// job, for which it waits as well, or gets an error from the unique index when both make a job of
// the same name.
constexpr int kMostLocks = 500;

// Who has the lock on a name has a row of that name, or will have one in a moment.
constexpr int kMostLooks = 100;
constexpr long kLookEvery = 10'000;  // microseconds

bool MayLockOneMore() {
  static TransactionId transaction = InvalidTransactionId;
  static int locks = 0;
  const TransactionId current = GetTopTransactionId();
  if (transaction != current) {
    transaction = current;
    locks = 0;
  }
  return ++locks <= kMostLocks;
}

// For use inside pg::Call. Of a hash for which nobody finds a second name: others would wait for
// whoever holds that.
LOCKTAG TagOf(const std::string& job_name) {
  std::array<uint8, PG_SHA256_DIGEST_LENGTH> digest{};
  pg_cryptohash_ctx* hash = pg_cryptohash_create(PG_SHA256);
  if (hash == nullptr || pg_cryptohash_init(hash) < 0 ||
      pg_cryptohash_update(hash, reinterpret_cast<const uint8*>(job_name.data()), job_name.size()) <
          0 ||
      pg_cryptohash_final(hash, digest.data(), digest.size()) < 0) {
    elog(ERROR, "could not compute the hash of a job name");
  }
  pg_cryptohash_free(hash);
  std::array<uint32, 2> parts{};
  std::memcpy(parts.data(), digest.data(), sizeof(parts));
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, parts[0], parts[1], kNameLockClass);
  return tag;
}

[[noreturn]] void RefuseTaken(const std::string& job_name) {
  throw pg::Error(ERRCODE_DUPLICATE_OBJECT,
                  "job \"" + job_name + "\" is being defined by another transaction",
                  "Use another name, or wait until that transaction has ended.",
                  "The job will belong to another role.");
}

}  // namespace

void RefuseTakenName(const std::string& job_name, Oid owner) {
  const Oid taken_by = OwnerOfName(job_name);
  if (OidIsValid(taken_by) && taken_by != owner) {
    RefuseTaken(job_name);
  }
}

void LockJobName(const std::string& job_name, Oid owner) {
  // The caller is about to write, so it needs a transaction id anyway.
  if (!pg::Call([] { return MayLockOneMore(); })) {
    return;
  }
  const LOCKTAG tag = pg::Call([&job_name] { return TagOf(job_name); });
  const auto lock = [&tag](bool at_once) {
    return pg::Call([&tag, at_once] { return LockAcquire(&tag, ExclusiveLock, false, at_once); }) !=
           LOCKACQUIRE_NOT_AVAIL;
  };
  for (int looks = 0; !lock(true); looks++) {
    const Oid taken_by = OwnerOfName(job_name);
    if (taken_by == owner) {
      lock(false);
      return;
    }
    if (OidIsValid(taken_by) || looks == kMostLooks) {
      RefuseTaken(job_name);
    }
    pg::Call([] {
      CHECK_FOR_INTERRUPTS();
      pg_usleep(kLookEvery);
    });
  }
}

void LockDependencies(Oid owner) {
  const Oid group = GroupOf(owner);
  pg::Call([group] {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, group, 0, kDependencyLockClass);
    LockAcquire(&tag, ExclusiveLock, false, false);
  });
}

}  // namespace ratchet::catalog
