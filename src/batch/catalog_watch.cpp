#include "batch/catalog_watch.h"

#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/relation_changes.h"

extern "C" {
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace ratchet::batch {
namespace {

std::uint64_t changes = 0;  // that this process has been told of

void AtChangeOfTable(Datum /*argument*/, Oid /*table*/) { changes++; }
void AtChange(Datum /*argument*/, pg::SyscacheId /*cache*/, std::uint32_t /*hash*/) { changes++; }

// What a source's columns and the order of a key are made of, beside tables.
constexpr pg::SyscacheId kCaches[] = {TYPEOID,   ENUMOID, COLLOID,    CLAOID,
                                      AMPROCNUM, PROCOID, DATABASEOID};

}  // namespace

CatalogWatch::CatalogWatch() {
  static bool registered = false;
  if (!registered) {
    pg::Call([] {
      pg::OnRelationChange(AtChangeOfTable);
      for (const pg::SyscacheId cache : kCaches) {
        CacheRegisterSyscacheCallback(cache, AtChange, static_cast<Datum>(0));
      }
    });
    registered = true;
  }
}

void CatalogWatch::Begin() { seen_ = changes; }

bool CatalogWatch::HasChanged() const { return seen_ != changes; }

}  // namespace ratchet::batch
