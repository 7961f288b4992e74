#include "worker/foreground_walk.h"

#include "batch/walk.h"
#include "catalog/incarnation.h"
#include "pg/guard.h"
#include "worker/run_report.h"

extern "C" {
#include "executor/spi.h"
}

namespace ratchet::worker {
namespace {

class ForegroundWalk : public batch::Host {
 public:
  ForegroundWalk(ForegroundSession& session, const board::RunTicket& ticket,
                 const catalog::JobVersion& definition)
      : session_(session), ticket_(ticket), definition_(definition) {}

  // A connection of its own for each batch, so that its memory goes with it.
  void Begin() override {
    pg::Call([] { SPI_connect_ext(SPI_OPT_NONATOMIC); });
  }

  void Close() override { session_.scope().CloseBatch(); }

  void Commit() override {
    catalog::RequireIncarnation(ticket_.incarnation);
    pg::Call([this] {
      SPI_finish();
      ticket_.dry_run ? SPI_rollback() : SPI_commit();
    });
    session_.scope().OpenAfterBatch();
  }

  bool Abort(bool clean) override {
    if (!clean) {
      return false;
    }
    pg::Call([] {
      SPI_finish();
      SPI_rollback();
    });
    return true;
  }

  // In the transaction that the caller's CALL will commit.
  void Finish(const batch::Walk& walk) override {
    pg::Call([this] {
      SPI_finish();
      if (ticket_.dry_run) {
        SPI_rollback();
      }
    });
    session_.scope().OpenAfterBatch();
    session_.settings().PutBack();
    catalog::RunRecord& record = session_.Finish(walk.counters().rows_affected, {});
    FillFromEndedWalk(walk, definition_.max_failed_items, &record);
    WriteRecord(record, ticket_.incarnation, walk.keeps_checkpoint());
  }

 private:
  ForegroundSession& session_;
  const board::RunTicket& ticket_;
  const catalog::JobVersion& definition_;
};

}  // namespace

void RunWalkInForeground(ForegroundSession& session, const board::RunTicket& ticket, int slot,
                         const catalog::JobVersion& definition) {
  RunScope& scope = session.scope();
  ForegroundWalk host(session, ticket, definition);
  batch::Walk walk({slot, &ticket, &definition, scope.time_since(), scope.memory()}, host);
  try {
    walk.Run();
  } catch (...) {
    FillFromWalk(walk, &scope.record());
    throw;
  }
}

}  // namespace ratchet::worker
