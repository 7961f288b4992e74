#include "pg/text_array.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
}

namespace ratchet::pg {

int AppendTextArray(Datum array, std::vector<std::string>* elements) {
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  int missing = 0;
  deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls,
                    &count);
  for (int i = 0; i < count; i++) {
    if (nulls[i]) {
      missing++;
      continue;
    }
    text* value = DatumGetTextPP(values[i]);
    elements->emplace_back(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
  }
  return missing;
}

Datum TextArrayOf(const std::vector<std::string>& elements) {
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (elements.size() + 1)));
  int count = 0;
  for (const std::string& element : elements) {
    values[count++] =
        PointerGetDatum(cstring_to_text_with_len(element.data(), static_cast<int>(element.size())));
  }
  return PointerGetDatum(construct_array(values, count, TEXTOID, -1, false, TYPALIGN_INT));
}

}  // namespace ratchet::pg
