#include "catalog/column_kinds.h"

#include <algorithm>

#include "catalog/declaration.h"
#include "pg/oid_array.h"
#include "pg/span.h"
#include "pg/text_array.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/uuid.h"
}

namespace ratchet::catalog {

bool Int8::Read(const pg::Row& row, int column, std::int64_t* value) {
  *value = row.Int64(column);
  return true;
}
void Int8::Set(pg::Row* row, int column, std::int64_t value) { row->SetInt64(column, value); }

bool Int4::Read(const pg::Row& row, int column, std::int32_t* value) {
  *value = row.Int32(column);
  return true;
}
void Int4::Set(pg::Row* row, int column, std::int32_t value) { row->SetInt32(column, value); }

bool Float8::Read(const pg::Row& row, int column, double* value) {
  *value = row.Float8(column);
  return true;
}
void Float8::Set(pg::Row* row, int column, double value) { row->SetFloat8(column, value); }

bool Bool::Read(const pg::Row& row, int column, bool* value) {
  *value = row.Bool(column);
  return true;
}
void Bool::Set(pg::Row* row, int column, bool value) { row->SetBool(column, value); }

bool Time::Read(const pg::Row& row, int column, TimestampTz* value) {
  *value = row.Time(column);
  return true;
}
void Time::Set(pg::Row* row, int column, TimestampTz value) { row->SetTime(column, value); }

bool Span::Read(const pg::Row& row, int column, std::int64_t* value) {
  return pg::SpanOf(*DatumGetIntervalP(row.values[column - 1]), value);
}
void Span::Set(pg::Row* row, int column, std::int64_t value) {
  row->Set(column, IntervalPGetDatum(pg::IntervalOf(value)));
}

bool RoleNumber::Read(const pg::Row& row, int column, Oid* value) {
  *value = row.ObjectId(column);
  return true;
}
void RoleNumber::Set(pg::Row* row, int column, Oid value) { row->SetOid(column, value); }

bool NameOfRole::Read(const pg::Row& /*row*/, int /*column*/, Oid* /*value*/) { return false; }
void NameOfRole::Set(pg::Row* row, int column, Oid value) {
  const char* name = GetUserNameFromId(value, true);
  row->SetText(column, name != nullptr ? name : psprintf("%u", value));
}

bool Text::Read(const pg::Row& row, int column, std::string* value) {
  *value = row.Text(column);
  return true;
}
void Text::Set(pg::Row* row, int column, std::string_view value) { row->SetText(column, value); }

bool Json::Read(const pg::Row& row, int column, std::string* value) {
  *value = row.JsonbText(column);
  return true;
}
void Json::Set(pg::Row* row, int column, std::string_view value) { row->SetJsonb(column, value); }

bool Sqlstate::Read(const pg::Row& row, int column, int* value) {
  const std::string_view code = row.Text(column);
  if (code.size() != 5) {
    return false;
  }
  *value = MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4]);
  return true;
}
void Sqlstate::Set(pg::Row* row, int column, int value) {
  row->SetText(column, unpack_sql_state(value));
}

bool TextArray::Read(const pg::Row& row, int column, std::vector<std::string>* value) {
  value->clear();
  pg::AppendTextArray(row.values[column - 1], value);
  return true;
}
void TextArray::Set(pg::Row* row, int column, const std::vector<std::string>& value) {
  row->Set(column, pg::TextArrayOf(value));
}

bool TableArray::Read(const pg::Row& row, int column, std::vector<Oid>* value) {
  value->clear();
  pg::AppendOidArray(row.values[column - 1], value);
  return true;
}
void TableArray::Set(pg::Row* row, int column, const std::vector<Oid>& value) {
  row->Set(column, pg::OidArrayOf(value, REGCLASSOID));
}

bool RoleArray::Read(const pg::Row& row, int column, std::vector<Oid>* value) {
  return TableArray::Read(row, column, value);
}
void RoleArray::Set(pg::Row* row, int column, const std::vector<Oid>& value) {
  row->Set(column, pg::OidArrayOf(value, REGROLEOID));
}

bool Int8Array::Read(const pg::Row& row, int column, std::vector<std::int64_t>* value) {
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(DatumGetArrayTypeP(row.values[column - 1]), INT8OID, sizeof(std::int64_t),
                    FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, &nulls, &count);
  value->clear();
  for (int i = 0; i < count; i++) {
    if (!nulls[i]) {
      value->push_back(DatumGetInt64(values[i]));
    }
  }
  return true;
}
void Int8Array::Set(pg::Row* row, int column, std::span<const std::int64_t> value) {
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (value.size() + 1)));
  int count = 0;
  for (const std::int64_t number : value) {
    values[count++] = Int64GetDatum(number);
  }
  row->Set(column, PointerGetDatum(construct_array(values, count, INT8OID, sizeof(std::int64_t),
                                                   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
}

bool Uuid::Read(const pg::Row& row, int column, policy::MessageId* value) {
  const pg_uuid_t* uuid = DatumGetUUIDP(row.values[column - 1]);
  std::copy_n(uuid->data, value->size(), value->begin());
  return true;
}
void Uuid::Set(pg::Row* row, int column, const policy::MessageId& value) {
  auto* uuid = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  std::copy(value.begin(), value.end(), uuid->data);
  row->Set(column, UUIDPGetDatum(uuid));
}

void ReadColumns(const Transfer* transfers, int count, const pg::Row& row, void* object) {
  for (int i = 0; i < count; i++) {
    if (transfers[i].read != nullptr) {
      transfers[i].read(row, i + 1, object);
    }
  }
}

void FillColumns(const Transfer* transfers, int count, const void* object, pg::Row* row) {
  for (int i = 0; i < count; i++) {
    if (transfers[i].fill != nullptr) {
      transfers[i].fill(object, row, i + 1);
    }
  }
}

}  // namespace ratchet::catalog
