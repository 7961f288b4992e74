#include "policy/task_spans.h"

#include <algorithm>

namespace ratchet::policy {

std::vector<TaskSpan> MergeSpans(std::vector<TaskSpan> spans) {
  std::sort(spans.begin(), spans.end(),
            [](const TaskSpan& a, const TaskSpan& b) { return a.first < b.first; });
  std::size_t count = 0;
  for (const TaskSpan& span : spans) {
    if (span.first > span.last) {
      continue;
    }
    if (count > 0 && span.first - 1 <= spans[count - 1].last) {
      spans[count - 1].last = std::max(spans[count - 1].last, span.last);
    } else {
      spans[count++] = span;
    }
  }
  spans.resize(count);
  return spans;
}

}  // namespace ratchet::policy
