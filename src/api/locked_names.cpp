#include "api/locked_names.h"

#include "pg/compat.h"

extern "C" {
#include "catalog/namespace.h"
#include "nodes/makefuncs.h"
#include "nodes/pg_list.h"
}

namespace ratchet::api {
namespace {

class Names {
 public:
  Names(VisitName visit, void* context) : visit_(visit), context_(context) {}

  void Statement(Node* statement);

 private:
  void Name(RangeVar* name, Needs needs = Needs::kOwnership) {
    if (name != nullptr) {
      visit_(name, needs, context_);
    }
  }
  void NameIn(List* names, Needs needs = Needs::kOwnership);
  void Object(ObjectType type, Node* object);
  void Table(const CreateStmt* table);
  void Constraints(List* constraints);
  void Alter(const AlterTableStmt* alter);
  void Publication(List* objects);
  bool Definition(Node* statement);
  bool Change(Node* statement);

  VisitName visit_;
  void* context_;
};

void Names::NameIn(List* names, Needs needs) {
  ListCell* cell;
  foreach (cell, names) {
    if (IsA(lfirst(cell), RangeVar)) {
      Name(lfirst_node(RangeVar, cell), needs);
    }
  }
}

void Names::Object(ObjectType type, Node* object) {
  switch (type) {
    case OBJECT_COLUMN: {
      List* names = castNode(List, object);
      if (list_length(names) > 1) {
        Name(makeRangeVarFromNameList(list_truncate(list_copy(names), list_length(names) - 1)));
      }
      break;
    }
    case OBJECT_FOREIGN_TABLE:
    case OBJECT_INDEX:
    case OBJECT_MATVIEW:
    case OBJECT_SEQUENCE:
    case OBJECT_TABLE:
    case OBJECT_VIEW:
      Name(makeRangeVarFromNameList(castNode(List, object)));
      break;
    default:
      break;
  }
}

void Names::Constraints(List* constraints) {
  ListCell* cell;
  foreach (cell, constraints) {
    auto* node = static_cast<Node*>(lfirst(cell));
    if (IsA(node, ColumnDef)) {
      Constraints(reinterpret_cast<ColumnDef*>(node)->constraints);
    } else if (IsA(node, Constraint)) {
      Name(reinterpret_cast<Constraint*>(node)->pktable, Needs::kReferences);
    }
  }
}

// INHERITS, PARTITION OF, REFERENCES.
void Names::Table(const CreateStmt* table) {
  NameIn(table->inhRelations);
  Constraints(table->tableElts);
  Constraints(table->constraints);
}

void Names::Alter(const AlterTableStmt* alter) {
  Name(alter->relation);
  ListCell* cell;
  foreach (cell, alter->cmds) {
    Node* definition = lfirst_node(AlterTableCmd, cell)->def;
    if (definition == nullptr) {
      continue;
    }
    switch (nodeTag(definition)) {
      case T_RangeVar:  // INHERIT, NO INHERIT
        Name(reinterpret_cast<RangeVar*>(definition));
        break;
      case T_PartitionCmd:  // ATTACH, DETACH, of tables and of indexes
        Name(reinterpret_cast<PartitionCmd*>(definition)->name);
        break;
      case T_ColumnDef:
        Constraints(reinterpret_cast<ColumnDef*>(definition)->constraints);
        break;
      case T_Constraint:
        Name(reinterpret_cast<Constraint*>(definition)->pktable, Needs::kReferences);
        break;
      default:
        break;
    }
  }
}

void Names::Publication(List* objects) {
  ListCell* cell;
  foreach (cell, objects) {
    const auto* object = lfirst_node(PublicationObjSpec, cell);
    if (object->pubtable != nullptr) {
      Name(object->pubtable->relation);
    }
  }
}

// What makes something new that belongs to a table. True when that is what it is.
bool Names::Definition(Node* statement) {
  switch (nodeTag(statement)) {
    case T_CreateStmt:
      Table(reinterpret_cast<CreateStmt*>(statement));
      return true;
    case T_CreateForeignTableStmt:
      Table(&reinterpret_cast<CreateForeignTableStmt*>(statement)->base);
      return true;
    case T_RuleStmt:
      Name(reinterpret_cast<RuleStmt*>(statement)->relation);
      return true;
    case T_CreateTrigStmt:
      Name(reinterpret_cast<CreateTrigStmt*>(statement)->relation, Needs::kTrigger);
      return true;
    case T_IndexStmt:
      Name(reinterpret_cast<IndexStmt*>(statement)->relation);
      return true;
    case T_CreateStatsStmt:
      NameIn(reinterpret_cast<CreateStatsStmt*>(statement)->relations);
      return true;
    case T_CreatePolicyStmt:
      Name(reinterpret_cast<CreatePolicyStmt*>(statement)->table);
      return true;
    case T_CreatePublicationStmt:
      Publication(reinterpret_cast<CreatePublicationStmt*>(statement)->pubobjects);
      return true;
    default:
      return false;
  }
}

// What changes a relation, or something that belongs to it.
bool Names::Change(Node* statement) {
  switch (nodeTag(statement)) {
    case T_AlterTableStmt:
      Alter(reinterpret_cast<AlterTableStmt*>(statement));
      return true;
    case T_RenameStmt:
      Name(reinterpret_cast<RenameStmt*>(statement)->relation);
      return true;
    case T_AlterObjectSchemaStmt:
      Name(reinterpret_cast<AlterObjectSchemaStmt*>(statement)->relation);
      return true;
    case T_AlterObjectDependsStmt:
      Name(reinterpret_cast<AlterObjectDependsStmt*>(statement)->relation);
      return true;
    case T_AlterSeqStmt:
      Name(reinterpret_cast<AlterSeqStmt*>(statement)->sequence);
      return true;
    case T_AlterPolicyStmt:
      Name(reinterpret_cast<AlterPolicyStmt*>(statement)->table);
      return true;
    case T_AlterPublicationStmt:
      Publication(reinterpret_cast<AlterPublicationStmt*>(statement)->pubobjects);
      return true;
    default:
      return false;
  }
}

void Names::Statement(Node* statement) {
  if (Definition(statement) || Change(statement)) {
    return;
  }
  switch (nodeTag(statement)) {
    case T_CommentStmt: {
      const auto* comment = reinterpret_cast<CommentStmt*>(statement);
      Object(comment->objtype, comment->object);
      break;
    }
    case T_SecLabelStmt: {
      const auto* label = reinterpret_cast<SecLabelStmt*>(statement);
      Object(label->objtype, label->object);
      break;
    }
    case T_AlterExtensionContentsStmt: {
      const auto* contents = reinterpret_cast<AlterExtensionContentsStmt*>(statement);
      Object(contents->objtype, contents->object);
      break;
    }
    case pg::kRepackStatement:
      Name(pg::RepackedTable(statement));
      break;
    case T_ReindexStmt:
      Name(reinterpret_cast<ReindexStmt*>(statement)->relation);
      break;
    case T_LockStmt: {
      const auto* lock = reinterpret_cast<LockStmt*>(statement);
      if (lock->mode > RowExclusiveLock) {
        NameIn(lock->relations, Needs::kLock);
      }
      break;
    }
    default:
      break;
  }
}

}  // namespace

void VisitLockedNames(Node* statement, VisitName visit, void* context) {
  Names(visit, context).Statement(statement);
}

}  // namespace ratchet::api
