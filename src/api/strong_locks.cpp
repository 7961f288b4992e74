#include "api/strong_locks.h"

#include "api/locked_names.h"
#include "api/vacuum_list.h"
#include "catalog/own_relations.h"
#include "pg/compat.h"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
}

#include <cstring>

namespace ratchet::api {
namespace {

// Of the caller's name for another relation there is one of ours as well, further back in its
// search_path.
struct Look {
  Oid schema;  // ratchet
  bool is_ambiguous;
  bool qualify;
};

bool IsIn(const char* schema, const char* name) {
  return schema != nullptr && std::strcmp(schema, name) == 0;
}

// Without the errors and the locks of a look-up that goes before PostgreSQL's own. InvalidOid, too,
// for what cannot be ours.
Oid Find(RangeVar* name, Needs needs) {
  if (name->schemaname == nullptr) {
    return RelnameGetRelid(name->relname);
  }
  // What is in another schema may be a view that reads ours.
  const bool may_be_ours = needs == Needs::kLock || IsIn(name->schemaname, "ratchet") ||
                           IsIn(name->schemaname, "pg_toast");
  return may_be_ours ? RangeVarGetRelid(name, NoLock, true) : InvalidOid;
}

bool MayLock(Oid relation, Needs needs) {
  const Oid role = GetUserId();
  if (pg::OwnsTable(relation, role)) {
    return true;
  }
  switch (needs) {
    case Needs::kReferences:
      return pg_class_aclcheck(relation, role, ACL_REFERENCES) == ACLCHECK_OK ||
             pg_attribute_aclcheck_all(relation, role, ACL_REFERENCES, ACLMASK_ANY) == ACLCHECK_OK;
    case Needs::kTrigger:
      return pg_class_aclcheck(relation, role, ACL_TRIGGER) == ACLCHECK_OK;
    case Needs::kOwnership:
    case Needs::kLock:
      break;
  }
  return false;
}

[[noreturn]] void Refuse(Oid relation, const RangeVar* name, Needs needs) {
  aclcheck_error(needs == Needs::kOwnership ? ACLCHECK_NOT_OWNER : ACLCHECK_NO_PRIV,
                 get_relkind_objtype(get_rel_relkind(relation)), name->relname);
  pg_unreachable();
}

bool IsInPath(Oid schema) {
  List* path = fetch_search_path(false);
  const bool is_in = list_member_oid(path, schema);
  list_free(path);
  return is_in;
}

// While the statement waits for the relation that this name means now, that may be dropped, and the
// name come to mean ours. A name with its schema does not.
void Disambiguate(RangeVar* name, Oid relation, Look* look) {
  if (name->schemaname != nullptr || !OidIsValid(get_relname_relid(name->relname, look->schema)) ||
      !IsInPath(look->schema)) {
    return;
  }
  look->is_ambiguous = true;
  if (look->qualify) {
    name->schemaname = get_namespace_name(get_rel_namespace(relation));
  }
}

void LookAt(RangeVar* name, Needs needs, void* context) {
  auto* look = static_cast<Look*>(context);
  const Oid relation = Find(name, needs);
  if (!OidIsValid(relation)) {
    return;
  }
  if (catalog::IsOurRelation(relation)) {
    if (!MayLock(relation, needs)) {
      Refuse(relation, name, needs);
    }
    return;
  }
  if (needs == Needs::kLock && get_rel_relkind(relation) == RELKIND_VIEW &&
      catalog::ReadsOurRelation(relation)) {
    Refuse(relation, name, needs);
  }
  Disambiguate(name, relation, look);
}

// Each of its tables, without their names.
void CheckSchema(const ReindexStmt* reindex) {
  if (reindex->kind == REINDEX_OBJECT_SCHEMA && IsIn(reindex->name, "ratchet") &&
      catalog::IsOurRelation(get_relname_relid("job", get_namespace_oid("ratchet", false)))) {
    aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_SCHEMA, reindex->name);
  }
}

bool MayBeStrong(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_TransactionStmt:
    case T_VariableSetStmt:
    case T_VariableShowStmt:
    case T_DiscardStmt:
    case T_DoStmt:
    case T_CallStmt:
    case T_FetchStmt:
    case T_ExecuteStmt:
    case T_CopyStmt:
      return false;
    default:
      return true;
  }
}

}  // namespace

PlannedStmt* KeepOffOurTables(PlannedStmt* statement, ProcessUtilityContext context) {
  // The quick answers come first: most statements are none of this kind, and most databases have no
  // such schema.
  if (!MayBeStrong(statement->utilityStmt) || superuser()) {
    return statement;
  }
  const Oid schema = get_namespace_oid("ratchet", true);
  if (!OidIsValid(schema)) {
    return statement;
  }
  if (IsA(statement->utilityStmt, VacuumStmt)) {
    return LeaveOurTablesOut(statement, context);
  }
  if (IsA(statement->utilityStmt, ReindexStmt)) {
    CheckSchema(reinterpret_cast<ReindexStmt*>(statement->utilityStmt));
  }
  Look look{schema, false, false};
  VisitLockedNames(statement->utilityStmt, LookAt, &look);
  if (look.is_ambiguous) {
    statement = static_cast<PlannedStmt*>(copyObjectImpl(statement));
    look.qualify = true;
    VisitLockedNames(statement->utilityStmt, LookAt, &look);
  }
  return statement;
}

}  // namespace ratchet::api
