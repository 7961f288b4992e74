#include "catalog/incarnation.h"

#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/table.h"

extern "C" {
#include "catalog/namespace.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
}

namespace ratchet::catalog {

Oid FindIncarnation() {
  return pg::Call([] {
    AcceptInvalidationMessages();  // of a drop since the last lock
    const Oid schema = get_namespace_oid("ratchet", true);
    return OidIsValid(schema) ? get_relname_relid(kJobTable.name, schema) : InvalidOid;
  });
}

void RequireIncarnation(Oid incarnation) {
  if (FindIncarnation() != incarnation) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT, pg::kDroppedMessage);
  }
}

}  // namespace ratchet::catalog
