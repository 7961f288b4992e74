// What the board shows of a run.
#pragma once

#include <cstdint>
#include <optional>

#include "board/run_view.h"

namespace ratchet::api {

// Of this database; nullopt when it is not live, and in a server that did not preload the library.
std::optional<board::LiveRun> FindLiveRun(std::int64_t run_id);

// "queued", "running" or, for a run that is over and not yet recorded, "ended".
const char* NameOfState(board::RunState state);

}  // namespace ratchet::api
