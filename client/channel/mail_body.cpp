#include "channel/mail_body.h"

#include <algorithm>

namespace client::channel {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

void AppendFacts(std::string& text, const Pairs& facts) {
  std::size_t widest = 0;
  for (const auto& [name, value] : facts) {
    widest = std::max(widest, name.size());
  }
  for (const auto& [name, value] : facts) {
    text.append(name).append(":").append(widest + 1 - name.size(), ' ').append(value).append("\n");
  }
}

void AppendIndented(std::string& text, const std::string& lines) {
  std::size_t begin = 0;
  while (begin <= lines.size()) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    text += "    " + lines.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
}

void AppendTable(std::string& html, const Pairs& facts) {
  if (facts.empty()) {
    return;
  }
  html += "<table cellpadding=\"2\">\n";
  for (const auto& [name, value] : facts) {
    html += "<tr><td style=\"color:#666\">" + EscapedHtml(name) + "</td><td>" + EscapedHtml(value) +
            "</td></tr>\n";
  }
  html += "</table>\n";
}

constexpr const char* kPre = "<pre style=\"background:#f4f4f4;padding:8px;white-space:pre-wrap\">";

}  // namespace

std::string EscapedHtml(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string PlainText(const std::string& title, const Account& account) {
  std::string text = title + "\n\n";
  if (!account.body.empty()) {
    text += account.body + "\n\n";
  }
  AppendFacts(text, account.facts);
  for (const AccountPart& part : account.parts) {
    text += "\n" + part.heading + "\n\n";
    AppendFacts(text, part.facts);
    for (const auto& [name, lines] : part.texts) {
      text += name.empty() ? "\n" : "\n" + name + ":\n";
      AppendIndented(text, lines);
    }
  }
  if (!account.more.empty()) {
    text += "\n" + account.more + "\n";
  }
  return text;
}

std::string Html(const std::string& title, const Account& account) {
  std::string html = "<!DOCTYPE html>\n<html><body style=\"font-family:sans-serif\">\n<h2>" +
                     EscapedHtml(title) + "</h2>\n";
  if (!account.body.empty()) {
    html += std::string(kPre) + EscapedHtml(account.body) + "</pre>\n";
  }
  AppendTable(html, account.facts);
  for (const AccountPart& part : account.parts) {
    html += "<h3>" + EscapedHtml(part.heading) + "</h3>\n";
    AppendTable(html, part.facts);
    for (const auto& [name, lines] : part.texts) {
      html += name.empty() ? "" : "<p>" + EscapedHtml(name) + ":</p>\n";
      html += kPre + EscapedHtml(lines) + "</pre>\n";
    }
  }
  if (!account.more.empty()) {
    html += "<p>" + EscapedHtml(account.more) + "</p>\n";
  }
  return html + "</body></html>\n";
}

std::string QuotedPrintable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::size_t kLongest = 75;  // and a "=" at the end of a line that goes on
  std::string encoded;
  std::size_t line = 0;
  for (std::size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    if (c == '\n') {
      encoded += "\r\n";
      line = 0;
      continue;
    }
    const bool at_end = i + 1 == text.size() || text[i + 1] == '\n';
    const bool blank = c == ' ' || c == '\t';
    // A dot at the beginning of a line, or "From", may be changed on the way.
    const bool risky = line == 0 && (c == '.' || c == 'F');
    const bool literal = !risky && ((c > ' ' && c < 0x7F && c != '=') || (blank && !at_end));
    const std::size_t width = literal ? 1 : 3;
    if (line + width > kLongest) {
      encoded += "=\r\n";
      line = 0;
    }
    if (literal) {
      encoded += c;
    } else {
      encoded += '=';
      encoded += kHex[static_cast<unsigned char>(c) >> 4];
      encoded += kHex[static_cast<unsigned char>(c) & 15];
    }
    line += width;
  }
  return encoded;
}

}  // namespace client::channel
