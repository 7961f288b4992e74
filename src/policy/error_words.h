// In which words an error is said, whatever the values in it: whether two items have failed for the
// same reason.
#pragma once

#include <string>
#include <string_view>

namespace ratchet::policy {

// What the server says of an error. Empty: nothing.
struct ErrorParts {
  std::string_view sqlstate;
  std::string_view format;   // of the message, as it is in the source: with %s for values
  std::string_view message;  // in the language of the session
  std::string_view context;
  std::string_view schema;
  std::string_view table;
  std::string_view column;
  std::string_view type;
  std::string_view constraint;
};

// The same for two errors that differ in their values only. Those of the server have a format. One
// that user code raises has none of its own; there the lines of the functions through which it came
// count, and without such lines the message without quoted text and without words with a digit.
std::string WordsOf(const ErrorParts& error);

// The text without quoted parts, and with # for each word that has a digit in it: numbers, dates,
// uuids, names of items.
std::string WithoutValues(std::string_view text);

}  // namespace ratchet::policy
