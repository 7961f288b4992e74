#include "api/row_set.h"

extern "C" {
#include "funcapi.h"
#include "utils/tuplestore.h"
}

namespace ratchet::api {

RowSet::RowSet(FunctionCallInfo call)
    : result_(reinterpret_cast<ReturnSetInfo*>(call->resultinfo)) {
  pg::Call([call] { InitMaterializedSRF(call, MAT_SRF_USE_EXPECTED_DESC); });
}

void RowSet::Add(Datum* values, bool* nulls) {
  tuplestore_putvalues(result_->setResult, result_->setDesc, values, nulls);
}

}  // namespace ratchet::api
