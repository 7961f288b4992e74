// The server's cumulative statistics as they are now.
#pragma once

#include "pg/server.h"

extern "C" {
#include "pgstat.h"
}

namespace ratchet::pg {

// While it exists, what is fetched is neither taken from a snapshot of the transaction's nor kept
// for it, whatever stats_fetch_consistency says: it is palloc'd and the caller's.
class FreshStatistics {
 public:
  FreshStatistics() : wanted_(pgstat_fetch_consistency) {
    pgstat_fetch_consistency = PGSTAT_FETCH_CONSISTENCY_NONE;
  }
  FreshStatistics(const FreshStatistics&) = delete;
  FreshStatistics& operator=(const FreshStatistics&) = delete;
  ~FreshStatistics() { pgstat_fetch_consistency = wanted_; }

 private:
  int wanted_;
};

}  // namespace ratchet::pg
