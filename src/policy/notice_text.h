// What a message about incidents says in one line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/alert_event.h"
#include "policy/episode.h"

namespace ratchet::policy {

struct Said {
  AlertEvent event = AlertEvent::kFailed;
  std::string subject;  // name of a job or a queue, as it may be shown
  std::int32_t failures = 0;
};

// "[production] job nightly failed (3 in a row)", "[production] resolved after 12m: 5 jobs failed".
// `lasts` is for how long it has been so, or was.
std::string SubjectOf(NoticeKind kind, const std::string& environment,
                      const std::vector<Said>& said, std::int64_t lasts);

}  // namespace ratchet::policy
