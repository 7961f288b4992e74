// What an order of texts is made of. Everything here is for use inside pg::Call.
#pragma once

#include "pg/server.h"

namespace ratchet::pg {

// The same text for collations that sort alike, whatever their names: the provider, its locale and
// rules, whether texts that differ can be equal, and the version of the library that sorts now.
// "C" for all that compare bytes. Invalid stands for the database's own.
const char* OrderOfTexts(Oid collation);

// What the server would warn of: indexes may be older than the library that sorts now. Null if
// versions agree or are not known, else 'collation "x" was of version 1, and is of version 2'.
const char* OutdatedCollation(Oid collation);

}  // namespace ratchet::pg
