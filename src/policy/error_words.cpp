#include "policy/error_words.h"

#include <algorithm>
#include <cctype>

namespace ratchet::policy {
namespace {

constexpr std::size_t kLongestText = 2000;  // a text is looked at up to here
constexpr char kSeparator = '\x1f';

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Of a word as people write them: letters of any alphabet, digits, and what holds dates, numbers
// and addresses together.
bool IsPartOfWord(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0 ||
         std::string_view("_.:+-@/").find(c) != std::string_view::npos;
}

// Whether something is left of it without its values: "%s", with which texts from elsewhere are
// handed on, says nothing.
bool SaysSomething(std::string_view format) {
  for (std::size_t i = 0; i < format.size(); i++) {
    if (format[i] == '%') {
      i = format.find_first_of("cdfgmspux%", i + 1);
      if (i == std::string_view::npos) {
        return false;
      }
    } else if (std::isalpha(static_cast<unsigned char>(format[i])) != 0) {
      return true;
    }
  }
  return false;
}

// The lines of a context that name a function and a line in it: "PL/pgSQL function f(integer) line
// 3 at RAISE". Others have text with values, or differ with the way in which a slice is executed.
std::string FunctionsIn(std::string_view context) {
  std::string functions;
  while (!context.empty()) {
    const std::size_t end = std::min(context.find('\n'), context.size());
    const std::string_view line = context.substr(0, end);
    if (line.substr(0, 3) == "PL/") {
      functions += line;
      functions += kSeparator;
    }
    context.remove_prefix(std::min(end + 1, context.size()));
  }
  return functions;
}

}  // namespace

std::string WithoutValues(std::string_view text) {
  std::string words;
  text = text.substr(0, kLongestText);
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    std::size_t end = i + 1;
    if (c == '"' || c == '\'') {
      const std::size_t closing = text.find(c, i + 1);
      if (closing != std::string_view::npos) {
        end = closing + 1;
        words += "\"\"";
      } else {
        words += c;
      }
    } else if (IsPartOfWord(c)) {
      while (end < text.size() && IsPartOfWord(text[end])) {
        end++;
      }
      const std::string_view word = text.substr(i, end - i);
      words += std::any_of(word.begin(), word.end(), IsDigit) ? std::string_view("#") : word;
    } else {
      words += c;
    }
    i = end;
  }
  return words;
}

std::string WordsOf(const ErrorParts& error) {
  std::string words(error.sqlstate);
  for (const std::string_view name :
       {error.schema, error.table, error.column, error.type, error.constraint}) {
    words += kSeparator;
    words += name;
  }
  words += kSeparator;
  const std::string functions = FunctionsIn(error.context.substr(0, kLongestText));
  if (SaysSomething(error.format)) {
    words += error.format;
    words += kSeparator;
    words += functions;
  } else if (!functions.empty()) {
    words += functions;
  } else {
    words += WithoutValues(error.message);
  }
  return words;
}

}  // namespace ratchet::policy
