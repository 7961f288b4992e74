// What an error of the server says, for the policies that judge it.
#pragma once

#include <string>

#include "pg/guard.h"
#include "policy/error_class.h"

namespace ratchet::batch {

// Whose fault it is.
policy::ErrorClass ClassOf(const pg::PgError& error);
// See policy/error_words.h.
std::string WordsOf(const ErrorData& error);

}  // namespace ratchet::batch
