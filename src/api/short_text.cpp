// ratchet._short() and ratchet._fit(): values as ratchet.overview and ratchet.job_health show them
#include <algorithm>
#include <string>

#include "api/argument.h"
#include "api/sql_function.h"
#include "pg/guard.h"
#include "pg/span.h"
#include "policy/span_words.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
}

namespace ratchet::api {
namespace {

// Beyond what a span can say there are numbers of months that no run lasts for.
std::string ShortSpan(const Interval& interval) {
  std::int64_t span = 0;
  return pg::SpanOf(interval, &span) ? policy::SpanWords(span) : "ever";
}

bool IsControl(char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f; }

struct Letter {
  std::size_t bytes;
  int width;  // columns of a terminal
};

// The text is valid, as all of the server's values are.
Letter LetterAt(const char* text) {
  return pg::Call([text] {
    const int encoding = GetDatabaseEncoding();
    const int width = IsControl(*text) ? 1 : pg_encoding_dsplen(encoding, text);
    return Letter{static_cast<std::size_t>(pg_encoding_mblen(encoding, text)), std::max(width, 0)};
  });
}

// What follows in `text` within so many columns of a terminal; *rest is where it ends.
std::string Take(const char* text, int columns, const char** rest) {
  std::string taken;
  while (*text != '\0') {
    const Letter letter = LetterAt(text);
    if (letter.width > columns) {
      break;
    }
    columns -= letter.width;
    if (IsControl(*text)) {
      taken += ' ';
    } else {
      taken.append(text, letter.bytes);
    }
    text += letter.bytes;
  }
  *rest = text;
  return taken;
}

// In one line, and cut with ".." if it is wider.
std::string Fit(const std::string& text, int columns) {
  const char* rest = nullptr;
  std::string whole = Take(text.c_str(), std::max(columns, 0), &rest);
  if (*rest == '\0') {
    return whole;
  }
  return columns > 2 ? Take(text.c_str(), columns - 2, &rest) + ".." : whole;
}

int Width(const std::string& text) {
  int width = 0;
  for (const char* at = text.c_str(); *at != '\0';) {
    const Letter letter = LetterAt(at);
    width += letter.width;
    at += letter.bytes;
  }
  return width;
}

Datum TextDatum(const std::string& text) {
  return pg::Call([&text] { return CStringGetTextDatum(text.c_str()); });
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_short);
PGDLLEXPORT Datum ratchet_short(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return ratchet::api::TextDatum(ratchet::api::ShortSpan(*PG_GETARG_INTERVAL_P(0)));
  });
}

PG_FUNCTION_INFO_V1(ratchet_fit);
PGDLLEXPORT Datum ratchet_fit(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return ratchet::api::TextDatum(
        ratchet::api::Fit(ratchet::api::TextOf(PG_GETARG_DATUM(0)), PG_GETARG_INT32(1)));
  });
}

PG_FUNCTION_INFO_V1(ratchet_width);
PGDLLEXPORT Datum ratchet_width(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int32GetDatum(ratchet::api::Width(ratchet::api::TextOf(PG_GETARG_DATUM(0))));
  });
}

}  // extern "C"
