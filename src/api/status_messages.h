// What ratchet.status() says of messages: who delivers them, and which channels take none.
#pragma once

#include "api/report.h"

namespace ratchet::api {

void ReportMessages(Report* report);

}  // namespace ratchet::api
