// Which text may be the name of a thing: what a name shows in a log or on a terminal is the name,
// and nothing else.
#pragma once

#include <string_view>

namespace ratchet::policy {

// Whether the text, in UTF-8, has a character that is not to be seen but changes what is: control
// characters (Cc), formatting such as a change of direction or a space of no width (Cf), separators
// of lines and paragraphs (Zl, Zp), by the general categories of Unicode 15. Of text that is no
// UTF-8, which only a database of SQL_ASCII can have, the bytes count that are control characters
// in ASCII and in ISO 8859.
bool HasHiddenCharacter(std::string_view text);

// Whether nothing of the text, in UTF-8, is to be seen: it is empty, or has spaces only (Zs, and
// those of ASCII).
bool IsBlank(std::string_view text);

}  // namespace ratchet::policy
