#include "batch/task_shape.h"

extern "C" {
#include "catalog/pg_type_d.h"
}

namespace ratchet::batch {

Shape TaskShape() {
  Shape shape;
  shape.columns = {{"payload", JSONBOID, -1, InvalidOid, 0},
                   {"task_id", INT8OID, -1, InvalidOid, 1}};
  shape.key = {1};
  shape.outputs = {0, 1};
  return shape;
}

}  // namespace ratchet::batch
