// Which table's columns the key of a walk are, as far as the source's text tells. Everything here
// is for use inside pg::Call, in a transaction.
#pragma once

#include "pg/server.h"

extern "C" {
#include "nodes/bitmapset.h"
#include "nodes/parsenodes.h"
}

namespace ratchet::batch {

struct KeyOrigin {
  Oid table = InvalidOid;  // whose columns all of the key are; invalid if there is no such one
  AttrNumber* columns = nullptr;  // of the key, in its order; 0 for a column that is computed

  // All that follows is known only if each row of the source is one row of the table.
  bool is_one_table = false;
  bool inherited = false;         // rows of child tables are read too
  Bitmapset* not_null = nullptr;  // columns whose null the source leaves out
  Bitmapset* constant = nullptr;  // columns for which the source wants one value
};

// `key` are positions in the source's target list, from 0. The query is a rewritten one: without
// views. The table is set as well if some columns of a key of one table are computed.
KeyOrigin OriginOf(Query* query, const int* key, int count);

}  // namespace ratchet::batch
