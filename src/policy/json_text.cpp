#include "policy/json_text.h"

#include <cstdio>

namespace ratchet::policy {

void AppendJsonText(std::string* out, std::string_view text) {
  *out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (c == '\n') {
      *out += "\\n";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (byte < 0x20) {
      constexpr char kDigits[] = "0123456789abcdef";
      *out += "\\u00";
      *out += kDigits[byte >> 4];
      *out += kDigits[byte & 15];
    } else {
      *out += c;
    }
  }
  *out += '"';
}

JsonText& JsonText::Seconds(std::string_view key, std::int64_t micros) {
  const std::int64_t millis = micros < 0 ? 0 : micros / 1000;
  char text[32];
  std::snprintf(text, sizeof(text), "%lld.%03d", static_cast<long long>(millis / 1000),
                static_cast<int>(millis % 1000));
  return Raw(key, text);
}

}  // namespace ratchet::policy
