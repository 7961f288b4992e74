// The kinds of values in columns: how each is read into a member, and set from it. A table may
// have kinds of its own beside these. Read() returns false for a value that is none of ours, such
// as a superuser may write by hand. For use inside pg::Call.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pg/table.h"
#include "policy/message_id.h"
#include "policy/run.h"

extern "C" {
#include "catalog/pg_type_d.h"
}

namespace ratchet::catalog {

struct Int8 {
  static constexpr Oid kType = INT8OID;
  static bool Read(const pg::Row& row, int column, std::int64_t* value);
  static void Set(pg::Row* row, int column, std::int64_t value);
};

struct Int4 {
  static constexpr Oid kType = INT4OID;
  static bool Read(const pg::Row& row, int column, std::int32_t* value);
  static void Set(pg::Row* row, int column, std::int32_t value);
};

struct Float8 {
  static constexpr Oid kType = FLOAT8OID;
  static bool Read(const pg::Row& row, int column, double* value);
  static void Set(pg::Row* row, int column, double value);
};

struct Bool {
  static constexpr Oid kType = BOOLOID;
  static bool Read(const pg::Row& row, int column, bool* value);
  static void Set(pg::Row* row, int column, bool value);
};

struct Time {
  static constexpr Oid kType = TIMESTAMPTZOID;
  static bool Read(const pg::Row& row, int column, TimestampTz* value);
  static void Set(pg::Row* row, int column, TimestampTz value);
};

// An interval as microseconds.
struct Span {
  static constexpr Oid kType = INTERVALOID;
  static bool Read(const pg::Row& row, int column, std::int64_t* value);
  static void Set(pg::Row* row, int column, std::int64_t value);
};

// A role.
struct RoleNumber {
  static constexpr Oid kType = OIDOID;
  static bool Read(const pg::Row& row, int column, Oid* value);
  static void Set(pg::Row* row, int column, Oid value);
};
// A role by the name that it has when the row is written; without one, by its number. Names outlive
// roles, so that it is not read again.
struct NameOfRole {
  static constexpr Oid kType = TEXTOID;
  static bool Read(const pg::Row& row, int column, Oid* value);
  static void Set(pg::Row* row, int column, Oid value);
};
// One that pg_dump writes by its name.
struct Role : RoleNumber {
  static constexpr Oid kType = REGROLEOID;
};

struct Text {
  static constexpr Oid kType = TEXTOID;
  static bool Read(const pg::Row& row, int column, std::string* value);
  static void Set(pg::Row* row, int column, std::string_view value);
};

// As text; null when empty.
struct Json {
  static constexpr Oid kType = JSONBOID;
  static bool Read(const pg::Row& row, int column, std::string* value);
  static void Set(pg::Row* row, int column, std::string_view value);
};

// The five characters of an SQLSTATE, as the server has it in a number.
struct Sqlstate {
  static constexpr Oid kType = TEXTOID;
  static bool Read(const pg::Row& row, int column, int* value);
  static void Set(pg::Row* row, int column, int value);
};

struct TextArray {
  static constexpr Oid kType = TEXTARRAYOID;
  static bool Read(const pg::Row& row, int column, std::vector<std::string>* value);
  static void Set(pg::Row* row, int column, const std::vector<std::string>& value);
};

struct TableArray {
  static constexpr Oid kType = REGCLASSARRAYOID;
  static bool Read(const pg::Row& row, int column, std::vector<Oid>* value);
  static void Set(pg::Row* row, int column, const std::vector<Oid>& value);
};

struct RoleArray {
  static constexpr Oid kType = REGROLEARRAYOID;
  static bool Read(const pg::Row& row, int column, std::vector<Oid>* value);
  static void Set(pg::Row* row, int column, const std::vector<Oid>& value);
};

struct Int8Array {
  static constexpr Oid kType = INT8ARRAYOID;
  static bool Read(const pg::Row& row, int column, std::vector<std::int64_t>* value);
  static void Set(pg::Row* row, int column, std::span<const std::int64_t> value);
};

struct Uuid {
  static constexpr Oid kType = UUIDOID;
  static bool Read(const pg::Row& row, int column, policy::MessageId* value);
  static void Set(pg::Row* row, int column, const policy::MessageId& value);
};

// A word of policy, by the function that reads it.
template <auto kOf>
struct Word {
  static constexpr Oid kType = TEXTOID;
  template <typename Value>
  static bool Read(const pg::Row& row, int column, Value* value) {
    *value = kOf(row.Text(column));
    return true;
  }
  template <typename Value>
  static void Set(pg::Row* row, int column, Value value) {
    row->SetText(column, policy::Name(value));
  }
};

// bytea has the form of text.
struct Bytes : Text {
  static constexpr Oid kType = BYTEAOID;
};

// Only the code sets and reads these.
struct Date {
  static constexpr Oid kType = DATEOID;
};
struct RoleName {
  static constexpr Oid kType = NAMEOID;
};

}  // namespace ratchet::catalog
