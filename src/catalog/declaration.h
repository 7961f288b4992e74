// A table of the extension, declared once: of each column its name, the kind of its values, and
// the member in which C++ has them. The layout that the library insists on, the numbers of
// columns, reading, writing, and what the seal of a row covers follow from it.
//
//   constexpr auto kColumns = Declare<QueuedRun>(
//       Column<Int8, &QueuedRun::run_id>("run_id").Sealed(),
//       Nullable<Time, &QueuedRun::claimed_at>("claimed_at"),  // null: what a new QueuedRun has
//       Where<&QueuedRun::has_note, Text, &QueuedRun::note>("note"),  // null where it is false
//       Other<Int8>("share_hash"));                            // the code sets and reads it
//   constexpr pg::TableLayout kRunQueueTable("run_queue", kColumns.layout);
//
// In the order of sql/install/10_tables.sql, which says the same in SQL: test/lint/tables compares
// the two. A member may be one of a member: Column<Int8, &Checkpoint::counters, &Counters::items>.
#pragma once

#include <concepts>
#include <functional>
#include <type_traits>

#include "catalog/column_kinds.h"
#include "pg/never_destroyed.h"
#include "pg/table.h"

namespace ratchet::catalog {

// Which rows have a value in a column, where no member says so.
enum class Written {
  kAlways,
  kUnlessDefault,
  kByCode,
};

template <auto... kPath, typename Object>
auto& MemberOf(Object& object) {
  return (object.*....*kPath);
}

template <typename Kind, typename Member>
concept IsOfKind = requires(const pg::Row& from, pg::Row* to, Member* member) {
  { Kind::Read(from, 1, member) } -> std::same_as<bool>;
  Kind::Set(to, 1, *member);
};
// Whether the member at the end of the path is.
template <typename Kind>
constexpr bool EndsInKind() {
  return true;
}
template <typename Kind, typename Class, typename Member, typename... Rest>
constexpr bool EndsInKind(Member Class::* /*member*/, Rest... rest) {
  if constexpr (sizeof...(rest) == 0) {
    return IsOfKind<Kind, Member>;
  } else {
    return EndsInKind<Kind>(rest...);
  }
}

// What Column() and its like return, for Declare().
template <typename Kind, auto kWhen, auto... kPath>
struct Declaration {
  static_assert(EndsInKind<Kind>(kPath...),
                "the member cannot have what a column of this kind has");
  static constexpr Oid kType = Kind::kType;
  const char* name;
  bool is_sealed = false;
  bool is_read = true;

  // It says what is run, or as whom: see seal.h.
  constexpr Declaration Sealed() const { return {name, true, is_read}; }
  // It is written only: nobody asks for it.
  constexpr Declaration NotRead() const { return {name, is_sealed, false}; }
};

template <typename Kind, auto... kPath>
constexpr Declaration<Kind, Written::kAlways, kPath...> Column(const char* name) {
  return {name};
}
template <typename Kind, auto... kPath>
constexpr Declaration<Kind, Written::kUnlessDefault, kPath...> Nullable(const char* name) {
  return {name};
}
// kWhen is a member that is a bool, which reading sets, or a member function.
template <auto kWhen, typename Kind, auto... kPath>
constexpr Declaration<Kind, kWhen, kPath...> Where(const char* name) {
  return {name};
}
template <typename Kind>
constexpr Declaration<Kind, Written::kByCode> Other(const char* name) {
  return {name};
}

// How a column gets into an object and out of it; null: not by itself.
struct Transfer {
  void (*read)(const pg::Row& row, int column, void* object) = nullptr;
  void (*fill)(const void* object, pg::Row* row, int column) = nullptr;
};
void ReadColumns(const Transfer* transfers, int count, const pg::Row& row, void* object);
void FillColumns(const Transfer* transfers, int count, const void* object, pg::Row* row);

// What a null stands for.
template <typename Object>
const Object& NewObject() {
  static pg::NeverDestroyed<Object> object;
  return *object;
}

template <typename Object, typename Kind, auto kWhen, auto... kPath>
struct TransferOf {
  static void Read(const pg::Row& row, int column, void* object) {
    auto& to = *static_cast<Object*>(object);
    const bool is_null = row.IsNull(column);
    if constexpr (std::is_member_object_pointer_v<decltype(kWhen)>) {
      to.*kWhen = !is_null;
    }
    if (is_null || !Kind::Read(row, column, &MemberOf<kPath...>(to))) {
      MemberOf<kPath...>(to) = MemberOf<kPath...>(NewObject<Object>());
    }
  }

  static void Fill(const void* object, pg::Row* row, int column) {
    const auto& from = *static_cast<const Object*>(object);
    if (IsWritten(from)) {
      Kind::Set(row, column, MemberOf<kPath...>(from));
    } else {
      row->SetNull(column);
    }
  }

  static bool IsWritten(const Object& from) {
    if constexpr (!std::is_same_v<std::remove_cv_t<decltype(kWhen)>, Written>) {
      return std::invoke(kWhen, from);
    } else if constexpr (kWhen == Written::kUnlessDefault) {
      return !(MemberOf<kPath...>(from) == MemberOf<kPath...>(NewObject<Object>()));
    } else {
      return true;
    }
  }
};

template <typename Object, typename Kind, auto kWhen, auto... kPath>
constexpr Transfer TransferFor(const Declaration<Kind, kWhen, kPath...>& declared) {
  if constexpr (sizeof...(kPath) == 0) {
    return {};
  } else {
    using Of = TransferOf<Object, Kind, kWhen, kPath...>;
    return {declared.is_read ? Of::Read : nullptr, Of::Fill};
  }
}

template <typename Object, int kCount>
struct DeclaredColumns {
  pg::Column layout[kCount];
  Transfer transfers[kCount];
  bool is_sealed[kCount];

  // For use inside pg::Call. Columns of Other() in the row, and other members, stay as they are.
  void Read(const pg::Row& row, Object* object) const {
    ReadColumns(transfers, kCount, row, object);
  }
  void Fill(const Object& object, pg::Row* row) const {
    FillColumns(transfers, kCount, &object, row);
  }
};

// A table that is not read into objects has Other() columns only, and this for Object.
struct NoObject;

template <typename Object, typename... Declarations>
constexpr DeclaredColumns<Object, sizeof...(Declarations)> Declare(Declarations... each) {
  return {
      {{each.name, Declarations::kType}...}, {TransferFor<Object>(each)...}, {each.is_sealed...}};
}

}  // namespace ratchet::catalog
