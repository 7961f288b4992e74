// A process that looks after one database: OnePer::kDatabase. It is connected as no role, with the
// rights of a superuser, and executes nothing of a user's.
#pragma once

#include "board/board.h"
#include "process/process.h"

namespace ratchet::process {

class DatabaseProcess : public Process {
 public:
  // The argument of its process is the OID of the database.
  DatabaseProcess(board::ProcessKind kind, const char* activity, Datum database)
      : Process(kind, activity), database_(DatumGetObjectId(database)) {}

  // False: the database is held, or has such a process.
  bool Attach() override;
  void Detach() noexcept override;

 protected:
  // Whether it is asked to leave: a turn does as soon as it can.
  bool MustLeave() const;
  board::DatabaseEntry* entry() const { return entry_; }

 private:
  const Oid database_;
  board::DatabaseEntry* entry_ = nullptr;
};

}  // namespace ratchet::process
