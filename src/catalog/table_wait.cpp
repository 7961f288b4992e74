#include "catalog/table_wait.h"

#include "board/run_board.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/table.h"

namespace ratchet::catalog {
namespace {

// Microseconds.
constexpr std::int64_t kPatience = USECS_PER_SEC;
constexpr std::int64_t kBetweenLooks = 200'000;

}  // namespace

TableWait::~TableWait() { board::SetInTheWay(slot_, 0); }

void TableWait::Blocked(std::initializer_list<const char*> tables, LOCKMODE mode) {
  const policy::SteadyTime now = pg::SteadyNow();
  if (!since_.IsSet()) {
    since_ = now;
  }
  if (now - since_ < kPatience || (looked_at_.IsSet() && now - looked_at_ < kBetweenLooks)) {
    return;
  }
  looked_at_ = now;
  pid_t pid = 0;
  for (const char* table : tables) {
    if (pg::Call([table] { return pg::HasTable(table); }) &&
        !blockers_.MakeWay(WaitForTable(table, mode), now).empty() && pid == 0) {
      pid = blockers_.first();
    }
  }
  board::SetInTheWay(slot_, pid);
}

}  // namespace ratchet::catalog
