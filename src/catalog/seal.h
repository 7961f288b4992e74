// The seal of a row: what it says that leads to something being run was written by the library, in
// this installation of the extension, and has not been changed since.
//
// Rows say which text runs as which role. Only superusers may write them by hand, but what they
// write may come from somebody else: in a dump that they restore, say. So the library hashes what
// it writes with a key that each installation has made for itself (ratchet.home), and believes no
// row whose seal is not that: it is held back until ratchet.adopt(). Rows that come by COPY or
// INSERT have no seal (api/superusers_only.cpp). The key is in no dump, stays the same for standbys
// and pg_upgrade, and comes along in copies of a database or of a whole server, which
// catalog/home.h is for.
//
// Everything here is for use inside pg::Call only.
#pragma once

#include <cstddef>

#include "catalog/declaration.h"
#include "pg/table.h"
#include "policy/sip_hash.h"

namespace ratchet::catalog {

class RowSeal {
 public:
  // In the column "seal", over those that are declared as sealed. A column that a later version
  // adds to the table can only be covered if it was null until then.
  template <typename Object, int kColumns>
  constexpr RowSeal(const pg::TableLayout& table, const DeclaredColumns<Object, kColumns>& columns)
      : table_(&table), column_(table.Number("seal")) {
    for (int i = 0; i < kColumns; i++) {
      if (columns.is_sealed[i]) {
        covered_[count_++] = i + 1;
      }
    }
  }

  // Seals the row that is about to be written.
  void Put(pg::Row* row) const;
  // Whether it was sealed like that.
  bool Fits(const pg::Row& row) const;

  constexpr const pg::TableLayout& table() const { return *table_; }

 private:
  std::uint64_t HashOf(const pg::Row& row, const policy::SipKey& key) const;

  static constexpr int kMost = 24;
  const pg::TableLayout* table_;
  int column_;
  int covered_[kMost]{};
  int count_ = 0;
};

// A table whose rows can be adopted, and where they say whose they are: owner = 0, nowhere.
struct SealedTable {
  explicit constexpr SealedTable(const RowSeal& row_seal, const char* job_column = "job_id",
                                 const char* owner_column = "owner")
      : seal(&row_seal),
        job_id(row_seal.table().Number(job_column)),
        owner(owner_column != nullptr ? row_seal.table().Number(owner_column) : 0) {}

  const RowSeal* seal;
  int job_id;
  int owner;
};
extern const SealedTable kSealedJobs;
extern const SealedTable kSealedVersions;
extern const SealedTable kSealedRuns;
extern const SealedTable kSealedCheckpoints;
extern const SealedTable kSealedBackfills;
extern const SealedTable kSealedRecords;
extern const SealedTable kSealedFailedItems;
extern const SealedTable kSealedQueues;
extern const SealedTable kSealedTasks;
extern const SealedTable kSealedFinishedTasks;
extern const SealedTable kSealedChannels;
extern const SealedTable kSealedAlerts;

}  // namespace ratchet::catalog
