#include "worker/task_stretch.h"

#include <algorithm>

#include "batch/failure_words.h"
#include "batch/task_shape.h"
#include "board/run_board.h"
#include "board/stretch_board.h"
#include "board/worker_board.h"
#include "catalog/job.h"
#include "catalog/queue.h"
#include "catalog/run_messages.h"
#include "catalog/task_claim.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/last_words.h"
#include "pg/transaction.h"
#include "worker/cancel_window.h"
#include "worker/planned_stop.h"
#include "worker/time_bound.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/wait_event.h"
}

namespace ratchet::worker {
namespace {

// So long it waits for tasks, if nobody waits for its worker.
constexpr std::int64_t kLinger = 200'000;
// After so long the run is recorded, and another one goes on.
constexpr std::int64_t kLongest = 300'000'000;
// The first batch, when nothing is known of what a task takes.
constexpr int kFirstBatch = 32;
// Of more tasks the claim is on disk before they are begun: as much as a crash would let be
// executed again by one process after the other.
constexpr std::size_t kManyTasks = 16;
// After a server has started it may be a task that has brought it down.
constexpr std::int64_t kAfterStart = 60'000'000;
// A batch that others stand in the way of so often is committed, and the rest is for later.
constexpr int kMostInTheWay = 3;
// So many first ones that fail for the handler's fault are enough to know that it is.
constexpr std::size_t kMostAtFault = 5;

// This process has one at a time.
TaskStretch* in_process = nullptr;

// Whatever fails is one task's own fault, unless somebody wants it all to end: a queue must not
// stand still because of one of its tasks, such as the only one whose foreign server is away. When
// all fail alike, that is noticed elsewhere (IsHandlersFault).
policy::ErrorClass ForTask(const pg::PgError& error, int slot) {
  const bool is_canceled =
      error.sqlstate() == ERRCODE_QUERY_CANCELED &&
      (CancelHasCome() || board::CancelReasonOf(slot) != board::CancelReason::kNotCanceled);
  return is_canceled || IsByStop(error.sqlstate(), slot) ? policy::ErrorClass::kEndRun
                                                         : policy::ErrorClass::kItem;
}

// Of which the server ends a process.
bool IsTimeout(int sqlstate) {
  const std::string_view code = unpack_sql_state(sqlstate);
  return code == "25P04" || code == "25P03" || code == "57P05";  // of transactions, idle sessions
}

policy::ErrorClass ClassOf(const catalog::RunError& error) {
  return policy::ClassOf(unpack_sql_state(error.sqlstate));
}

// What would come again with any task: of these alone nobody can say whose fault they are. A
// time-out is that of a task.
bool MayBeHandlersFault(const catalog::RunError& error) {
  const policy::ErrorClass what =
      error.sqlstate == ERRCODE_QUERY_CANCELED ? policy::ErrorClass::kItem : ClassOf(error);
  return what == policy::ErrorClass::kFailRun || what == policy::ErrorClass::kEndRun;
}

int FirstBatch(const catalog::JobVersion& definition) {
  return definition.batch_target > 0 ? std::min(definition.batch_size, kFirstBatch)
                                     : definition.batch_size;
}

std::string KeyOf(std::int64_t task_id) { return "{\"task_id\": " + std::to_string(task_id) + "}"; }

}  // namespace

TaskStretch::TaskStretch(RunScope& scope, const catalog::JobVersion& definition, batch::Host& host)
    : scope_(scope),
      definition_(definition),
      host_(host),
      size_(FirstBatch(definition), definition.batch_target) {
  size_.Bound(std::min(definition.batch_size, board::kMostTasks));
  tasks_.reserve(board::kMostTasks);
  rules_.run_id = scope.ticket().run_id;
}

TaskStretch::~TaskStretch() {
  in_process = nullptr;
  if (stretch_ != board::kNone) {
    board::LeaveStretch(stretch_);
  }
}

// Who alters the queue ends the stretches that are on the board. One that gets there later reads
// what is valid from then on; but what it is to do is that of the version with which the run was
// begun. Then there is nothing to do for it.
bool TaskStretch::Open() {
  const std::int64_t queue_id = definition_.job_id;
  stretch_ = board::OpenStretch(scope_.slot(), queue_id, Wants());
  if (stretch_ == board::kNone) {
    return false;
  }
  static bool installed = false;
  if (!installed) {
    pg::Call([] { before_shmem_exit(AtExit, 0); });
    installed = true;
  }
  in_process = this;
  pg::Transaction transaction;
  const auto queue = catalog::FindQueue(queue_id);
  const auto job = catalog::FindJob(queue_id);
  if (!queue || !job) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "the queue has been dropped", {});
  }
  rules_.task.backoff = {job->backoff, job->backoff_factor, job->backoff_cap, job->backoff_jitter};
  rules_.task.max_attempts = job->max_attempts;
  rules_.task.max_crashes = queue->max_crashes;
  rules_.keeps_completed = queue->retention > 0;
  synchronous_ = queue->synchronous;
  board::RunTicket bounded = scope_.ticket();
  bounded.timeout = definition_.timeout;
  const bool is_bound = BoundRunTime(&bounded);
  limits_.SetTimeout(bounded.timeout);
  longest_ = is_bound ? std::min(kLongest, bounded.timeout / 2) : kLongest;
  transaction.Commit();
  return job->version == scope_.ticket().version;
}

