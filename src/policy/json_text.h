// An object of JSON, written member by member.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ratchet::policy {

// In quotes. Bytes above 127 stay as they are: the text is one of the database.
void AppendJsonText(std::string* out, std::string_view text);

class JsonText {
 public:
  JsonText& Text(std::string_view key, std::string_view value) {
    AppendJsonText(&Key(key), value);
    return *this;
  }
  JsonText& TextOrNull(std::string_view key, std::string_view value) {
    return value.empty() ? Raw(key, "null") : Text(key, value);
  }
  JsonText& Number(std::string_view key, std::int64_t value) {
    return Raw(key, std::to_string(value));
  }
  // null for 0.
  JsonText& NumberOrNull(std::string_view key, std::int64_t value) {
    return value == 0 ? Raw(key, "null") : Number(key, value);
  }
  // A span of microseconds in seconds, with three digits behind the point.
  JsonText& Seconds(std::string_view key, std::int64_t micros);
  JsonText& Bool(std::string_view key, bool value) { return Raw(key, value ? "true" : "false"); }
  // What is JSON already.
  JsonText& Raw(std::string_view key, std::string_view json) {
    Key(key).append(json);
    return *this;
  }
  std::string Done() const { return text_ + "}"; }

 private:
  std::string& Key(std::string_view key) {
    if (text_.size() > 1) {
      text_ += ", ";
    }
    AppendJsonText(&text_, key);
    return text_.append(": ");
  }

  std::string text_ = "{";
};

}  // namespace ratchet::policy
