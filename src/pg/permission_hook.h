// Who is asked whether a statement may use its relations: the server has one hook for it, which
// this library has taken, too (api/table_use.h).
#pragma once

namespace ratchet::pg {

// The library has just installed its hook. Called once, by _PG_init while preloading.
// is_only_one: nobody had one before.
void NoteOwnPermissionHook(bool is_only_one);

// Whether another extension has one, too: installed before ours or behind it.
bool OthersHavePermissionHook();

}  // namespace ratchet::pg
