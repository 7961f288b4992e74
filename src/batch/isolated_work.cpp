#include "batch/isolated_work.h"

#include <algorithm>

#include "batch/failure_words.h"
#include "pg/clock.h"
#include "pg/subtransaction.h"
#include "policy/batch_size.h"

namespace ratchet::batch {
namespace {

// PGPROC remembers this many subtransactions that wrote, less a few; with more, every snapshot on
// the server gets dearer. A batch that comes near is committed there.
constexpr int kMostWritingSavepoints = 60;

// What a savepoint costs beside setting and releasing it, which takes less than the clock's
// microsecond: its transaction id, the start of the executor for its slice, and its share of the
// commit that sixty of them make necessary. Measured: 3 to 5 microseconds.
constexpr std::int64_t kHiddenCost = 4;

// What is said while a slice is executed is said of the item in hand, and by work that is taken
// back unless the slice goes well.
class SliceMessages {
 public:
  SliceMessages(catalog::RunMessages& messages, const int* in_hand)
      : messages_(messages), since_(messages.said()) {
    messages_.SetItemInHand(in_hand);
  }
  SliceMessages(const SliceMessages&) = delete;
  SliceMessages& operator=(const SliceMessages&) = delete;
  ~SliceMessages() {
    messages_.SetItemInHand(nullptr);
    if (!kept_) {
      messages_.TakeBack(since_);
    }
  }
  void Keep() { kept_ = true; }

 private:
  catalog::RunMessages& messages_;
  std::int64_t since_;
  bool kept_ = false;
};

}  // namespace

policy::ErrorClass IsolatedWork::Owner::ClassOf(const pg::PgError& error) {
  return batch::ClassOf(error);
}

int IsolatedWork::Reach() const {
  const double rate = isolation_.failure_rate();
  if (rate <= 0) {
    return policy::BatchSize::kMax;
  }
  const double items =
      1.1 * kMostWritingSavepoints * isolation_.savepoint_distance() / (1 - std::min(rate, 0.9));
  return std::max(kMostWritingSavepoints, static_cast<int>(items));
}

bool IsolatedWork::Do(int items, Owner& owner, BatchDone* done) {
  *done = {};
  isolation_.BeginBatch(items);
  writing_savepoints_ = 0;
  while (!isolation_.Done()) {
    const policy::ItemIsolation::Slice slice = isolation_.Next();
    done->items = slice.first;
    if ((writing_savepoints_ >= kMostWritingSavepoints && isolation_.CanStop()) ||
        owner.EndsBefore(*done)) {
      return false;
    }
    try {
      Try(slice, owner, done);
    } catch (const pg::PgError& error) {
      if (done->items == 0 || !owner.CutsShort(owner.ClassOf(error))) {
        throw;
      }
      return true;
    }
  }
  done->items = items;
  return false;
}

void IsolatedWork::Try(const policy::ItemIsolation::Slice& slice, Owner& owner, BatchDone* done) {
  const policy::AwakeTime begun = pg::AwakeNow();
  int in_hand = -1;
  SliceMessages said(messages_, &in_hand);
  catalog::RunError error;
  std::string words;
  {
    pg::Subtransaction savepoint;
    const policy::AwakeTime opened = pg::AwakeNow();
    try {
      const std::int64_t rows = owner.Execute(slice.first, slice.count, &in_hand);
      const policy::AwakeTime executed = pg::AwakeNow();
      const bool wrote = pg::Subtransaction::HasWritten();
      savepoint.Release();
      said.Keep();
      done->rows += rows;
      writing_savepoints_ += wrote ? 1 : 0;
      isolation_.Succeeded(executed - opened,
                           pg::AwakeNow() - begun - (executed - opened) + kHiddenCost);
      return;
    } catch (const pg::PgError& failure) {
      if (owner.ClassOf(failure) != policy::ErrorClass::kItem) {
        throw;
      }
      error = catalog::ErrorOf(failure.data());
      words = WordsOf(failure.data());
    }
  }
  const int culprit = in_hand >= 0 ? in_hand : policy::ItemIsolation::kUnknown;
  const int condemned = isolation_.Failed(culprit);
  if (condemned != policy::ItemIsolation::kNone) {
    std::vector<Failure>& failures = done->failures;
    const auto before = std::find_if(failures.begin(), failures.end(),
                                     [&](const Failure& other) { return other.item > condemned; });
    failures.insert(before, {condemned, std::move(error), std::move(words), {}, {}, {}, 0});
  }
}

}  // namespace ratchet::batch
