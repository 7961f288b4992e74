// Somebody else has in hand what a batch needs of the extension's own tables.
#pragma once

#include "pg/guard.h"

namespace ratchet::batch {

// Thrown where nothing has failed in the backend: the transaction can be ended without its effects
// in the foreground as well, and the batch is tried again.
class InTheWay : public pg::Error {
 public:
  explicit InTheWay(std::string what)
      : Error(ERRCODE_LOCK_NOT_AVAILABLE, std::move(what),
              "Look in pg_stat_activity for a transaction that has been open for long.") {}
};

}  // namespace ratchet::batch