// In whatever state the process is.
void TaskStretch::AtExit(int /*code*/, Datum /*argument*/) {
  if (in_process != nullptr) {
    board::SayHowItDies(in_process->HowItDies(), in_process->tasks_);
  }
}

board::StretchDeath TaskStretch::HowItDies() const {
  board::StretchDeath death{board::StretchDeath::kUnknown, pg::TheLastWords().sqlstate, 0, {}};
  const int item = ItemInHand();
  const bool has_failed = TaskLimits::EndsProcess() || IsTimeout(death.sqlstate);
  if (!has_failed && (IsTerminatedByOthers() || StopIsAsked() ||
                      board::CancelReasonOf(scope_.slot()) != board::CancelReason::kNotCanceled)) {
    death.kind = board::StretchDeath::kEnded;
  } else if (item >= 0) {
    death.kind = has_failed ? board::StretchDeath::kFailed : board::StretchDeath::kCrashed;
    death.culprit = batch_->IdOf(item);
  }
  const char* said = pg::TheLastWords().message;
  if (TaskLimits::EndsProcess()) {
    death.sqlstate = ERRCODE_QUERY_CANCELED;
    said = limits_.Message();
  }
  strlcpy(death.error, said, sizeof(death.error));
  return death;
}

int TaskStretch::Wants() const { return size_.size(); }

void TaskStretch::Run() {
  ForgetCancel();
  bool goes_on = Open();
  while (goes_on && GoesOn()) {
    pg::Call([] { CHECK_FOR_INTERRUPTS(); });
    switch (board::TakeTasks(stretch_, &tasks_)) {
      case board::StretchTurn::kTasks:
        idle_since_ = {};
        DoHandOut();
        break;
      case board::StretchTurn::kNothing:
        goes_on = Wait();
        break;
      case board::StretchTurn::kEnd:
        goes_on = false;
        break;
    }
  }
}

bool TaskStretch::GoesOn() const {
  return !host_.HasToEnd() && pg::SteadyNow() - scope_.begun() < longest_;
}

// False when it has been in vain for long enough.
bool TaskStretch::Wait() {
  const policy::AwakeTime now = pg::AwakeNow();
  if (!idle_since_.IsSet()) {
    idle_since_ = now;
  }
  const std::int64_t left = idle_since_ + kLinger - now;
  if (left <= 0 || board::WorkerIsWantedElsewhere(scope_.slot())) {
    return !board::StopWaiting(stretch_);
  }
  pg::Call([left] {
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
              static_cast<long>(left / 1000 + 1), PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
  });
  return true;
}

// ---- A hand-out

void TaskStretch::DoHandOut() {
  for (board::HandedTask& task : tasks_) {
    task.end = board::TaskEnd::kUnknown;
  }
  batch_.emplace(tasks_);
  Claim();
  const policy::AwakeTime begun = pg::AwakeNow();
  do {
    DoBatch();
  } while (!batch_->IsDone() && GoesOn() && !board::StretchHasToEnd(stretch_) &&
           pg::AwakeNow() - begun < std::max<std::int64_t>(definition_.batch_target, kLinger));
  GiveBack();
}

// In the order in which it becomes true: the claim is gone before anybody may take the tasks.
void TaskStretch::GiveBack() {
  if (claimed_) {
    EndClaim();
  }
  Answer();
}

void TaskStretch::Answer() {
  batch_.reset();
  if (tasks_.empty()) {
    return;
  }
  for (board::HandedTask& task : tasks_) {
    if (task.end == board::TaskEnd::kUnknown) {
      task.end = board::TaskEnd::kAgain;
    }
  }
  board::Answer(stretch_, tasks_, Wants());
  tasks_.clear();
}

