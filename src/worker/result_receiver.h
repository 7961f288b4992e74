// Takes the rows that a command returns: keeps the first one, and drops the others.
#pragma once

#include "pg/server.h"

extern "C" {
#include "access/tupdesc.h"
#include "tcop/dest.h"
}

namespace ratchet::worker {

struct ResultReceiver {
  DestReceiver receiver;  // first: the server knows this part only
  MemoryContext memory;
  bool is_waiting;    // for the first row of a query
  TupleDesc columns;  // of that query
  char* first_row;    // of the last query that returned rows, as JSON text; null: none did
};

// first_row lives as long as `memory`.
void InitResultReceiver(ResultReceiver* receiver, MemoryContext memory);

}  // namespace ratchet::worker
