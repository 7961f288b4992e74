// The body of a function that SQL calls. Which arguments there are, and of which types, is known to
// the library and to the extension's SQL: they must be of one version.
//
// Without this, with pg::Entry alone, do: what says which version there is, what runs in the
// scripts that make another version, and triggers on tables of users, whose statements must not
// fail because of us; and what the command of a run that is under way calls.
#pragma once

#include <type_traits>

#include "catalog/installation.h"
#include "pg/guard.h"

namespace ratchet::api {

template <typename F>
auto SqlFunction(F&& body) -> std::invoke_result_t<F&> {
  return pg::Entry([&body] {
    catalog::RequireThisVersion();
    return body();
  });
}

}  // namespace ratchet::api
