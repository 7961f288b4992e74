#include "pg/as_role.h"

extern "C" {
#include "utils/guc.h"
}

namespace ratchet::pg {

AsRole::AsRole(Oid role, const char* search_path) {
  Call([this, role, search_path] {
    GetUserIdAndSecContext(&user_, &security_);
    guc_level_ = NewGUCNestLevel();
    if (search_path != nullptr) {
      set_config_option("search_path", search_path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                        true, 0, false);
    }
    SetUserIdAndSecContext(role, security_ | SECURITY_RESTRICTED_OPERATION);
  });
}

void AsRole::End() {
  Call([this] {
    AtEOXact_GUC(false, guc_level_);
    SetUserIdAndSecContext(user_, security_);
  });
}

}  // namespace ratchet::pg
