// Members of the JSON that the library keeps with a job: its key's order, its source's columns. For
// use inside pg::Call.
#pragma once

#include <cstring>
#include <string>

#include "pg/server.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace ratchet::batch {

// Null where there is none.
inline JsonbValue* Member(JsonbContainer* object, const char* name) {
  return getKeyJsonValueFromContainer(object, name, static_cast<int>(strlen(name)), nullptr);
}

// Leaves the text as it is where the member is none.
inline void ReadMember(JsonbContainer* object, const char* name, std::string* text) {
  const JsonbValue* value = Member(object, name);
  if (value != nullptr && value->type == jbvString) {
    text->assign(value->val.string.val, static_cast<std::size_t>(value->val.string.len));
  }
}

}  // namespace ratchet::batch