// A crash of the server may take back a claim that is not on disk, and then the tasks are done
// again as if nothing had been. So a claim waits for the disk where that may be why it crashed.
bool TaskStretch::IsToBeFlushed() const {
  const bool is_suspect = std::any_of(tasks_.begin(), tasks_.end(),
                                      [](const board::HandedTask& task) { return task.alone; });
  return is_suspect || tasks_.size() >= kManyTasks ||
         pg::Now().wall - board::TheBoard()->server_start < kAfterStart;
}

void TaskStretch::Claim() {
  std::vector<std::int64_t> ids;
  ids.reserve(tasks_.size());
  for (const board::HandedTask& task : tasks_) {
    ids.push_back(task.task_id);
  }
  pg::Transaction transaction;
  catalog::InsertTaskClaim(rules_.run_id, definition_.job_id, ids, &claim_);
  if (!IsToBeFlushed()) {
    scope_.transactions().CommitNextAsynchronously();
  }
  transaction.Commit();
  claimed_ = true;
}

void TaskStretch::EndClaim() {
  pg::Transaction transaction;
  catalog::DeleteTaskClaim(rules_.run_id, &claim_);
  scope_.transactions().CommitNextAsynchronously();
  transaction.Commit();
  claimed_ = false;
}

// ---- A batch of it

void TaskStretch::DoBatch() {
  const policy::AwakeTime begun = pg::AwakeNow();
  catalog::RunMessages::The().BeginBatch(counters_.batches + 1);
  try {
    Work();
  } catch (...) {
    batch_->RolledBack();
    catalog::RunMessages::The().TakeBatchBack();
    throw;
  }
  NoteCommit();
  size_.Took(done_.items, pg::AwakeNow() - begun);
}

void TaskStretch::Work() {
  host_.Begin();
  pg::Call([this] { limits_.TakeSession(); });
  batch_->Hold(static_cast<std::size_t>(work_.Reach()), rules_.run_id);
  if (!action_) {
    Prepare();
  }
  receiver_.memory = CurrentMemoryContext;
  const int settings = pg::Call([] { return NewGUCNestLevel(); });
  work_.Do(batch_->items().size(), *this, &done_);
  // What a handler has set for its session would be there for the next task.
  pg::Call([settings] { AtEOXact_GUC(false, settings); });
  if (IsHandlersFault()) {
    const catalog::RunError& error = done_.failures.front().error;
    throw pg::Error(error.sqlstate, error.message, error.hint, error.detail);
  }
  NameTimeouts();
  NameMessages();
  host_.Close();
  batch_->Save(done_, rules_);
  if (batch_->WillBeDone()) {
    catalog::DeleteTaskClaim(rules_.run_id, &claim_);
  }
  if (!synchronous_) {
    scope_.transactions().CommitNextAsynchronously();
  }
  host_.Commit();
}

void TaskStretch::Prepare() {
  action_.emplace(definition_.action, batch::TaskShape(), definition_.per);
  if (definition_.per != catalog::Per::kItem) {
    return;
  }
  if (rules_.keeps_completed) {
    InitResultReceiver(&receiver_, CurrentMemoryContext);
    action_->SendRowsTo(&receiver_.receiver);
  }
  action_->WatchItems({BeginItem, this});
}

void TaskStretch::NameTimeouts() {
  for (batch::Failure& failure : done_.failures) {
    if (failure.error.sqlstate == ERRCODE_QUERY_CANCELED && limits_.HasAny()) {
      failure.error.message = limits_.Message();
    }
  }
}

void TaskStretch::NameMessages() {
  catalog::RunMessages::The().NameItems([this](int item) { return KeyOf(batch_->IdOf(item)); });
}

void TaskStretch::NoteCommit() {
  claimed_ = claimed_ && !batch_->WillBeDone();
  batch_->Committed();
  counters_.items_done += batch_->completed();
  counters_.items_failed += batch_->failed();
  counters_.rows_affected += done_.rows;
  counters_.batches++;
  board::SetCommitted(scope_.slot(), counters_, counters_.items_done + counters_.items_failed, -1);
}

// Several in a row, and nothing has gone well: it is not the tasks. One alone may be.
bool TaskStretch::IsHandlersFault() const {
  const std::vector<batch::Failure>& failures = done_.failures;
  return failures.size() > 1 && static_cast<int>(failures.size()) >= done_.items &&
         std::all_of(failures.begin(), failures.end(), [](const batch::Failure& failure) {
           return MayBeHandlersFault(failure.error);
         });
}

