#include "channel/mail_header.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <vector>

#include "channel/kind.h"
#include "text/base64.h"
#include "text/plain.h"

namespace client::channel {

namespace {

// RFC 5322: lines of 78 characters; RFC 2047: encoded words of 75.
constexpr std::size_t kLongestLine = 78;
constexpr std::string_view kWordBegin = "=?UTF-8?B?";
constexpr std::string_view kWordEnd = "?=";
constexpr std::size_t kBytesOfWord =
    39;  // 52 characters of base64, and the name of a field in front

bool IsPlain(std::string_view text) {
  for (const char c : text) {
    if (c < 0x20 || c > 0x7E) {
      return false;
    }
  }
  // Would be read as an encoded word.
  return text.find("=?") == std::string_view::npos;
}

std::vector<std::string> EncodedWords(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    std::size_t end = std::min(kBytesOfWord, text.size());
    while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
      end--;
    }
    words.push_back(std::string(kWordBegin) + text::EncodeBase64(text.substr(0, end)) +
                    std::string(kWordEnd));
    text.remove_prefix(end);
  }
  return words;
}

// Words of plain text; what is longer than a line may be is shown as encoded words, which can be
// cut anywhere.
std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = text.find(' ', begin + 1);
    end = end == std::string_view::npos ? text.size() : end;
    // With the blank in front of it, but for the first.
    words.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

}  // namespace

std::string TextField(std::string_view name, std::string_view text) {
  std::string clean = text::OneLine(text);
  clean.erase(0, clean.find_first_not_of(' '));
  clean.erase(clean.find_last_not_of(' ') + 1);
  bool plain = IsPlain(clean);
  std::vector<std::string> words = Words(clean);
  for (const std::string& word : words) {
    plain = plain && word.size() < kLongestLine - 2;
  }
  if (!plain) {
    words = EncodedWords(clean);
    for (std::size_t i = 1; i < words.size(); i++) {
      words[i].insert(0, 1, ' ');
    }
  }
  std::string field = std::string(name) + ": ";
  std::size_t line = field.size();
  for (std::string& word : words) {
    const bool only_blank = word.find_first_not_of(' ') == std::string::npos;
    if (line > name.size() + 2 && line + word.size() > kLongestLine && !only_blank) {
      field += "\r\n";
      line = 0;
    }
    field += word;
    line += word.size();
  }
  return field + "\r\n";
}

Mailbox ParseMailbox(const std::string& text, const char* setting) {
  const auto refuse = [&](const char* why) {
    throw BadConfig("setting \"" + std::string(setting) + "\" of the channel has an address that " +
                    why);
  };
  Mailbox mailbox;
  std::string address = text;
  if (const auto angle = text.find('<'); angle != std::string::npos) {
    if (text.back() != '>') {
      refuse("ends in the middle");
    }
    mailbox.name = text.substr(0, angle);
    address = text.substr(angle + 1, text.size() - angle - 2);
  }
  if (text::HasControl(text)) {
    refuse("has control characters");
  }
  const auto last = mailbox.name.find_last_not_of(' ');
  mailbox.name.erase(last == std::string::npos ? 0 : last + 1);
  if (mailbox.name.size() > 1 && mailbox.name.front() == '"' && mailbox.name.back() == '"') {
    mailbox.name = mailbox.name.substr(1, mailbox.name.size() - 2);
  }
  const auto at = address.find('@');
  if (at == std::string::npos || at == 0 || at + 1 == address.size() || address.size() > 254) {
    refuse("is none");
  }
  // The atoms of RFC 5322. Quoted local parts are left out: nobody has them, and they may hold
  // anything.
  constexpr std::string_view kOfAtoms = "!#$%&'*+-/=?^_`{|}~.";
  for (std::size_t i = 0; i < address.size(); i++) {
    const char c = address[i];
    const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!alnum && i != at &&
        (i < at ? kOfAtoms : std::string_view(".-")).find(c) == std::string_view::npos) {
      refuse(static_cast<unsigned char>(c) >= 0x80 ? "is not ASCII: write its domain as xn--..."
                                                   : "is none");
    }
  }
  mailbox.address = address;
  return mailbox;
}

std::string MailboxField(std::string_view name, const Mailbox& mailbox) {
  if (mailbox.name.empty()) {
    return std::string(name) + ": " + mailbox.address + "\r\n";
  }
  std::string field = std::string(name) + ":";
  if (IsPlain(mailbox.name) && mailbox.name.size() < kLongestLine - 20) {
    field += " \"";
    for (const char c : mailbox.name) {
      field += c == '"' || c == '\\' ? "\\" : "";
      field += c;
    }
    field += '"';
  } else {
    for (const std::string& word : EncodedWords(text::OneLine(mailbox.name))) {
      field += " " + word + "\r\n";
    }
    field.erase(field.size() - 2);
  }
  return field + "\r\n <" + mailbox.address + ">\r\n";
}

std::string MailDate(std::chrono::system_clock::time_point time) {
  // Not by strftime, whose names are those of the locale.
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d +0000",
                kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text.data();
}

}  // namespace client::channel
