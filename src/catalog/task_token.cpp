#include "catalog/task_token.h"

#include "catalog/numbers.h"

namespace ratchet::catalog {

std::int64_t NewTaskToken() {
  constexpr std::int64_t kMost = (std::int64_t{1} << 53) - 1;
  std::int64_t token = 0;
  while (token == 0) {
    token = NewMark() & kMost;
  }
  return token;
}

}  // namespace ratchet::catalog
