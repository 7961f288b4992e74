#include "pg/subtransaction.h"

namespace ratchet::pg {

Subtransaction::Subtransaction() : memory_(CurrentMemoryContext), owner_(CurrentResourceOwner) {
  Call([this] {
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(memory_);
  });
}

void Subtransaction::Release() {
  Call([this] {
    ReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(memory_);
    CurrentResourceOwner = owner_;
  });
  open_ = false;
}

Subtransaction::~Subtransaction() {
  if (!open_) {
    return;
  }
  try {
    Call([this] {
      RollbackAndReleaseCurrentSubTransaction();
      MemoryContextSwitchTo(memory_);
      CurrentResourceOwner = owner_;
    });
  } catch (const PgError& error) {
    ereport(FATAL, (errmsg("could not roll back to a savepoint: %s", error.what())));
  }
}

}  // namespace ratchet::pg
