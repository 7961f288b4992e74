// Text of strangers made fit for where it goes: valid UTF-8, on one line, not too long.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace client::text {

// Every byte that does not belong to a character becomes "?". Overlong forms and surrogates are
// none.
std::string ValidUtf8(std::string_view text);

// Up to so many bytes of valid UTF-8, and no part of a character; "..." at the end when something
// was left out.
std::string Shortened(std::string_view text, std::size_t max_bytes);

// As `ValidUtf8`, with control characters (also those of Unicode that break lines or turn the
// direction of writing) as spaces.
std::string OneLine(std::string_view text);

// As `ValidUtf8`, with line breaks as "\n", tabs kept, and no other control character.
std::string Lines(std::string_view text);

bool HasControl(std::string_view text);

std::string Lower(std::string_view text);  // ASCII

}  // namespace client::text
