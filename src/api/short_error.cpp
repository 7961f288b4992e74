#include "api/short_error.h"

#include "pg/guard.h"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace ratchet::api {

std::string ShortenedTo(std::string text, std::size_t longest) {
  if (text.size() > longest) {
    text.resize(static_cast<std::size_t>(pg::Call([&text, longest] {
      return pg_mbcliplen(text.c_str(), static_cast<int>(text.size()), static_cast<int>(longest));
    })));
  }
  return text;
}

}  // namespace ratchet::api
