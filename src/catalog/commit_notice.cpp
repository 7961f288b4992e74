#include "catalog/commit_notice.h"

#include <algorithm>
#include <vector>

#include "board/change_board.h"
#include "board/database_board.h"
#include "board/run_board.h"
#include "board/run_waits.h"
#include "board/sender_board.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/never_destroyed.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::catalog {
namespace {

// Beyond this many the scheduler is told to read everything, which is cheaper then.
constexpr std::size_t kMostNotices = board::kChangeRingSize;

struct Cancel {
  std::int64_t run_id;
  Oid by;
  SubTransactionId savepoint;
};

struct NotedChange {
  TableChange change;
  SubTransactionId savepoint;
};

// What the transaction that is under way has touched.
struct Pending {
  std::vector<board::Change> changes;
  std::vector<board::Change> held;  // told after a rollback, too
  std::vector<Cancel> cancels;
  std::vector<NotedChange> table_changes;
  bool everything = false;
  bool session_settings = false;
  bool databases = false;
  bool runs_recorded = false;
  bool deliveries = false;

  bool Any() const {
    return !changes.empty() || !held.empty() || !cancels.empty() || !table_changes.empty() ||
           everything || session_settings || databases || runs_recorded || deliveries;
  }
  void Clear() {
    changes.clear();
    held.clear();
    cancels.clear();
    table_changes.clear();
    everything = session_settings = databases = runs_recorded = deliveries = false;
  }
};

Pending& ThePending() {
  static pg::NeverDestroyed<Pending> pending;
  return *pending;
}

void Note(board::Change change) {
  Pending& pending = ThePending();
  if (pending.everything) {
    return;
  }
  const auto same = [&](const board::Change& other) {
    return other.kind == change.kind && other.id == change.id;
  };
  // Repeated changes of one thing come close together.
  const auto recent =
      pending.changes.size() > 8 ? pending.changes.end() - 8 : pending.changes.begin();
  if (std::any_of(recent, pending.changes.end(), same)) {
    return;
  }
  if (pending.changes.size() >= kMostNotices) {
    pending.everything = true;
    pending.changes.clear();
    return;
  }
  pending.changes.push_back(change);
}

void CancelRuns(const std::vector<Cancel>& cancels) {
  if (board::TheBoard() == nullptr) {
    return;
  }
  for (const Cancel& cancel : cancels) {
    board::Cancel(MyDatabaseId, cancel.run_id, cancel.by, [](Oid /*owner*/) { return true; });
  }
}

// A transaction without an id has written nothing: its statements found no rows.
void AskForRunsOnChange(const std::vector<NotedChange>& changes) {
  if (changes.empty() || !TransactionIdIsValid(GetTopTransactionIdIfAny())) {
    return;
  }
  const policy::SteadyTime now = pg::SteadyNow();
  for (const auto& [change, savepoint] : changes) {
    board::AnnounceTableChange(
        MyDatabaseId, {board::Change::kTableChange, change.job_id, change.job_born, change.made_by,
                       now + change.debounce});
  }
}

void Tell() {
  Pending& pending = ThePending();
  AskForRunsOnChange(pending.table_changes);
  CancelRuns(pending.cancels);
  if (!pending.changes.empty() || pending.everything) {
    board::NoteChanges(MyDatabaseId, pending.changes, pending.everything);
  }
  if (pending.session_settings) {
    board::NewSessionEpoch();
  }
  if (pending.databases) {
    board::NoteNewDatabases();
  }
  if (pending.runs_recorded && board::TheBoard() != nullptr) {
    board::AnnounceRecorded();
  }
  if (pending.deliveries) {
    board::WakeSenders(MyDatabaseId);
  }
  pending.Clear();
}

void TellOfRollback() {
  Pending& pending = ThePending();
  if (!pending.held.empty()) {
    board::NoteChanges(MyDatabaseId, pending.held, false);
  }
  pending.Clear();
}

template <typename Notice>
void EndSavepoint(std::vector<Notice>* notices, bool keep, SubTransactionId own,
                  SubTransactionId parent) {
  if (!keep) {
    std::erase_if(*notices, [own](const Notice& notice) { return notice.savepoint == own; });
    return;
  }
  for (Notice& notice : *notices) {
    notice.savepoint = notice.savepoint == own ? parent : notice.savepoint;
  }
}

// What else is noted in a savepoint that is rolled back makes the scheduler look in vain; a cancel
// would be carried out, and a job would run.
void AtSavepointEnd(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
                    void* /*argument*/) {
  if (event == SUBXACT_EVENT_ABORT_SUB || event == SUBXACT_EVENT_COMMIT_SUB) {
    const bool keep = event == SUBXACT_EVENT_COMMIT_SUB;
    EndSavepoint(&ThePending().cancels, keep, own, parent);
    EndSavepoint(&ThePending().table_changes, keep, own, parent);
  }
}

void AtTransactionEnd(XactEvent event, void* /*argument*/) {
  switch (event) {
    case XACT_EVENT_COMMIT:
      if (ThePending().Any()) {
        Tell();
      }
      break;
    case XACT_EVENT_PRE_PREPARE:
      if (!ThePending().cancels.empty()) {
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot PREPARE a transaction that has canceled a run"),
                        errhint("Cancel the run in a transaction of its own.")));
      }
      break;
    // COMMIT PREPARED happens elsewhere: the hook on it (api/utility_hook.cpp) notes everything.
    case XACT_EVENT_PREPARE:
      if (!ThePending().table_changes.empty()) {
        board::NotePreparedChanges(MyDatabaseId);
      }
      [[fallthrough]];
    case XACT_EVENT_ABORT:
      if (ThePending().Any()) {
        TellOfRollback();
      }
      break;
    default:
      break;
  }
}

}  // namespace

void NoteJobChanged(std::int64_t job_id) { Note({board::Change::kJob, job_id}); }
void NoteRunQueued(std::int64_t run_id) { Note({board::Change::kRun, run_id}); }
void NoteRunHeld(std::int64_t run_id) {
  NoteRunQueued(run_id);
  if (ThePending().held.size() < kMostNotices) {
    ThePending().held.push_back({board::Change::kRun, run_id});
  }
}
void NoteCancel(std::int64_t run_id) {
  ThePending().cancels.push_back({run_id, GetUserId(), GetCurrentSubTransactionId()});
}
// Every entry is of this savepoint or of one around it, for others are gone or have moved: so one
// that is there already will be told if this one would be.
void NoteTableChange(const TableChange& change) {
  std::vector<NotedChange>& noted = ThePending().table_changes;
  for (const auto& [known, savepoint] : noted) {
    if (known.job_id == change.job_id && known.job_born == change.job_born &&
        known.made_by == change.made_by && known.debounce <= change.debounce) {
      return;
    }
  }
  noted.push_back({change, GetCurrentSubTransactionId()});
}
void NoteRunsRecorded() { ThePending().runs_recorded = true; }
void NoteMessagesChanged() { Note({board::Change::kMessages, 0}); }
void NoteDelivery() { ThePending().deliveries = true; }
void NoteStatReset(std::int64_t job_id) { Note({board::Change::kStatReset, job_id}); }
void NoteEverythingChanged() {
  ThePending().everything = true;
  ThePending().changes.clear();
}
void NoteSessionSettingsChanged() { ThePending().session_settings = true; }
void NoteDatabasesCreated() { ThePending().databases = true; }

void InstallCommitNotice() {
  RegisterXactCallback(AtTransactionEnd, nullptr);
  RegisterSubXactCallback(AtSavepointEnd, nullptr);
}

}  // namespace ratchet::catalog
