// How long the program waits for the server, and how often it asks.
#pragma once

#include <chrono>

namespace client::postgres {

// Of a claim: the server answers as soon as there is something. This is how often it hears that we
// live when there is not.
inline constexpr std::chrono::milliseconds kClaimWait{20000};
// A statement that has not answered by then has lost its connection. Longer than a claim waits.
inline constexpr std::chrono::milliseconds kPatience{60000};
// After a claim that was refused.
inline constexpr std::chrono::milliseconds kAfterError{5000};
// Where nobody waits in the server, and something else is not over yet.
inline constexpr std::chrono::milliseconds kOnceAgain{100};
// Of a turn of the loop, whatever comes.
inline constexpr std::chrono::milliseconds kLongestSleep{1000};

}  // namespace client::postgres
