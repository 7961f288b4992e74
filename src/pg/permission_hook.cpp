#include "pg/permission_hook.h"

#include "pg/server.h"

extern "C" {
#include "executor/executor.h"
}

namespace ratchet::pg {
namespace {

ExecutorCheckPerms_hook_type own_alone = nullptr;  // null while others are before ours

}  // namespace

void NoteOwnPermissionHook(bool is_only_one) {
  own_alone = is_only_one ? ExecutorCheckPerms_hook : nullptr;
}

bool OthersHavePermissionHook() { return ExecutorCheckPerms_hook != own_alone; }

}  // namespace ratchet::pg
