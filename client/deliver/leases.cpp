#include "deliver/leases.h"

#include "journal/journal.h"
#include "text/span.h"

namespace client::deliver {

void Leases::Add(const Lease& lease, std::chrono::milliseconds length, Clock::time_point now) {
  held_[lease.id] = {lease, length, now + length / 3};
}

void Leases::Step(Clock::time_point now) {
  for (auto& [id, held] : held_) {
    if (now < held.extend_at) {
      continue;
    }
    held.extend_at = now + held.length / 3;
    reports_.Tell(extend_, {held.lease.id, held.lease.token, text::SpanLiteral(held.length)},
                  [id = id](const postgres::Answer& answer) {
                    if (!answer.ok) {
                      journal::Warning("a lease could not be made longer",
                                       {{"id", id}, {"error", answer.message}});
                    }
                  });
  }
}

}  // namespace client::deliver
