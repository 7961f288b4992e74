#include "api/held_back.h"

#include "board/database_board.h"
#include "pg/guard.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::api {

bool IsCopy() { return board::TheBoard() != nullptr && board::IsQuarantined(MyDatabaseId); }

void TellIfHeldBack(const catalog::JobDefinition& job) {
  if (job.quarantined) {
    pg::Call([&job] {
      ereport(NOTICE, (errmsg("job \"%s\" is held back, because it was not written by pg_ratchet "
                              "in this database",
                              job.job_name.c_str()),
                       errhint("A superuser lets it run by SELECT ratchet.adopt().")));
    });
  } else if (IsCopy()) {
    pg::Call([] {
      ereport(NOTICE, (errmsg("jobs of this database are held back, because it is a copy"),
                       errhint("Run SELECT ratchet.adopt() to let them run here.")));
    });
  }
}

void TellOnceIfHeldBack(const catalog::JobDefinition& job) {
  static bool told = false;
  if (!told && (job.quarantined || IsCopy())) {
    told = true;
    TellIfHeldBack(job);
  }
}

}  // namespace ratchet::api
