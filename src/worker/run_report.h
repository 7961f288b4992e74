// What is said about a run: in the run log, in the server's log, and to the scheduler when the
// record could not be written.
#pragma once

#include "batch/walk.h"
#include "board/board.h"
#include "catalog/run_log.h"

namespace ratchet::worker {

// How a run came to its failure.
struct Failure {
  bool timed_out;
  bool in_condition;  // of its only_if
  bool by_stop;       // of the server, as its SQLSTATE says (planned_stop.h)
  int slot;           // where a cancel is told
};

// What the record says of it. Our own line of the error's context goes, as the record has that in
// its columns, and a cancel by the run's timer is called by its name.
void FillFailure(const Failure& failure, catalog::RunError error, catalog::RunRecord* record);

// Of a run that the server's shutdown has ended.
void FillStopped(catalog::RunRecord* record);

// Inserts the record in the transaction that is open. The job or somebody else may have dropped the
// extension of which the run is one (RunTicket::incarnation), and with it the log: then it only
// says so. A success ends the checkpoint, unless it is kept.
void WriteRecord(const catalog::RunRecord& record, Oid incarnation, bool keep_checkpoint = false);

// What a walk has done so far.
void FillFromWalk(const batch::Walk& walk, catalog::RunRecord* record);
// The same for one that has come to its end, and how it ended.
void FillFromEndedWalk(const batch::Walk& walk, std::int32_t max_failed_items,
                       catalog::RunRecord* record);

// What a stretch of tasks has committed.
void FillFromStretch(const board::RunCounters& committed, catalog::RunRecord* record);

// Whether the line that LogRun writes of a run which fails now is to be without its statement: as
// log_min_error_statement says of an error of a client. By the time of that line the settings of
// the run are gone.
bool HidesFailedStatements();

// As the setting ratchet.log_runs says.
void LogRun(const catalog::RunRecord& record, bool hides_statement) noexcept;

// The record as the board can carry it.
void FillOutcome(const catalog::RunRecord& record, bool recorded, board::RunOutcome* outcome);

}  // namespace ratchet::worker
