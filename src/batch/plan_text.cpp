#include "batch/plan_text.h"

#include "pg/compat.h"

extern "C" {
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "tcop/dest.h"
#include "utils/snapmgr.h"
}

namespace ratchet::batch {
namespace {

// Of a table with a hundred partitions, a few say it all.
constexpr int kMostLines = 20;

// Without the end of its last line, too.
void CutBehindLines(StringInfo text) {
  int lines = 0;
  for (int i = 0; i < text->len; i++) {
    if (text->data[i] == '\n' && (i == text->len - 1 || ++lines == kMostLines)) {
      const bool is_all = i == text->len - 1;
      text->data[i] = '\0';
      text->len = i;
      appendStringInfoString(text, is_all ? "" : "\n...");
    }
  }
}

}  // namespace

const char* PlanText(PlannedStmt* plan, const char* query) {
  ExplainState* state = NewExplainState();
  state->costs = false;
  QueryDesc* description = CreateQueryDesc(plan, query, GetActiveSnapshot(), InvalidSnapshot,
                                           None_Receiver, nullptr, nullptr, 0);
  ExecutorStart(description, EXEC_FLAG_EXPLAIN_ONLY);
  ExplainBeginOutput(state);
  ExplainPrintPlan(state, description);
  ExplainEndOutput(state);
  ExecutorEnd(description);
  FreeQueryDesc(description);
  CutBehindLines(state->str);
  return state->str->data;
}

}  // namespace ratchet::batch
