// When it makes sense to try a failed run again: what its error says about the next attempt.
#pragma once

#include <cstdint>
#include <string_view>

namespace ratchet::policy {

enum class RetryClass : std::uint8_t {
  kBackOff,  // it may have been the moment, or the job: after the job's rest
  kSoon,     // it was the moment: another session's timing, a connection, a full server, a restart
  kNever,    // it was the job: the same text fails in the same way
};

// sqlstate: five characters, or empty when the run left no error behind.
RetryClass RetryClassOf(std::string_view sqlstate);

// How long before attempt `attempt` + 1 of what is retried soon: 1, 2, 4, ... 30 seconds, a quarter
// more or less so that those who collided do not meet again; microseconds. unit: random, [0, 1).
std::int64_t SoonDelay(int attempt, double unit);

}  // namespace ratchet::policy
