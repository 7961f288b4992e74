#include "api/batch_check.h"

namespace ratchet::api {

batch::Shape CheckBatchText(const catalog::JobDefinition& job) { return batch::ShapeOf(job); }

}  // namespace ratchet::api
