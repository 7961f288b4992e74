#include "batch/shared_bounds.h"

#include "pg/compat.h"

extern "C" {
#include "access/stratnum.h"
#include "catalog/pg_class.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
}

namespace ratchet::batch {
namespace {

// All of it is for use inside pg::Call.

struct Bound {
  const Node* column;
  Node* value;
  Oid operation;
  Oid collation;
  bool with_value;  // of a row: its first column may be the same as the value
};

// Of type varchar, it is relabelled.
bool IsKnown(const Node* value) {
  while (IsA(value, RelabelType)) {
    value = reinterpret_cast<const Node*>(reinterpret_cast<const RelabelType*>(value)->arg);
  }
  return IsA(value, Const) ||
         (IsA(value, Param) && reinterpret_cast<const Param*>(value)->paramkind == PARAM_EXTERN);
}

// Whether the clause bounds a column: c > $1, as it begins a slice, or ROW(c, ...) > ROW($1, ...).
// The end of a slice (batch/bounds.h) is left alone: it is of no use to the other tables, and the
// two ends would be taken for a narrow range.
bool BoundIn(const Expr* clause, Bound* bound) {
  if (IsA(clause, OpExpr)) {
    const auto* compare = reinterpret_cast<const OpExpr*>(clause);
    if (list_length(compare->args) != 2) {
      return false;
    }
    *bound = {static_cast<Node*>(linitial(compare->args)),
              static_cast<Node*>(lsecond(compare->args)), compare->opno, compare->inputcollid,
              false};
  } else if (IsA(clause, RowCompareExpr)) {
    const auto* compare = reinterpret_cast<const RowCompareExpr*>(clause);
    const Oid operation = linitial_oid(compare->opnos);
    *bound = {static_cast<Node*>(linitial(compare->largs)),
              static_cast<Node*>(linitial(compare->rargs)), operation,
              linitial_oid(compare->inputcollids), true};
    if (!pg::IsStrict(compare)) {
      return false;
    }
  } else {
    return false;
  }
  return IsKnown(bound->value);
}

int WithEqual(int strategy) {
  switch (strategy) {
    case BTLessStrategyNumber:
      return BTLessEqualStrategyNumber;
    case BTGreaterStrategyNumber:
      return BTGreaterEqualStrategyNumber;
    default:
      return strategy;
  }
}

// A column of the table that is equal to others.
struct EqualColumn {
  Expr* expression;
  Oid type;
  const List* families;  // of the operators that say so
  Oid collation;
};

// The same bound on the other column; null if it cannot be written.
Expr* BoundOn(const EqualColumn& column, const Bound& bound) {
  ListCell* cell;
  foreach (cell, column.families) {
    const Oid family = lfirst_oid(cell);
    if (!op_in_opfamily(bound.operation, family)) {
      continue;
    }
    int strategy = 0;
    Oid left = InvalidOid;
    Oid right = InvalidOid;
    get_op_opfamily_properties(bound.operation, family, false, &strategy, &left, &right);
    if (strategy == BTEqualStrategyNumber) {
      return nullptr;
    }
    const Oid operation =
        get_opfamily_member(family, column.type, right,
                            static_cast<int16>(bound.with_value ? WithEqual(strategy) : strategy));
    if (OidIsValid(operation)) {
      Expr* clause = make_opclause(operation, BOOLOID, false, column.expression,
                                   static_cast<Expr*>(copyObjectImpl(bound.value)), InvalidOid,
                                   bound.collation);
      set_opfuncid(reinterpret_cast<OpExpr*>(clause));
      return clause;
    }
  }
  return nullptr;
}

bool HasClause(const RelOptInfo* table, const Expr* clause) {
  ListCell* cell;
  foreach (cell, table->baserestrictinfo) {
    if (equal(lfirst_node(RestrictInfo, cell)->clause, clause)) {
      return true;
    }
  }
  return false;
}

void Add(PlannerInfo* root, RelOptInfo* table, Expr* clause) {
  RestrictInfo* restriction = make_simple_restrictinfo(root, clause);
  // Behind what hides rows from us.
  restriction->security_level = root->qual_security_level;
  restriction->leakproof =
      root->qual_security_level > 0 && !contain_leaked_vars(reinterpret_cast<Node*>(clause));
  ListCell* cell;
  foreach (cell, table->indexlist) {
    auto* index = static_cast<IndexOptInfo*>(lfirst(cell));
    index->indrestrictinfo = lappend(list_copy(index->indrestrictinfo), restriction);
  }
  table->baserestrictinfo = lappend(list_copy(table->baserestrictinfo), restriction);
}

// What bounds `other`, which is of one table of the query, bounds ours.
bool ShareFrom(PlannerInfo* root, RelOptInfo* table, const EqualColumn& ours, const Node* other,
               const Bitmapset* relations) {
  int number = 0;
  if (!bms_get_singleton_member(relations, &number)) {
    return false;
  }
  const RelOptInfo* there = root->simple_rel_array[number];
  bool added = false;
  ListCell* cell;
  foreach (cell, there != nullptr ? there->baserestrictinfo : NIL) {
    const auto* restriction = lfirst_node(RestrictInfo, cell);
    Bound bound;
    if (!restriction->is_pushed_down || !BoundIn(restriction->clause, &bound) ||
        bound.collation != ours.collation || !equal(bound.column, other)) {
      continue;
    }
    Expr* shared = BoundOn(ours, bound);
    if (shared != nullptr) {
      shared = pg::ForChild(root, shared, table);
      if (!HasClause(table, shared)) {
        Add(root, table, shared);
        added = true;
      }
    }
  }
  return added;
}

bool IsOfUse(const EquivalenceClass* equals) {
  return !equals->ec_has_volatile && !equals->ec_has_const && !pg::IsBelowOuterJoin(equals);
}

bool ShareFromMembers(PlannerInfo* root, RelOptInfo* table, const EqualColumn& ours,
                      const EquivalenceClass* equals) {
  bool added = false;
  ListCell* cell;
  foreach (cell, equals->ec_members) {
    const auto* other = lfirst_node(EquivalenceMember, cell);
    if (!other->em_is_const && !other->em_is_child && !pg::MayBeNulled(other) &&
        other->em_expr != ours.expression) {
      const auto* expression = reinterpret_cast<const Node*>(other->em_expr);
      added = ShareFrom(root, table, ours, expression, other->em_relids) || added;
    }
  }
  return added;
}

// Columns that are equal in all rows of the query.
bool ShareWithin(PlannerInfo* root, RelOptInfo* table, Relids named) {
  bool added = false;
  ListCell* cell;
  foreach (cell, root->eq_classes) {
    const auto* equals = lfirst_node(EquivalenceClass, cell);
    ListCell* member;
    foreach (member, IsOfUse(equals) ? equals->ec_members : NIL) {
      const auto* ours = lfirst_node(EquivalenceMember, member);
      if (!ours->em_is_child && !pg::MayBeNulled(ours) && bms_equal(ours->em_relids, named)) {
        const EqualColumn column{ours->em_expr, ours->em_datatype, equals->ec_opfamilies,
                                 equals->ec_collation};
        added = ShareFromMembers(root, table, column, equals) || added;
      }
    }
  }
  return added;
}

// The table is the side of an outer join that may be missing: rows that are beyond the bound of the
// other side have no counterpart there.
bool ShareAcross(PlannerInfo* root, RelOptInfo* table, Relids named, const List* joins,
                 bool outer_is_left) {
  bool added = false;
  ListCell* cell;
  foreach (cell, joins) {
    const RestrictInfo* join = pg::OuterJoinClause(lfirst(cell));
    if (!bms_equal(outer_is_left ? join->right_relids : join->left_relids, named)) {
      continue;
    }
    const auto* compare = castNode(OpExpr, join->clause);
    Oid left = InvalidOid;
    Oid right = InvalidOid;
    op_input_types(compare->opno, &left, &right);
    auto* first = static_cast<Expr*>(linitial(compare->args));
    auto* second = static_cast<Expr*>(lsecond(compare->args));
    const EqualColumn ours{outer_is_left ? second : first, outer_is_left ? right : left,
                           join->mergeopfamilies, compare->inputcollid};
    const auto* outer = reinterpret_cast<const Node*>(outer_is_left ? first : second);
    added = ShareFrom(root, table, ours, outer,
                      outer_is_left ? join->left_relids : join->right_relids) ||
            added;
    const EquivalenceClass* equals = outer_is_left ? join->left_ec : join->right_ec;
    while (equals != nullptr && equals->ec_merged != nullptr) {
      equals = equals->ec_merged;
    }
    if (equals != nullptr && IsOfUse(equals)) {
      added = ShareFromMembers(root, table, ours, equals) || added;
    }
  }
  return added;
}

}  // namespace

void ShareBounds(PlannerInfo* root, RelOptInfo* table, const RangeTblEntry* entry) {
  if (entry->rtekind != RTE_RELATION || entry->inh || entry->tablesample != nullptr ||
      (entry->relkind != RELKIND_RELATION && entry->relkind != RELKIND_MATVIEW) ||
      IS_DUMMY_REL(table)) {
    return;
  }
  const Relids named =
      table->top_parent_relids != nullptr ? table->top_parent_relids : table->relids;
  bool added = ShareWithin(root, table, named);
  added = ShareAcross(root, table, named, root->left_join_clauses, true) || added;
  added = ShareAcross(root, table, named, root->right_join_clauses, false) || added;
  if (added) {
    // The number of rows stays as it was estimated: what the join leaves is the same.
    cost_qual_eval(&table->baserestrictcost, table->baserestrictinfo, root);
    create_index_paths(root, table);
  }
}

}  // namespace ratchet::batch
