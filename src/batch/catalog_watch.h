// Notices that the catalogs have changed since a walk has looked into them, at no cost as long as
// they have not: the server tells each process what is no longer as it was, at the latest when it
// has got the lock on a table.
#pragma once

#include <cstdint>

namespace ratchet::batch {

class CatalogWatch {
 public:
  // In a transaction.
  CatalogWatch();

  // To be called before what is looked up.
  void Begin();
  // Whether it may not hold any more. What the server tells is what may have changed, and is often
  // nothing of ours.
  bool HasChanged() const;

 private:
  std::uint64_t seen_ = 0;
};

}  // namespace ratchet::batch
