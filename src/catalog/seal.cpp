#include "catalog/seal.h"

#include <string_view>

#include "catalog/home.h"

extern "C" {
#include "access/htup_details.h"  // for lengths of values, from PostgreSQL 16 on
#include "catalog/pg_type_d.h"
}

namespace ratchet::catalog {
namespace {

// As the value reads whatever the server has done to it: texts may be compressed or stored out of
// line, and a number of 4 bytes is extended to a Datum in one way or another.
void Add(Oid type, Datum value, policy::SipHash* hash) {
  switch (type) {
    case INT8OID:
    case TIMESTAMPTZOID:
      hash->AddNumber(static_cast<std::uint64_t>(DatumGetInt64(value)));
      break;
    case INT4OID:
    case OIDOID:
    case REGROLEOID:
      hash->AddNumber(DatumGetUInt32(value));
      break;
    case BOOLOID:
      hash->AddNumber(DatumGetBool(value) ? 1 : 0);
      break;
    default: {
      struct varlena* bytes = PG_DETOAST_DATUM_PACKED(value);
      const auto size = static_cast<std::size_t>(VARSIZE_ANY_EXHDR(bytes));
      hash->AddNumber(size);
      hash->Add({VARDATA_ANY(bytes), size});
      if (PointerGetDatum(bytes) != value) {
        pfree(bytes);
      }
    }
  }
}

}  // namespace

// The name keeps rows of different tables apart, and which columns are not null their values. Nulls
// are nothing, so that a column which is added to a table changes nothing for its rows.
std::uint64_t RowSeal::HashOf(const pg::Row& row, const policy::SipKey& key) const {
  static_assert(pg::kMaxColumns <= 64);
  policy::SipHash hash(key);
  hash.Add(table_->name);
  std::uint64_t not_null = 0;
  for (int i = 0; i < count_; i++) {
    not_null |= static_cast<std::uint64_t>(!row.IsNull(covered_[i])) << (covered_[i] - 1);
  }
  hash.AddNumber(not_null);
  for (int i = 0; i < count_; i++) {
    const int column = covered_[i];
    if (!row.IsNull(column)) {
      Add(table_->columns[column - 1].type, row.values[column - 1], &hash);
    }
  }
  return hash.Finish();
}

void RowSeal::Put(pg::Row* row) const {
  if (const policy::SipKey* key = FindSealKey()) {
    row->SetInt64(column_, static_cast<std::int64_t>(HashOf(*row, *key)));
  } else {
    row->SetNull(column_);
  }
}

bool RowSeal::Fits(const pg::Row& row) const {
  const policy::SipKey* key = row.IsNull(column_) ? nullptr : FindSealKey();
  return key != nullptr && static_cast<std::uint64_t>(row.Int64(column_)) == HashOf(row, *key);
}

}  // namespace ratchet::catalog
