// The header of a mail (RFC 5322, RFC 2047): where a name that a stranger has given must not become
// a field.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace client::channel {

struct Mailbox {
  std::string name;     // "Night watch"; may be empty
  std::string address;  // "watch@example.com"
};

// "watch@example.com" or "Night watch <watch@example.com>". Throws BadConfig.
Mailbox ParseMailbox(const std::string& text, const char* setting);

// A field with unstructured text, folded, in encoded words where it is not plain ASCII; with its CR
// LF.
std::string TextField(std::string_view name, std::string_view text);

// A field with a mailbox.
std::string MailboxField(std::string_view name, const Mailbox& mailbox);

// "Tue, 01 Dec 2026 12:00:00 +0000"
std::string MailDate(std::chrono::system_clock::time_point time);

}  // namespace client::channel
