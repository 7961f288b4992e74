// Who may still commit a key below the last one that can be seen.
#pragma once

#include <vector>

#include "pg/server.h"

extern "C" {
#include "storage/lock.h"
}

namespace ratchet::batch {

// Transactions, also prepared ones, that may have written rows to the tables and have not ended.
std::vector<VirtualTransactionId> WritersOf(const std::vector<Oid>& tables);
// The same for all tables of this database: for a source that does not tell what it reads.
std::vector<VirtualTransactionId> WritersOfAll();
// Until each of them has ended. Holds nothing meanwhile.
void WaitForWriters(const std::vector<VirtualTransactionId>& writers, int slot);

// A foreign table that the transaction has read or written, if there is one.
Oid ForeignTableInUse();

}  // namespace ratchet::batch
