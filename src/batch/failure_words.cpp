#include "batch/failure_words.h"

#include "policy/error_words.h"

namespace ratchet::batch {
namespace {

std::string_view TextOf(const char* text) {
  return text != nullptr ? std::string_view(text) : std::string_view();
}

}  // namespace

policy::ErrorClass ClassOf(const pg::PgError& error) {
  const ErrorData& data = error.data();
  const char* format = data.message_id != nullptr ? data.message_id : data.message;
  return policy::ClassOf(unpack_sql_state(data.sqlerrcode), TextOf(format));
}

std::string WordsOf(const ErrorData& error) {
  policy::ErrorParts parts;
  parts.sqlstate = unpack_sql_state(error.sqlerrcode);
  parts.format = TextOf(error.message_id);
  parts.message = TextOf(error.message);
  parts.context = TextOf(error.context);
  parts.schema = TextOf(error.schema_name);
  parts.table = TextOf(error.table_name);
  parts.column = TextOf(error.column_name);
  parts.type = TextOf(error.datatype_name);
  parts.constraint = TextOf(error.constraint_name);
  return policy::WordsOf(parts);
}

}  // namespace ratchet::batch
