#include "worker/task_trial.h"

#include "batch/action.h"
#include "batch/failure_words.h"
#include "batch/task_shape.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/subtransaction.h"
#include "worker/hidden_tables.h"
#include "worker/run_settings.h"
#include "worker/usage.h"

extern "C" {
#include "executor/spi.h"
#include "utils/jsonb.h"
}

namespace ratchet::worker {
namespace {

class Trial : private TaskHost {
 public:
  Trial(const catalog::JobDefinition& queue, const catalog::Task& task, TaskWish* wish)
      : queue_(queue), task_(task), wish_(*wish) {}

  std::int64_t Execute(const std::string& payload) {
    batch::Items items;
    items.columns = 2;
    items.values = {Payload(payload), Int64GetDatum(task_.task_id)};
    items.nulls = {static_cast<char>(payload.empty()), 0};
    batch::Action action(queue_.action, batch::TaskShape(), queue_.per);
    action.BeInsideStatement();
    int in_hand = -1;
    return action.Execute(items, 0, 1, &in_hand);
  }

 private:
  static Datum Payload(const std::string& payload) {
    return pg::Call([&] {
      return payload.empty() ? static_cast<Datum>(0)
                             : DirectFunctionCall1(jsonb_in, CStringGetDatum(payload.c_str()));
    });
  }

  InTask FindTask(CurrentTask* task) override {
    *task = {queue_.owner, task_.task_id, task_.attempts + 1, &wish_};
    return InTask::kYes;
  }

  bool Holds(std::int64_t task_id) override { return task_id == task_.task_id; }
  std::int64_t queue_id() const override { return queue_.job_id; }
  bool LetGo(std::int64_t task_id) override {
    catalog::HeldTask held;
    ItemPointerData anywhere;
    ItemPointerSetInvalid(&anywhere);
    if (task_id != task_.task_id || wish_.snoozed_until != 0 ||
        catalog::HoldTask(task_id, anywhere, pg::IfBusy::kGiveUp, &held) != pg::RowHold::kHeld) {
      return false;
    }
    catalog::DeleteTask(held);
    wish_.gave_key = true;
    return true;
  }

  const catalog::JobDefinition& queue_;
  const catalog::Task& task_;
  TaskWish& wish_;
};

bool IsEndOfAll(const pg::PgError& error) {
  return batch::ClassOf(error) == policy::ErrorClass::kEndRun &&
         ERRCODE_TO_CATEGORY(error.sqlstate()) == ERRCODE_OPERATOR_INTERVENTION;
}

}  // namespace

TrialResult TryTask(const catalog::JobDefinition& queue, const catalog::Task& task,
                    const std::string& payload) {
  TrialResult result;
  pg::Subtransaction savepoint;
  const UsageMark before = MarkUsage();
  const policy::AwakeTime begun = pg::AwakeNow();
  try {
    // All of it is undone with the subtransaction, the settings as well.
    ApplySettings(ParseSettings(queue.settings));
    RefuseHiddenTables();
    pg::Call([] { SPI_connect(); });
    Trial trial(queue, task, &result.wish);
    result.rows = trial.Execute(payload);
    pg::Call([] { SPI_finish(); });
  } catch (const pg::PgError& error) {
    if (IsEndOfAll(error)) {
      throw;
    }
    result.error = catalog::ErrorOf(error.data());
  } catch (const pg::Error& error) {
    result.error = catalog::ErrorOf(error);
  }
  result.micros = pg::AwakeNow() - begun;
  board::RunCounters counters{};
  CountUsage(before, &counters);
  result.wal_bytes = counters.wal_bytes;
  return result;
}

}  // namespace ratchet::worker
