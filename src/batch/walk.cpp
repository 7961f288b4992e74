#include "batch/walk.h"

#include <algorithm>

#include "batch/in_the_way.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/settings.h"

extern "C" {
#include "utils/guc.h"
}

namespace ratchet::batch {
namespace {

constexpr int kMostResolved = 10'000;  // in one transaction

}  // namespace

Walk::Walk(const WalkRun& run, Host& host)
    : run_(run),
      definition_(*run.definition),
      host_(host),
      messages_(catalog::RunMessages::The()),
      pace_(*run.definition, run.slot),
      progress_(run.slot),
      size_(run.definition->batch_size, run.definition->batch_target),
      brake_(pg::settings.max_same_failures),
      retry_(static_cast<std::uint64_t>(run.ticket->run_id)) {
  ItemPointerSetInvalid(&now_.checkpoint);
  committed_ = now_;
}

void Walk::Run() {
  try {
    OpenSurely();
    while (!ended_) {
      if (Batch() && !ended_) {
        pace_.Rest(pg::AwakeNow() - began_, Limit());
      }
    }
  } catch (...) {
    TakeBack();
    throw;
  }
}

// The batch in hand will not commit.
void Walk::TakeBack() {
  now_ = committed_;
  messages_.TakeBatchBack();
}

// As in IsAtEnd, for a foreign table that looks empty.
void Walk::OpenSurely() {
  while (!TryOpen()) {
  }
  if (nothing_to_do_ && source_->reads_foreign_table()) {
    while (!TryOpen()) {
    }
  }
}

bool Walk::keeps_checkpoint() const {
  return definition_.mode == catalog::BatchMode::kIncremental && run_.ticket->walk == 0 &&
         !over_failed_items();
}

void Walk::AddErrorContext() const {
  errcontext("batch %lld", static_cast<long long>(committed_.counters.batches) + 1);
}

// False when it has to be tried again.
bool Walk::Batch() {
  began_ = pg::AwakeNow();
  messages_.BeginBatch(committed_.counters.batches + 1);
  clean_ = false;
  try {
    const bool interrupted = TryBatch();
    if (interrupted) {
      Wait(retry_.ShortWait());
    } else {
      size_.Took(done_.items, pg::AwakeNow() - began_);
    }
    return true;
  } catch (const SourceChanged&) {
    if (!DoAgain(true)) {
      throw;
    }
    return false;
  } catch (const pg::PgError& error) {
    ended_ = false;
    if (!clean_ && watch_.HasChanged() && DoAgain(false)) {
      return false;
    }
    if (!RollBackForStop(error) && !RollBack(error)) {
      throw;
    }
  } catch (const InTheWay&) {
    if (!TryAgainWithoutError()) {
      throw;
    }
  } catch (const pg::OldSnapshot& error) {
    if (!TryAgainWithoutError()) {
      throw;
    }
    ereport(DEBUG1, (errmsg_internal("batch is done again: %s", error.what())));
  }
  return false;
}

// True when it has been cut short.
bool Walk::TryBatch() {
  host_.Begin();
  snapshot_watch_.Begin();
  done_ = {};
  items_.Clear();
  more_ = false;
  tried_items_ = 0;
  saving_ = false;
  if ((tried_ && OutOfTime()) || host_.HasToEnd()) {
    more_ = true;  // a batch without items, to end the run
  } else if (!nothing_to_do_) {
    Renew();
    tried_items_ = std::min(size_.size(), work_.Reach());
    supply_->Fetch(now_.at, tried_items_, &items_, &more_);
    snapshot_watch_.Check(false);  // before anything is done with items that may be others
    if (!IsAsLookedUp()) {
      throw SourceChanged();
    }
    tried_items_ = items_.size();
  }
  tried_ = true;
  clean_ = true;
  const int settings = pg::Call([] { return NewGUCNestLevel(); });
  const bool interrupted = work_.Do(items_.size(), *this, &done_);
  // What an action has set for its session would lead the source of the next batch to other tables.
  pg::Call([settings] { AtEOXact_GUC(false, settings); });
  const bool any_failed = !done_.failures.empty();
  CloseBatch(interrupted);
  HoldForSave();
  snapshot_watch_.Check(any_failed);
  snapshot_watch_.End();
  saving_ = true;
  host_.Close();
  Save();
  ended_ ? host_.Finish(*this) : host_.Commit();
  NoteCommit();
  return interrupted;
}

std::int64_t Walk::Execute(int first, int count, int* in_hand) {
  return action_->Execute(items_, first, count, in_hand);
}

bool Walk::EndsBefore(const BatchDone& /*done*/) { return TooManyFailed() || ManyAlike(); }

RunLimit Walk::Limit() const {
  RunLimit limit{&host_};
  if (definition_.max_run_time > 0) {
    limit.time_over = run_.time_since + definition_.max_run_time;
  }
  limit.closes_at = run_.ticket->closes_at;
  return limit;
}

bool Walk::OutOfTime() const { return Limit().Left() <= 0; }

// A failure further ahead does not count yet: the items before it are still to be done.
bool Walk::TooManyFailed() const {
  if (definition_.max_failed_items < 0) {
    return false;
  }
  const auto failed = std::count_if(done_.failures.begin(), done_.failures.end(),
                                    [this](const Failure& one) { return one.item < done_.items; });
  return committed_.counters.items_failed + failed > definition_.max_failed_items;
}

// The other server takes its snapshot before it has the lock, too, and nobody here sees when a
// table has been rewritten there and looks empty. So an end that a foreign table has told of is one
// when the next transaction finds it again.
bool Walk::IsAtEnd(bool interrupted) {
  if (interrupted || more_ || done_.items < items_.size()) {
    ends_ = 0;
    return false;
  }
  ends_ = items_.size() > 0 ? 1 : ends_ + 1;
  return ends_ >= (source_->reads_foreign_table() ? 2 : 1);
}

// What is left to do as long as errors and cancels still belong to the batch.
void Walk::CloseBatch(bool interrupted) {
  // One that the batch was cut short before is met again by the next one.
  while (!done_.failures.empty() && done_.failures.back().item >= done_.items) {
    done_.failures.pop_back();
  }
  const bool brakes = Brakes();
  const std::string key_order = HasLabels(key_->order()) ? key_->signature() : std::string();
  messages_.NameItems([this](int item) { return text_->KeyIfItCan(items_, item); });
  for (Failure& failure : done_.failures) {
    failure.key = text_->KeyOf(items_, failure.item);
    failure.key_order = key_order;
    failure.row = text_->RowOf(items_, failure.item);
  }
  now_.at = supply_->PositionBehind(items_, done_.items, now_.at);
  // Labels that were renamed since are written by the new name, beside the old ones.
  if (!key_order.empty() && !IsAsLookedUp()) {
    throw SourceChanged();
  }
  board::RunCounters& counters = now_.counters;
  const auto failed = static_cast<std::int64_t>(done_.failures.size());
  counters.items_done += done_.items - failed;
  counters.items_failed += failed;
  counters.batches += done_.items > 0 ? 1 : 0;
  counters.rows_affected += done_.rows;
  const policy::AwakeTime now = pg::AwakeNow();
  const bool complete = IsAtEnd(interrupted);
  if (brakes) {
    ended_ = true;
    ending_ = Ending::kAllAlike;
  } else if (TooManyFailed()) {
    ended_ = true;
    ending_ = Ending::kTooManyFailed;
  } else if (complete) {
    if (key_may_be_null_) {
      source_->RefuseNullKeys();
    }
    ended_ = ResolveEarlier();
    ending_ = Ending::kComplete;
  } else if (OutOfTime()) {
    ended_ = true;
    ending_ = host_.HasToEnd()     ? Ending::kServerStops
              : Limit().IsClosed() ? Ending::kWindowClosed
                                   : Ending::kOutOfTime;
  } else {
    progress_.Refresh(*supply_, now_.at, counters.items_done + counters.items_failed, now);
  }
}

// A complete walk has come again to all items that earlier walks left as failed. False when there
// are more of them than one transaction should write: the next one, without items, goes on with
// them.
bool Walk::ResolveEarlier() {
  if (dry_run() || over_failed_items() || run_.ticket->replay_of != 0 ||
      definition_.mode != catalog::BatchMode::kFull) {
    return true;
  }
  const std::int64_t walk = run_.ticket->has_payload ? run_.ticket->walk : 0;
  return catalog::ResolveEarlierItems(run_.ticket->job_id, first_run_, walk, kMostResolved) <
         kMostResolved;
}

}  // namespace ratchet::batch
