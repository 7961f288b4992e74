// The body of a mail: the same account as plain text and as HTML.
#pragma once

#include <string>
#include <string_view>

#include "channel/account.h"

namespace client::channel {

std::string PlainText(const std::string& title, const Account& account);
std::string Html(const std::string& title, const Account& account);
std::string EscapedHtml(std::string_view text);

// RFC 2045, lines end in CR LF and are at most 76 characters long.
std::string QuotedPrintable(std::string_view text);

}  // namespace client::channel
