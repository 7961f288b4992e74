#include "worker/run_scope.h"

#include "board/run_board.h"
#include "catalog/run_messages.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/server_stop.h"
#include "policy/clock_watch.h"
#include "worker/cancel_timer.h"
#include "worker/planned_stop.h"
#include "worker/run_report.h"
#include "worker/stopped_run.h"
#include "worker/time_bound.h"

extern "C" {
#include "storage/ipc.h"
#include "utils/memutils.h"
}

namespace ratchet::worker {
namespace {

RunScope* in_hand = nullptr;

MemoryContext MakeMemory() {
  return pg::Call([] {
    return AllocSetContextCreate(TopMemoryContext, "ratchet run", ALLOCSET_DEFAULT_SIZES);
  });
}

}  // namespace

RunScope* RunScope::InHand() { return in_hand; }

RunScope::RunScope(int slot, const board::RunTicket& ticket, unsigned int open_level)
    : run_{slot, ticket, {}},
      memory_(MakeMemory()),
      usage_(MarkUsage()),
      begun_(board::Runs()[slot].begun),
      time_since_(board::Runs()[slot].time_since),
      record_(catalog::RecordOf(ticket, ticket.job_name, {})),
      cancels_(slot, open_level) {
  InstallCallbacks();
  record_.started_at = board::Runs()[slot].started_at;
  record_.worker_pid = MyProcPid;
  record_.has_counters = true;
  RunTimer::Forget();
  in_hand = this;
}

RunScope::~RunScope() {
  job_lock_.ReleaseAtExit();
  in_hand = nullptr;
  MemoryContextDelete(memory_);
}

void RunScope::InstallCallbacks() {
  static bool installed = false;
  if (installed) {
    return;
  }
  pg::Call([] {
    RegisterXactCallback(AtTransactionEvent, nullptr);
    before_shmem_exit(AtExit, 0);
  });
  installed = true;
}

void RunScope::AtTransactionEvent(XactEvent event, void* /*argument*/) {
  if (in_hand == nullptr) {
    return;
  }
  RunScope& run = *in_hand;
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
      run.transactions_.BeforeCommit();
      if (run.transactions_.writes()) {
        run.own_changes_.NoteNewFilesBeforeCommit();
        run.cancels_.Hold();
      }
      run.job_lock_.KeepAtCommit();
      break;
    case XACT_EVENT_COMMIT:
      run.transactions_.Committed();
      run.own_changes_.NoteNewFilesAtCommit();
      run.cancels_.Release();
      break;
    case XACT_EVENT_ABORT:
      run.transactions_.Aborted();
      run.own_changes_.ForgetNewFilesAtAbort();
      run.job_lock_.KeepAtAbort();
      run.cancels_.Release();
      break;
    default:
      break;
  }
}

void RunScope::AtExit(int /*code*/, Datum /*argument*/) {
  if (in_hand != nullptr && pg::ServerIsStopping()) {
    RecordStopped(&in_hand->record_, in_hand->slot());
  }
  if (in_hand != nullptr) {  // in the foreground the end of its transaction may have ended it
    in_hand->job_lock_.ReleaseAtExit();
  }
}

void RunScope::SetPayload(std::string own, const std::string& of_definition) {
  record_.payload = std::move(own);
  run_.payload = run_.ticket.has_payload ? record_.payload : of_definition;
}

void RunScope::BoundTime() {
  if (BoundRunTime(&run_.ticket)) {
    board::BoundTimeout(run_.slot, run_.ticket.timeout);
  }
}

void RunScope::StartTimer() {
  if (run_.ticket.timeout > 0) {
    pg::Call([this] { RunTimer::Start(time_since_ + run_.ticket.timeout); });
  }
}

void RunScope::CloseBatch() {
  pg::Call([] { CHECK_FOR_INTERRUPTS(); });
  cancels_.Close();
  quiet_locks_.Begin();
}

void RunScope::OpenAfterBatch() {
  quiet_locks_.End();
  cancels_.Open();
}

void RunScope::Close() {
  RunTimer::Stop();
  in_text_ = false;
  record_.messages = catalog::RunMessages::The().Finish();
  const board::RunSlot& slot = board::Runs()[run_.slot];
  const policy::Moment now = pg::Now();
  record_.finished_at = now.wall;
  record_.started_at = policy::OnClockOf(now, {slot.started_at, slot.begun});
  if (!slot.walks) {
    record_.counters.items_done = slot.progress_done;
  }
  CountUsage(usage_, &record_.counters);
  record_.status =
      slot.progress_remaining > 0 ? policy::RunStatus::kPartial : policy::RunStatus::kSucceeded;
}

void RunScope::CloseNotNeeded(const char* reason) {
  Close();
  record_.status = policy::RunStatus::kSkipped;
  record_.reason = reason;
  record_.started_at = 0;
  record_.worker_pid = 0;
  record_.has_counters = false;
}

void RunScope::SetFailure(catalog::RunError error, bool in_condition) {
  const bool by_stop = IsByStop(error.sqlstate, run_.slot);
  FillFailure({RunTimer::Fired(), in_condition, by_stop, run_.slot}, std::move(error), &record_);
}

}  // namespace ratchet::worker
