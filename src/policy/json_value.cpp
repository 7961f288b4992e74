#include "policy/json_value.h"

#include <utility>

namespace ratchet::policy {
namespace {

constexpr int kDeepest = 16;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  bool Document(JsonValue* value) { return Value(value, 0) && (SkipSpace(), at_ == text_.size()); }

 private:
  bool Value(JsonValue* value, int depth);
  bool Text(std::string* text);
  bool Escape(std::string* text);
  bool Number(JsonValue* value);
  bool Array(JsonValue* value, int depth);
  bool Object(JsonValue* value, int depth);

  void SkipSpace() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != text_.npos) {
      at_++;
    }
  }
  bool Take(char c) {
    SkipSpace();
    if (at_ < text_.size() && text_[at_] == c) {
      at_++;
      return true;
    }
    return false;
  }
  bool TakeWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) {
      return false;
    }
    at_ += word.size();
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool Parser::Value(JsonValue* value, int depth) {
  SkipSpace();
  if (at_ == text_.size() || depth > kDeepest) {
    return false;
  }
  switch (text_[at_]) {
    case '{':
      return Object(value, depth);
    case '[':
      return Array(value, depth);
    case '"':
      value->type = JsonValue::Type::kText;
      return Text(&value->text);
    case 't':
      value->type = JsonValue::Type::kBool;
      value->boolean = true;
      return TakeWord("true");
    case 'f':
      value->type = JsonValue::Type::kBool;
      return TakeWord("false");
    case 'n':
      return TakeWord("null");
    default:
      return Number(value);
  }
}

bool Parser::Escape(std::string* text) {
  if (at_ == text_.size()) {
    return false;
  }
  constexpr std::string_view kEscapes = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  const char c = text_[at_++];
  const std::size_t found = kEscapes.find(c);
  if (found != kEscapes.npos) {
    *text += kMeant[found];
    return true;
  }
  // The server writes a character that can be written as itself, and the rest are control
  // characters.
  unsigned code = 0;
  if (c != 'u' || text_.size() - at_ < 4) {
    return false;
  }
  for (int i = 0; i < 4; i++) {
    const char digit = text_[at_++];
    const std::size_t number =
        std::string_view("0123456789abcdef")
            .find(digit >= 'A' && digit <= 'F' ? static_cast<char>(digit - 'A' + 'a') : digit);
    if (number == std::string_view::npos) {
      return false;
    }
    code = code * 16 + static_cast<unsigned>(number);
  }
  *text += code < 128 ? static_cast<char>(code) : '?';
  return true;
}

bool Parser::Text(std::string* text) {
  at_++;
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    if (c == '"') {
      return true;
    }
    if (c != '\\') {
      *text += c;
    } else if (!Escape(text)) {
      return false;
    }
  }
  return false;
}

bool Parser::Number(JsonValue* value) {
  const std::size_t begin = at_;
  while (at_ < text_.size() &&
         std::string_view("+-.0123456789eE").find(text_[at_]) != std::string_view::npos) {
    at_++;
  }
  value->type = JsonValue::Type::kNumber;
  value->text = text_.substr(begin, at_ - begin);
  return at_ > begin;
}

bool Parser::Array(JsonValue* value, int depth) {
  value->type = JsonValue::Type::kArray;
  at_++;
  if (Take(']')) {
    return true;
  }
  do {
    value->elements.emplace_back();
    if (!Value(&value->elements.back(), depth + 1)) {
      return false;
    }
  } while (Take(','));
  return Take(']');
}

bool Parser::Object(JsonValue* value, int depth) {
  value->type = JsonValue::Type::kObject;
  at_++;
  if (Take('}')) {
    return true;
  }
  do {
    JsonMember member;
    SkipSpace();
    if (at_ == text_.size() || text_[at_] != '"' || !Text(&member.key) || !Take(':') ||
        !Value(&member.value, depth + 1)) {
      return false;
    }
    value->members.push_back(std::move(member));
  } while (Take(','));
  return Take('}');
}

}  // namespace

const JsonValue* JsonValue::Find(std::string_view key) const {
  for (const JsonMember& member : members) {
    if (member.key == key) {
      return &member.value;
    }
  }
  return nullptr;
}

std::optional<JsonValue> ParseJson(std::string_view text) {
  std::optional<JsonValue> value(std::in_place);
  if (!Parser(text).Document(&*value)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace ratchet::policy
