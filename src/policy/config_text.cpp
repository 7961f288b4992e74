#include "policy/config_text.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace ratchet::policy {
namespace {

bool IsLetterOrDigit(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool IsVisibleAscii(char c) { return c > ' ' && c < 127; }

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return lower;
}

}  // namespace

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < ' ' || byte == 127;
  });
}

bool IsHost(std::string_view host) {
  constexpr std::size_t kLongest = 253;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    const std::string_view inside = host.substr(1, host.size() - 2);
    return std::all_of(inside.begin(), inside.end(), [](char c) {
      return std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == ':' || c == '.';
    });
  }
  return !host.empty() && host.size() <= kLongest && host.front() != '.' && host.front() != '-' &&
         host.find("..") == std::string_view::npos &&
         std::all_of(host.begin(), host.end(),
                     [](char c) { return IsLetterOrDigit(c) || c == '.' || c == '-' || c == '_'; });
}

bool IsPort(std::string_view port) {
  constexpr std::size_t kDigits = 5;
  if (port.empty() || port.size() > kDigits || !std::all_of(port.begin(), port.end(), [](char c) {
        return std::isdigit(static_cast<unsigned char>(c)) != 0;
      })) {
    return false;
  }
  const int number = std::stoi(std::string(port));
  return number >= 1 && number <= 65535;
}

bool IsAddress(std::string_view address) {
  constexpr std::size_t kLongest = 254;
  constexpr std::size_t kLongestLocal = 64;
  const std::size_t at = address.find('@');
  if (at == std::string_view::npos || at == 0 || at > kLongestLocal || address.size() > kLongest) {
    return false;
  }
  const std::string_view local = address.substr(0, at);
  const std::string_view domain = address.substr(at + 1);
  constexpr std::string_view kOthers = ".!#$%&'*+/=?^_`{|}~-";
  return local.front() != '.' && local.back() != '.' &&
         local.find("..") == std::string_view::npos && IsHost(domain) && domain.front() != '[' &&
         std::all_of(local.begin(), local.end(), [&](char c) {
           return IsLetterOrDigit(c) || kOthers.find(c) != std::string_view::npos;
         });
}

std::string WhyNoUrl(std::string_view url) {
  constexpr std::size_t kLongest = 2000;
  constexpr std::string_view kForbidden = "\"<>\\^`{|}";
  const std::size_t scheme = url.find("://");
  std::string_view rest = scheme == std::string_view::npos ? "" : url.substr(scheme + 3);
  std::string name(url.substr(0, scheme == std::string_view::npos ? 0 : scheme));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return static_cast<char>(std::tolower(c)); });
  if (name != "http" && name != "https") {
    return "does not begin with https:// or http://";
  }
  if (url.size() > kLongest) {
    return "is longer than " + std::to_string(kLongest) + " bytes";
  }
  if (!std::all_of(url.begin(), url.end(), [&](char c) {
        return IsVisibleAscii(c) && kForbidden.find(c) == std::string_view::npos;
      })) {
    return "has a character that no URL has";
  }
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) {
    return "has user information in it";
  }
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view host = authority.substr(0, colon);
  if (!IsHost(host) || (colon != std::string_view::npos && !IsPort(authority.substr(colon + 1)))) {
    return "has no host to which a request could go";
  }
  return {};
}

bool IsSecretName(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  return !name.empty() && name.size() <= kLongest &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return IsLetterOrDigit(c) || c == '_' || c == '-'; });
}

bool IsHeaderName(std::string_view name) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !name.empty() && name.size() <= 100 && std::all_of(name.begin(), name.end(), [&](char c) {
    return IsLetterOrDigit(c) || kOthers.find(c) != std::string_view::npos;
  });
}

bool IsSecretHeader(std::string_view name) {
  constexpr std::array<std::string_view, 8> kParts = {
      "authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "signature"};
  const std::string lower = Lower(name);
  return std::any_of(kParts.begin(), kParts.end(),
                     [&](std::string_view part) { return lower.find(part) != std::string::npos; });
}

bool IsOwnHeader(std::string_view name) {
  constexpr std::array<std::string_view, 9> kNames = {
      "host", "content-length",    "transfer-encoding", "connection", "expect", "webhook-id",
      "te",   "webhook-timestamp", "webhook-signature"};
  return std::find(kNames.begin(), kNames.end(), Lower(name)) != kNames.end();
}

}  // namespace ratchet::policy
