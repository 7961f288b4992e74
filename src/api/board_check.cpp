// ratchet._board_check()
#include "board/board_check.h"

#include "api/row_set.h"
#include "board/board.h"

namespace ratchet::api {
namespace {

void CheckBoard(FunctionCallInfo call) {
  RowSet rows(call);
  if (board::TheBoard() == nullptr) {
    return;
  }
  for (const std::string& violation : board::CheckBoard()) {
    pg::Call([&rows, &violation] {
      Datum value = CStringGetTextDatum(violation.c_str());
      bool null = false;
      rows.Add(&value, &null);
    });
  }
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

// With whatever version of the extension, and without one: tests call it from outside.
PG_FUNCTION_INFO_V1(ratchet_board_check);
PGDLLEXPORT Datum ratchet_board_check(PG_FUNCTION_ARGS) {
  ratchet::pg::Entry([fcinfo] { ratchet::api::CheckBoard(fcinfo); });
  return static_cast<Datum>(0);
}

}  // extern "C"
