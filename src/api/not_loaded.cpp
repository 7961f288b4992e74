#include "api/not_loaded.h"

#include "board/board.h"

namespace ratchet::api {

void WarnIfNotLoaded() {
  static bool told = false;
  if (board::TheBoard() == nullptr && !told) {
    told = true;
    ereport(
        WARNING,
        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("%s", board::kNotLoaded),
         errdetail("Jobs can be defined, and none runs."), errhint("%s", board::kNotLoadedHint)));
  }
}

}  // namespace ratchet::api
