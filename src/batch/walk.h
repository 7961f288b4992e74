// One run of a batch job: batch after batch, each a transaction that commits the effects, the
// failed items, the checkpoint and the counters together; the last one the run's record as well.
//
//            ┌────────────────────────────── next batch ───────────────────────────────┐
//            ▼                                                                         │
//   Begin ─ Fetch ─ slices, each in a subtransaction ─ Hold ─ Close ─ Save ─ Commit ─ Rest
//                     │ an item's error: isolate              └── last: Finish (record, commit)
//                     │ lock, deadlock, serialization: commit what is done or abort; wait; smaller
//                     │ a snapshot older than what it has read: abort; wait; smaller
//                     └ any other error: the run ends behind the last batch that has committed
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "batch/action.h"
#include "batch/catalog_watch.h"
#include "batch/host.h"
#include "batch/isolated_work.h"
#include "batch/item_text.h"
#include "batch/key.h"
#include "batch/pace.h"
#include "batch/source.h"
#include "batch/supply.h"
#include "batch/walk_progress.h"
#include "batch/writers.h"
#include "board/board.h"
#include "catalog/checkpoint.h"
#include "catalog/job_version.h"
#include "catalog/run_messages.h"
#include "catalog/table_wait.h"
#include "pg/snapshot_watch.h"
#include "policy/batch_retry.h"
#include "policy/batch_size.h"
#include "policy/brake.h"
#include "policy/error_class.h"

namespace ratchet::batch {

// All of it outlives the walk.
struct WalkRun {
  int slot;  // on the board
  const board::RunTicket* ticket;
  const catalog::JobVersion* definition;
  policy::AwakeTime time_since;  // its time counts from here
  MemoryContext memory;          // outlives every transaction of the run
};

enum class Ending : std::uint8_t {
  kComplete,
  kOutOfTime,
  kWindowClosed,
  kServerStops,
  kTooManyFailed,
  kAllAlike
};

// So many items in a row that have failed in the same words, for which a run has ended.
struct Alike {
  std::int64_t count = 0;
  catalog::RunError error;  // of the first of those in the last batch
  std::string key;          // of the same
};

class Walk : private IsolatedWork::Owner {
 public:
  Walk(const WalkRun& run, Host& host);
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;
  ~Walk() override = default;

  // Returns after Host::Finish. When it throws, a transaction may be open, and what follows is that
  // of the batches which have committed.
  void Run();

  // For the record; in Host::Finish with the batch that is about to commit.
  const board::RunCounters& counters() const { return now_.counters; }
  const std::string& checkpoint_from() const { return from_; }
  // Empty when nothing has committed yet.
  const std::string& checkpoint_to() const { return now_.at; }
  // Under which both were written; empty before there is a key.
  const std::string& key_signature() const { return now_.signature; }
  // Why it may not have come to all items, although it is complete; empty: it has.
  const std::string& doubt() const { return doubt_; }
  Ending ending() const { return ending_; }
  const Alike& alike() const { return alike_; }
  // The next run goes on behind it, although this one is complete.
  bool keeps_checkpoint() const;
  // The first failed items of a dry run, as JSON; empty when there were none.
  std::string FailuresSeen() const;

  void AddErrorContext() const;

 private:
  struct Progress {
    std::string at;
    std::string signature;  // of the key by which `at` was written
    board::RunCounters counters{};
    ItemPointerData checkpoint;   // its row
    std::int64_t walk_began = 0;  // with this run, as the checkpoint says; 0: it is of no walk yet
  };

  // ---- walk_open.cpp
  void OpenSurely();
  void Open();
  void LookUp();
  std::string EndOfRange(bool goes_on);
  static void RequireNoForeignTable();
  std::string EndOfReplay(bool goes_on);
  std::optional<catalog::Checkpoint> GoOnBehind();
  bool IsOfAnotherTime(const catalog::Checkpoint& saved) const;
  bool WasIncremental(const catalog::Checkpoint& saved) const;
  void FindDoubts(const std::string& last);

  // ---- walk_renewal.cpp
  bool IsAsLookedUp();
  void Renew();
  bool DoAgain(bool aborts_cleanly);

  void TakeBack();
  bool Batch();
  bool TryBatch();
  std::int64_t Execute(int first, int count, int* in_hand) override;
  bool EndsBefore(const BatchDone& done) override;
  bool TooManyFailed() const;
  RunLimit Limit() const;
  bool OutOfTime() const;
  bool IsAtEnd(bool interrupted);
  void CloseBatch(bool interrupted);
  bool ResolveEarlier();

  // ---- walk_retry.cpp
  bool TryOpen();
  bool CutsShort(policy::ErrorClass what) override;
  bool RollBack(const pg::PgError& error);
  bool RollBackForStop(const pg::PgError& error);
  bool TryAgainLater();
  bool TryAgainWithoutError();
  bool TrySmaller(const ErrorData& error);
  void Wait(std::int64_t micros);

  // ---- walk_brake.cpp
  bool HasBrake() const;
  bool ManyAlike() const;
  bool Brakes();
  void NoteAlike();

  // ---- walk_save.cpp
  void HoldForSave();
  bool TryHoldForSave();
  void Save();
  void SaveCheckpoint();
  void NoteCommit();

  bool dry_run() const { return run_.ticket->dry_run; }
  bool over_failed_items() const { return run_.ticket->items_of != 0; }

  const WalkRun run_;
  catalog::TableWait table_wait_{run_.slot};
  const catalog::JobVersion& definition_;
  Host& host_;
  catalog::RunMessages& messages_;
  Shape shape_;
  std::optional<Key> key_;
  std::optional<ItemText> text_;
  std::optional<Source> source_;
  std::optional<Action> action_;
  std::unique_ptr<Supply> supply_;
  CatalogWatch watch_;  // of what these were made from
  bool renewing_ = false;
  int renewals_ = 0;                           // since a batch has committed
  std::vector<VirtualTransactionId> writers_;  // that are to be waited for
  pg::SnapshotWatch snapshot_watch_;
  Pace pace_;
  WalkProgress progress_;
  IsolatedWork work_;
  policy::BatchSize size_;
  policy::Brake brake_;
  policy::BatchRetry retry_;

  std::string from_;
  std::string doubt_;
  bool nothing_to_do_ = false;
  bool key_may_be_null_ = false;
  std::int64_t first_run_ = 0;  // of the walk
  Progress now_;                // with the batch in hand
  Progress committed_;
  bool ended_ = false;
  Ending ending_ = Ending::kComplete;
  std::vector<Failure> samples_;  // of a dry run
  // Failures at the end of what has committed, all in the same words: nothing is behind them.
  struct EarlierAlike {
    std::string from;  // the position before them
    std::vector<std::int64_t> item_ids;
  } earlier_alike_;
  Alike alike_;

  // The batch in hand.
  policy::AwakeTime began_{};
  Items items_;
  bool more_ = false;  // items behind it
  BatchDone done_;
  int tried_items_ = 0;  // to fetch, and then those that there were
  policy::Brake::Look look_{};
  std::string alike_from_;   // the position before the failures that are alike
  bool takes_back_ = false;  // what earlier batches have set aside of them
  bool clean_ = true;        // no error outside of a subtransaction
  bool saving_ = false;      // what fails now fails outside of one
  bool tried_ = false;       // there has been a batch
  int ends_ = 0;             // how often the end has been found, one time after the other
};

}  // namespace ratchet::batch
