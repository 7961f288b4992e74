// The action of a batch job, and the handler of a queue, before it ever runs.
#pragma once

#include <string>
#include <vector>

#include "batch/shape.h"

namespace ratchet::api {

// Analyses and plans each statement of the action as the current user, with the parameters that a
// source of this shape gives. Throws for what no run can execute, or may not. Returns which of
// the parameters it uses.
std::vector<bool> CheckAction(const std::string& action, const batch::Shape& shape,
                              catalog::Per per);

// The same for the handler of a queue, which is one statement; its parameters are batch::TaskShape.
std::vector<bool> CheckHandler(const std::string& handler, catalog::Per per);

}  // namespace ratchet::api
