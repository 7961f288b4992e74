#include "api/not_loaded.h"

#include "board/board.h"

namespace ratchet::api {

void WarnIfNotLoaded() {
  static bool told = false;
  if (board::TheBoard() == nullptr && !told) {
    told = true;
    ereport(WARNING,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("pg_ratchet is not loaded by the server"),
             errdetail("Jobs can be defined, and none runs."),
             errhint("Add pg_ratchet to shared_preload_libraries and restart the server.")));
  }
}

}  // namespace ratchet::api
