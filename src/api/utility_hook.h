// Statements at which our processes must step aside, or that they must hear of.
#pragma once

namespace ratchet::api {

// Installs the hooks on utility statements and on dropped objects. Called by _PG_init while
// preloading.
void InstallUtilityHook();

}  // namespace ratchet::api
