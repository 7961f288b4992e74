// Values as JSON.
#pragma once

#include "pg/server.h"

extern "C" {
#include "access/tupdesc.h"
#include "lib/stringinfo.h"
}

namespace ratchet::pg {

// In the form that to_json gives a value, but for one thing: to_json looks for a cast to json,
// which whoever owns a type may have made, and calls it with the rights of whoever reads the value.
// Here a value of a type that is not the server's own is what a client gets: the text that its
// output function writes. For use inside pg::Call, as is what follows.
void AppendAsJson(StringInfo json, Oid type, Datum value);

// {"id":42,"name":null}
void AppendRowAsJson(StringInfo json, TupleDesc columns, const Datum* values, const bool* nulls);

}  // namespace ratchet::pg
