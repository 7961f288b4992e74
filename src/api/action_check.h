// The action of a batch job, before it ever runs.
#pragma once

#include <string>

#include "batch/shape.h"

namespace ratchet::api {

// Analyses and plans each statement of the action as the current user, with the parameters that a
// source of this shape gives. Throws for what no run can execute, or may not. Returns which of
// the parameters it uses.
std::vector<bool> CheckAction(const std::string& action, const batch::Shape& shape,
                              catalog::Per per);

}  // namespace ratchet::api
