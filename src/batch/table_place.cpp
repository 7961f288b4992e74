#include "batch/table_place.h"

#include "batch/plan_parts.h"
#include "pg/as_role.h"
#include "pg/compat_planner.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
}

namespace ratchet::batch {
namespace {

// All that follows is for use inside pg::Call.

Oid OwnerOf(Oid table) {
  HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
  if (!HeapTupleIsValid(row)) {
    return InvalidOid;
  }
  const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relowner;
  ReleaseSysCache(row);
  return owner;
}

bool PlanReadsElsewhere(Oid table) {
  const char* text = psprintf(
      "SELECT FROM %s", quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
                                                   get_rel_name(table)));
  List* queries = pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, pg_parse_query(text)),
                                                     text, nullptr, 0, nullptr);
  PushActiveSnapshot(GetTransactionSnapshot());
  const bool elsewhere =
      ReadsElsewhere(pg::PlanQuery(linitial_node(Query, queries), text, 0, nullptr));
  PopActiveSnapshot();
  return elsewhere;
}

}  // namespace

bool IsKeptElsewhere(Oid table) {
  const Oid owner = pg::Call([table] { return OwnerOf(table); });
  if (!OidIsValid(owner)) {
    return false;  // gone meanwhile
  }
  pg::AsRole role(owner, {{"search_path", "pg_catalog"}});
  const bool elsewhere = pg::Call([table] { return PlanReadsElsewhere(table); });
  role.End();
  return elsewhere;
}

}  // namespace ratchet::batch
