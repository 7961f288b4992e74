// From a definition to JSON.
#include <cinttypes>

#include "api/job_document.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/table.h"

extern "C" {
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
}

#include <cstring>

namespace ratchet::api {
namespace {

// ---- For use inside pg::Call -------------------------------------------------------------------

// As IntervalStyle postgres writes it, whatever the session's style.
void AppendInterval(StringInfo out, const Interval& interval) {
  struct pg_itm fields;
  char text[MAXDATELEN + 1];
  interval2itm(interval, &fields);
  EncodeInterval(&fields, INTSTYLE_POSTGRES, text);
  escape_json(out, text);
}

void AppendTime(StringInfo out, Datum time) {
  const int utc = 0;
  char text[MAXDATELEN + 1];
  escape_json(out, JsonEncodeDateTime(text, time, TIMESTAMPTZOID, &utc));
}

void AppendNumber(StringInfo out, double number) {
  char text[DOUBLE_SHORTEST_DECIMAL_LEN];
  double_to_shortest_decimal_buf(number, text);
  appendStringInfoString(out, text);
}

// With its schema; the number of one that is gone.
void AppendTable(StringInfo out, Oid table) {
  const char* name = get_rel_name(table);
  escape_json(out, name == nullptr ? psprintf("%u", table)
                                   : quote_qualified_identifier(
                                         get_namespace_name(get_rel_namespace(table)), name));
}

// A role that is gone has no name, which no role can have: its number may be that of another one.
void AppendRole(StringInfo out, Oid role) {
  const char* name = GetUserNameFromId(role, true);
  escape_json(out, name != nullptr ? name : "");
}

void AppendArray(StringInfo out, Datum array, Oid type) {
  const bool texts = type == TEXTARRAYOID;
  const Oid element = texts ? TEXTOID : type == REGROLEARRAYOID ? REGROLEOID : REGCLASSOID;
  Datum* values = nullptr;
  int count = 0;
  deconstruct_array(DatumGetArrayTypeP(array), element, texts ? -1 : static_cast<int>(sizeof(Oid)),
                    !texts, TYPALIGN_INT, &values, nullptr, &count);
  appendStringInfoChar(out, '[');
  for (int i = 0; i < count; i++) {
    appendStringInfoString(out, i > 0 ? ", " : "");
    if (texts) {
      escape_json(out, TextDatumGetCString(values[i]));
    } else if (element == REGROLEOID) {
      AppendRole(out, DatumGetObjectId(values[i]));
    } else {
      AppendTable(out, DatumGetObjectId(values[i]));
    }
  }
  appendStringInfoChar(out, ']');
}

void AppendValue(StringInfo out, Datum value, Oid type) {
  switch (type) {
    case TEXTOID:
      return escape_json(out, TextDatumGetCString(value));
    case INT4OID:
      return appendStringInfo(out, "%d", DatumGetInt32(value));
    case FLOAT8OID:
      return AppendNumber(out, DatumGetFloat8(value));
    case BOOLOID:
      return appendStringInfoString(out, DatumGetBool(value) ? "true" : "false");
    case INTERVALOID:
      return AppendInterval(out, *DatumGetIntervalP(value));
    case TIMESTAMPTZOID:
      return AppendTime(out, value);
    case REGROLEOID:
      return AppendRole(out, DatumGetObjectId(value));
    case TEXTARRAYOID:
    case REGCLASSARRAYOID:
    case REGROLEARRAYOID:
      return AppendArray(out, value, type);
    case JSONBOID: {
      Jsonb* jsonb = DatumGetJsonbP(value);
      JsonbToCString(out, &jsonb->root, static_cast<int>(VARSIZE(jsonb)));
      return;
    }
    default:
      elog(ERROR, "a job has an option of type %u, which has no form in JSON", type);
  }
}

// ------------------------------------------------------------------------------------------------

bool IsOwner(const Option& option) { return std::strcmp(option.name, "run_as") == 0; }

// The owner is always said: without one, the job would become that of whoever applies the document.
bool IsDefault(const Option& option, const catalog::JobDefinition& job) {
  if (IsOwner(option)) {
    return false;
  }
  catalog::JobDefinition probe;
  option.copy(&probe, job);
  return probe == catalog::JobDefinition();
}

}  // namespace

std::string Escaped(const std::string& text) {
  std::string escaped;
  pg::Call([&] {
    StringInfoData out;
    initStringInfo(&out);
    escape_json(&out, text.c_str());
    escaped.assign(out.data, out.len);
    pfree(out.data);
  });
  return escaped;
}

std::string JsonOf(const pg::Row& row, int column, Oid type) {
  std::string json;
  pg::Call([&] {
    if (row.IsNull(column)) {
      return;
    }
    StringInfoData out;
    initStringInfo(&out);
    AppendValue(&out, row.values[column - 1], type);
    json.assign(out.data, out.len);
    pfree(out.data);
  });
  return json;
}

JobColumns::JobColumns() {
  pg::Call([this] {
    Relation table = pg::OpenTable(catalog::kJobTable, AccessShareLock);
    const TupleDesc row = RelationGetDescr(table);
    for (int i = 0; i < row->natts; i++) {
      const FormData_pg_attribute* column = TupleDescAttr(row, i);
      columns_.emplace(NameStr(column->attname), Column{i + 1, column->atttypid});
    }
    table_close(table, NoLock);
  });
}

JobColumns::Column JobColumns::Of(const Option& option) const {
  const auto found = columns_.find(IsOwner(option) ? "owner" : option.name);
  if (found == columns_.end()) {
    throw pg::Error(ERRCODE_INTERNAL_ERROR,
                    std::string("option ") + option.name + " has no column in ratchet.job");
  }
  return found->second;
}

JobMembers MembersOf(const catalog::JobDefinition& job, const JobColumns& columns) {
  JobMembers members{{"job_name", Escaped(job.job_name)}, {"schedule", Escaped(job.schedule)}};
  if (job.is_batch()) {
    members.emplace_back("source", Escaped(job.source));
    members.emplace_back("action", Escaped(job.action));
  } else {
    members.emplace_back("command", Escaped(job.command));
  }
  for (const Option& option : Options()) {
    if (IsDefault(option, job)) {
      continue;
    }
    const JobColumns::Column column = columns.Of(option);
    pg::Row row;
    pg::Call([&] { catalog::FillJob(job, &row); });
    std::string value = JsonOf(row, column.number, column.type);
    if (!value.empty()) {
      members.emplace_back(option.name, std::move(value));
    }
  }
  return members;
}

std::string ObjectOf(const JobMembers& members) {
  std::string object = "{";
  for (const auto& [key, value] : members) {
    object.append(object.size() > 1 ? ", \"" : "\"").append(key).append("\": ").append(value);
  }
  return object + "}";
}

}  // namespace ratchet::api
