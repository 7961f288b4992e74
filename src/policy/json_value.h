// JSON read into values. It is for what the library looks into itself, such as the configuration
// of a channel: small, and valid, since it comes from a jsonb. In whatever encoding the database
// has: of all of them, bytes below 128 are ASCII.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ratchet::policy {

struct JsonMember;

struct JsonValue {
  enum class Type { kNull, kBool, kNumber, kText, kArray, kObject };

  Type type = Type::kNull;
  bool boolean = false;
  std::string text;  // also of a number, as it is written
  std::vector<JsonMember> members;
  std::vector<JsonValue> elements;

  bool Is(Type other) const { return type == other; }
  // Null when it is no object, or has no such member.
  const JsonValue* Find(std::string_view key) const;
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

// nullopt for what is no JSON, or nested deeper than anything that we look into.
std::optional<JsonValue> ParseJson(std::string_view text);

}  // namespace ratchet::policy
