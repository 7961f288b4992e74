#include "pg/oid_array.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
}

namespace ratchet::pg {

void AppendOidArray(Datum array, std::vector<Oid>* elements) {
  ArrayType* packed = DatumGetArrayTypeP(array);
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(packed, ARR_ELEMTYPE(packed), sizeof(Oid), true, TYPALIGN_INT, &values, &nulls,
                    &count);
  for (int i = 0; i < count; i++) {
    if (!nulls[i]) {
      elements->push_back(DatumGetObjectId(values[i]));
    }
  }
}

Datum OidArrayOf(const std::vector<Oid>& elements, Oid type) {
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (elements.size() + 1)));
  int count = 0;
  for (const Oid element : elements) {
    values[count++] = ObjectIdGetDatum(element);
  }
  return PointerGetDatum(construct_array(values, count, type, sizeof(Oid), true, TYPALIGN_INT));
}

}  // namespace ratchet::pg
