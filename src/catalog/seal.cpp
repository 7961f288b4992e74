#include "catalog/seal.h"

#include <string_view>

#include "catalog/home.h"

extern "C" {
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

// The numbers of the columns keep values of different columns apart, and the name of the table rows
// of different tables. Nulls are left out, so that a column which is added to a table changes
// nothing for its rows.
std::uint64_t RowSeal::HashOf(const pg::Row& row, const policy::SipKey& key) const {
  policy::SipHash hash(key);
  hash.Add(table_->name);
  for (int i = 0; i < count_; i++) {
    const int column = covered_[i];
    if (!row.IsNull(column)) {
      hash.AddNumber(static_cast<std::uint64_t>(column));
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
