// What a queue gives to its handler, as a source gives items to an action.
#pragma once

#include "batch/shape.h"

namespace ratchet::batch {

// $1 the payload, $2 the number of the task; per => 'batch': arrays of them.
Shape TaskShape();

}  // namespace ratchet::batch
