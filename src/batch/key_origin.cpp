#include "batch/key_origin.h"

#include "pg/compat.h"

extern "C" {
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
}

namespace ratchet::batch {
namespace {

Node* Output(Query* query, int resno) {
  const TargetEntry* target = get_tle_by_resno(query->targetList, static_cast<AttrNumber>(resno));
  return target != nullptr ? reinterpret_cast<Node*>(target->expr) : nullptr;
}

// The query of a subquery or a plain WITH item; null for anything else.
Query* QueryOf(Query* query, RangeTblEntry* entry) {
  if (entry->rtekind == RTE_SUBQUERY) {
    return entry->subquery;
  }
  if (entry->rtekind != RTE_CTE || entry->self_reference || entry->ctelevelsup != 0) {
    return nullptr;
  }
  ListCell* cell;
  foreach (cell, query->cteList) {
    auto* item = lfirst_node(CommonTableExpr, cell);
    if (strcmp(item->ctename, entry->ctename) == 0 && !item->cterecursive) {
      return reinterpret_cast<Query*>(item->ctequery);
    }
  }
  return nullptr;
}

// ---- Through joins and groups: where one column comes from
// ----------------------------------------

struct TableColumn {
  Oid table;
  AttrNumber column;
};

TableColumn ColumnOf(Query* query, Node* expression) {
  constexpr TableColumn kUnknown{InvalidOid, 0};
  while (expression != nullptr && IsA(expression, Var)) {
    const auto* var = reinterpret_cast<Var*>(expression);
    if (var->varlevelsup != 0 || var->varattno <= 0) {
      return kUnknown;
    }
    RangeTblEntry* entry = rt_fetch(var->varno, query->rtable);
    if (entry->rtekind == RTE_RELATION) {
      return {entry->relid, var->varattno};
    }
    if (entry->rtekind == RTE_JOIN) {
      expression = static_cast<Node*>(list_nth(entry->joinaliasvars, var->varattno - 1));
      continue;
    }
    if (List* grouped = pg::GroupedExpressions(entry); grouped != NIL) {
      expression = static_cast<Node*>(list_nth(grouped, var->varattno - 1));
      continue;
    }
    query = QueryOf(query, entry);
    if (query == nullptr || query->setOperations != nullptr) {
      return kUnknown;
    }
    expression = Output(query, var->varattno);
  }
  return kUnknown;
}

// ---- A source of one table: what its conditions say
// -----------------------------------------------

// The only table or subquery that the query reads, if its rows come out one by one; else 0.
int OnlyEntry(const Query* query) {
  const bool row_by_row = query->commandType == CMD_SELECT && query->groupClause == NIL &&
                          query->groupingSets == NIL && !query->hasAggs &&
                          query->havingQual == nullptr && query->distinctClause == NIL &&
                          query->setOperations == nullptr && !query->hasTargetSRFs &&
                          list_length(query->jointree->fromlist) == 1;
  if (!row_by_row) {
    return 0;
  }
  auto* from = static_cast<Node*>(linitial(query->jointree->fromlist));
  return IsA(from, RangeTblRef) ? reinterpret_cast<RangeTblRef*>(from)->rtindex : 0;
}

AttrNumber PlainColumn(const Node* expression, int entry) {
  if (expression == nullptr || !IsA(expression, Var)) {
    return 0;
  }
  const auto* var = reinterpret_cast<const Var*>(expression);
  return var->varlevelsup == 0 && var->varno == entry && var->varattno > 0 ? var->varattno : 0;
}

void ReadOperator(OpExpr* operation, int entry, KeyOrigin* origin) {
  if (list_length(operation->args) != 2 || !op_strict(operation->opno)) {
    return;
  }
  for (int side = 0; side < 2; side++) {
    auto* one = static_cast<Node*>(list_nth(operation->args, side));
    auto* other = static_cast<Node*>(list_nth(operation->args, 1 - side));
    const AttrNumber column = PlainColumn(one, entry);
    if (column == 0) {
      continue;
    }
    origin->not_null = bms_add_member(origin->not_null, column);
    if (op_mergejoinable(operation->opno, exprType(one)) && IsA(other, Const)) {
      origin->constant = bms_add_member(origin->constant, column);
    }
  }
}

void ReadCondition(Node* condition, int entry, KeyOrigin* origin) {
  if (condition == nullptr) {
    return;
  }
  if (IsA(condition, OpExpr)) {
    ReadOperator(reinterpret_cast<OpExpr*>(condition), entry, origin);
  } else if (IsA(condition, NullTest)) {
    const auto* test = reinterpret_cast<NullTest*>(condition);
    const AttrNumber column = PlainColumn(reinterpret_cast<Node*>(test->arg), entry);
    if (column != 0 && test->nulltesttype == IS_NOT_NULL) {
      origin->not_null = bms_add_member(origin->not_null, column);
    }
  } else if (is_andclause(condition)) {
    ListCell* cell;
    foreach (cell, reinterpret_cast<BoolExpr*>(condition)->args) {
      ReadCondition(static_cast<Node*>(lfirst(cell)), entry, origin);
    }
  }
}

// What is known of columns of the query, in terms of those of the table or subquery below it.
Bitmapset* Below(const Bitmapset* columns, Query* query, int entry) {
  Bitmapset* below = nullptr;
  int resno = -1;
  while ((resno = bms_next_member(columns, resno)) >= 0) {
    const AttrNumber column = PlainColumn(Output(query, resno), entry);
    if (column != 0) {
      below = bms_add_member(below, column);
    }
  }
  return below;
}

// Follows the key down to the table; false if the source is more than that.
bool FollowOneTable(Query* query, int count, KeyOrigin* origin) {
  for (;;) {
    const int entry = OnlyEntry(query);
    if (entry == 0) {
      return false;
    }
    for (int i = 0; i < count; i++) {
      origin->columns[i] =
          origin->columns[i] == 0 ? 0 : PlainColumn(Output(query, origin->columns[i]), entry);
    }
    origin->not_null = Below(origin->not_null, query, entry);
    origin->constant = Below(origin->constant, query, entry);
    ReadCondition(query->jointree->quals, entry, origin);
    RangeTblEntry* table = rt_fetch(entry, query->rtable);
    if (table->rtekind == RTE_RELATION) {
      origin->table = table->relid;
      origin->inherited = table->inh;
      return true;
    }
    query = QueryOf(query, table);
    if (query == nullptr) {
      return false;
    }
  }
}

}  // namespace

KeyOrigin OriginOf(Query* query, const int* key, int count) {
  KeyOrigin origin;
  origin.columns = static_cast<AttrNumber*>(palloc(sizeof(AttrNumber) * static_cast<Size>(count)));
  for (int i = 0; i < count; i++) {
    origin.columns[i] = static_cast<AttrNumber>(key[i] + 1);
  }
  if (FollowOneTable(query, count, &origin)) {
    origin.is_one_table = true;
    return origin;
  }
  origin.table = InvalidOid;
  for (int i = 0; i < count && query->setOperations == nullptr; i++) {
    const TableColumn found = ColumnOf(query, Output(query, key[i] + 1));
    if (!OidIsValid(found.table) || (i > 0 && found.table != origin.table)) {
      origin.table = InvalidOid;
      break;
    }
    origin.table = found.table;
    origin.columns[i] = found.column;
  }
  return origin;
}

}  // namespace ratchet::batch
