// Values that are kept as text: exactly, and read back without anything that belongs to a user.
#pragma once

#include "pg/server.h"

namespace ratchet::pg {

struct TextOutput {
  Oid type;
  FmgrInfo function;
};

struct TextInput {
  Oid type;
  bool has_parts;     // an array, a row, a range or a multirange
  FmgrInfo function;  // of a type without parts
  Oid parameter;
};

// All that follows is for use inside pg::Call. The type is no domain, and `memory` outlives what is
// looked up.
void LookUpOutput(Oid type, MemoryContext memory, TextOutput* output);
void LookUpInput(Oid type, MemoryContext memory, TextInput* input);

// As the output function writes it, but that of a date, a time or a float does not depend on
// settings. What arrays, rows and ranges have within them does: see UseSettingsOfText.
const char* TextOf(const TextOutput& output, Datum value);

// Back into a value, in the current memory context. The input functions of arrays, rows and ranges
// would call those of the domains within them, and so the checks, which are code of whoever owns
// the domain: a query that has fetched the value has called none of it. So these are taken apart,
// and put together from parts, and the parts are read by the input functions of base types and
// enums alone. Type modifiers count for nothing either: the value had come through them.
Datum ValueOf(const TextInput& input, const char* literal);

// Begins a nest of settings under which texts are always the same. It ends by AtEOXact_GUC, or with
// the transaction or subtransaction after an error.
int UseSettingsOfText();

}  // namespace ratchet::pg