bool TaskStretch::EndsBefore(const batch::BatchDone& done) {
  const auto in_the_way =
      std::count_if(done.failures.begin(), done.failures.end(), [](const batch::Failure& failure) {
        return worker::ClassOf(failure.error) == policy::ErrorClass::kRetry;
      });
  return done.items > 0 && (in_the_way >= kMostInTheWay ||
                            (done.failures.size() >= kMostAtFault && IsHandlersFault()));
}

// ---- A slice of that

std::int64_t TaskStretch::Execute(int first, int count, int* in_hand) {
  for (int item = first; item < first + count; item++) {
    batch_->WishOf(item) = {};
    batch_->SetResult(item, nullptr);
  }
  result_of_ = -1;
  in_hand_ = in_hand;
  only_one_ = count == 1 ? first : -1;
  slice_end_ = first + count;
  pg::Call([this, count] { limits_.Start(count); });
  try {
    const std::int64_t rows = action_->Execute(batch_->items(), first, count, in_hand);
    TaskLimits::Stop(scope_.slot());
    NoteResult();
    pg::Call([this] { ForgetSettings(); });
    in_hand_ = nullptr;
    return rows;
  } catch (...) {
    TaskLimits::Stop(scope_.slot());
    settings_of_item_ = 0;  // undone with the slice
    in_hand_ = nullptr;
    throw;
  }
}

// Less than 0: none, or several.
int TaskStretch::ItemInHand() const {
  if (in_hand_ == nullptr) {
    return -1;
  }
  return *in_hand_ >= 0 ? *in_hand_ : only_one_;
}

InTask TaskStretch::FindTask(CurrentTask* task) {
  *task = {scope_.ticket().owner, 0, 0, nullptr};
  if (in_hand_ == nullptr) {
    return InTask::kNo;
  }
  const int item = ItemInHand();
  if (item < 0) {
    return InTask::kSeveral;
  }
  *task = {task->owner, batch_->IdOf(item), batch_->AttemptOf(item), &batch_->WishOf(item)};
  return InTask::kYes;
}

bool TaskStretch::Holds(std::int64_t task_id) {
  for (int item = 0; in_hand_ != nullptr && item < batch_->items().size(); item++) {
    if (batch_->IdOf(item) == task_id) {
      return true;
    }
  }
  return false;
}

// Of several at once all are in hand; of one after the other those that have gone well before.
bool TaskStretch::LetGo(std::int64_t task_id) {
  if (in_hand_ == nullptr) {
    return false;
  }
  const int current = ItemInHand();
  const int end = current >= 0 ? current + 1 : slice_end_;
  for (int item = 0; item < end; item++) {
    if (batch_->IdOf(item) == task_id) {
      const bool has_failed =
          std::any_of(done_.failures.begin(), done_.failures.end(),
                      [item](const batch::Failure& failure) { return failure.item == item; });
      return !has_failed && batch_->LetGo(item);
    }
  }
  return false;
}

// Inside pg::Call.
void TaskStretch::BeginItem(void* self, int item) {
  auto* stretch = static_cast<TaskStretch*>(self);
  stretch->NoteResult();
  stretch->ForgetSettings();
  stretch->settings_of_item_ = NewGUCNestLevel();
  stretch->result_of_ = item;
  stretch->limits_.Start(1);
}

// What a handler has set, for its session or its transaction, is not there for the next task, which
// may be that of another tenant.
void TaskStretch::ForgetSettings() {
  if (settings_of_item_ > 0) {
    AtEOXact_GUC(false, settings_of_item_);
    settings_of_item_ = 0;
  }
}

void TaskStretch::NoteResult() {
  if (result_of_ >= 0) {
    batch_->SetResult(result_of_, receiver_.first_row);
  }
  receiver_.first_row = nullptr;
}

policy::ErrorClass TaskStretch::ClassOf(const pg::PgError& error) {
  if (limits_.IsBy(error, scope_.slot())) {
    ForgetCancel();
    return policy::ErrorClass::kItem;
  }
  return ForTask(error, scope_.slot());
}

void TaskStretch::AddErrorContext() const {
  if (in_hand_ != nullptr && *in_hand_ >= 0) {
    errcontext("task %lld", static_cast<long long>(batch_->IdOf(*in_hand_)));
  }
}

}  // namespace ratchet::worker
