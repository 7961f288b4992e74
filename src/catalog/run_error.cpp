#include "catalog/run_error.h"

#include <new>

extern "C" {
#include "mb/pg_wchar.h"
}

namespace ratchet::catalog {
namespace {

std::string StorableText(const char* text) {
  return text == nullptr ? std::string() : Storable(text, kMaxErrorText);
}

}  // namespace

bool IsStorable(std::string_view text, std::size_t limit) {
  const int length = static_cast<int>(text.size());
  return text.size() <= limit &&
         (text.empty() ||
          pg_encoding_verifymbstr(GetDatabaseEncoding(), text.data(), length) == length);
}

std::string Storable(std::string_view text, std::size_t limit) {
  const int encoding = GetDatabaseEncoding();
  if (IsStorable(text, limit)) {
    return std::string(text);
  }
  std::string fit;
  fit.reserve(limit);
  while (!text.empty()) {
    const int left = text.size() > MAX_MULTIBYTE_CHAR_LEN ? MAX_MULTIBYTE_CHAR_LEN
                                                          : static_cast<int>(text.size());
    const int length = text[0] == '\0' ? -1 : pg_encoding_verifymbchar(encoding, text.data(), left);
    const std::size_t size = length > 0 ? static_cast<std::size_t>(length) : 1;
    if (fit.size() + size > limit) {
      break;
    }
    if (length > 0) {
      fit.append(text.substr(0, size));
    } else {
      fit.push_back('?');
    }
    text.remove_prefix(size);
  }
  return fit;
}

RunError ErrorOf(const ErrorData& error) {
  return RunError{error.sqlerrcode, StorableText(error.message), StorableText(error.detail),
                  StorableText(error.hint), StorableText(error.context)};
}

RunError ErrorOf(const std::exception& error) {
  if (const auto* of_server = dynamic_cast<const pg::PgError*>(&error)) {
    return ErrorOf(of_server->data());
  }
  if (const auto* ours = dynamic_cast<const pg::Error*>(&error)) {
    return {ours->sqlstate(), ours->what(), ours->detail(), ours->hint(), {}};
  }
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return {ERRCODE_OUT_OF_MEMORY, "out of memory", {}, {}, {}};
  }
  return {ERRCODE_INTERNAL_ERROR, error.what(), {}, {}, {}};
}

}  // namespace ratchet::catalog
