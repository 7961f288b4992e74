// Who may use the extension's tables by hand, beyond what privileges and row-level security say.
#pragma once

namespace ratchet::api {

// Installs the hook. Called by _PG_init while preloading.
//
// Refused, to all but superusers, is what pg_write_all_data would allow together with BYPASSRLS: to
// write the tables, and to lock their rows, for which the library would wait. Triggers refuse the
// first too (superusers_only.cpp), and know nothing of the second. Refused, to all but superusers
// and roles that bypass row-level security, is what pg_read_all_data would allow: to read long
// values in the table where the server stores them, which has no policies.
void InstallTableUseHook();

}  // namespace ratchet::api
