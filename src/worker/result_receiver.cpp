#include "worker/result_receiver.h"

#include "catalog/run_log.h"
#include "pg/compat.h"
#include "pg/value_json.h"

extern "C" {
#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
}

namespace ratchet::worker {
namespace {

// Of the record only some kilobytes are kept, and a value of a gigabyte must not become an error
// when it is turned into JSON: a long text is cut beforehand, other long values are left out.
constexpr Size kLongValue = 65536;

bool IsLong(Form_pg_attribute column, Datum value) {
  return column->attlen == -1 && toast_raw_datum_size(value) > kLongValue;
}

void Shorten(Form_pg_attribute column, Datum* value, bool* is_null) {
  if (column->atttypid != TEXTOID && column->atttypid != VARCHAROID) {
    *is_null = true;
    return;
  }
  const text* start =
      DatumGetTextPSlice(*value, 0, catalog::kMaxResultText + MAX_MULTIBYTE_CHAR_LEN);
  const char* bytes = VARDATA_ANY(start);
  const int length =
      pg_mbcliplen(bytes, static_cast<int>(VARSIZE_ANY_EXHDR(start)), catalog::kMaxResultText);
  *value = PointerGetDatum(cstring_to_text_with_len(bytes, length));
}

// The slot's own descriptor has no names where the executor hands on what a function or VALUES
// gives.
char* AsJson(TupleTableSlot* slot, TupleDesc columns) {
  slot_getallattrs(slot);
  const auto count = static_cast<Size>(columns->natts) + 1;
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * count));
  auto* nulls = static_cast<bool*>(palloc(sizeof(bool) * count));
  for (int i = 0; i < columns->natts; i++) {
    values[i] = slot->tts_values[i];
    nulls[i] = slot->tts_isnull[i];
    if (!nulls[i] && IsLong(TupleDescAttr(columns, i), values[i])) {
      Shorten(TupleDescAttr(columns, i), &values[i], &nulls[i]);
    }
  }
  StringInfoData json;
  initStringInfo(&json);
  pg::AppendRowAsJson(&json, columns, values, nulls);
  json.len = pg_mbcliplen(json.data, json.len, catalog::kMaxResultText);
  return pnstrdup(json.data, static_cast<Size>(json.len));
}

ResultReceiver* Of(DestReceiver* receiver) { return reinterpret_cast<ResultReceiver*>(receiver); }

void Startup(DestReceiver* receiver, int /*operation*/, TupleDesc columns) {
  Of(receiver)->is_waiting = true;
  Of(receiver)->columns = columns;
}

bool Receive(TupleTableSlot* slot, DestReceiver* receiver) {
  ResultReceiver* self = Of(receiver);
  if (self->is_waiting) {
    self->is_waiting = false;
    MemoryContext old = MemoryContextSwitchTo(self->memory);
    self->first_row = AsJson(slot, self->columns);
    MemoryContextSwitchTo(old);
  }
  return true;
}

void Shutdown(DestReceiver* /*receiver*/) {}

}  // namespace

void InitResultReceiver(ResultReceiver* receiver, MemoryContext memory) {
  // Any kind but DestNone, which the server takes for "nobody wants the rows".
  receiver->receiver = {Receive, Startup, Shutdown, Shutdown, DestTuplestore};
  receiver->memory = memory;
  receiver->is_waiting = false;
  receiver->columns = nullptr;
  receiver->first_row = nullptr;
}

}  // namespace ratchet::worker
