// What is to be sent, and what came of it. Made by channels without a network, carried by
// Transfers.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace client::outbound {

using Milliseconds = std::chrono::milliseconds;
constexpr Milliseconds kDefaultTimeout{10000};

struct HttpRequest {
  std::string method = "POST";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Milliseconds timeout = kDefaultTimeout;
};

enum class MailTls { kStartTls, kTls, kNone };

struct MailRequest {
  std::string host;
  int port = 0;
  MailTls tls = MailTls::kStartTls;
  std::string user;  // empty: without authentication
  std::string password;
  std::string from;             // the address alone
  std::vector<std::string> to;  // addresses alone
  std::string message;          // header and body, lines end in CR LF
  Milliseconds timeout = kDefaultTimeout;
};

struct DatagramRequest {
  std::string host;
  int port = 0;
  std::vector<std::string> datagrams;
  Milliseconds timeout = kDefaultTimeout;
};

using Request = std::variant<HttpRequest, MailRequest, DatagramRequest>;

enum class End {
  kAnswered,          // code, and what came with it
  kSent,              // without an answer, as datagrams have none
  kAddressRefused,    // by the address guard
  kInvalid,           // it cannot be sent at all, as a URL that is none
  kNoAuthentication,  // user and password are given, and the mail server has not asked for them
  kNoConnection,
  kTls,
  kTimedOut,
  kBroken,
};

struct RecipientReply {
  std::string address;
  int code = 0;
  std::string text;
};

struct Response {
  End end = End::kBroken;
  int code = 0;
  std::string error;  // of ours or of the library; without URL
  std::string content_type;
  std::string body;  // of HTTP: the beginning; of SMTP: the last reply
  bool cut = false;  // there was more
  std::optional<std::string> retry_after;
  std::vector<RecipientReply> recipients;
};

// Of Retry-After: seconds, or a date as HTTP has it; at most a day.
std::optional<std::chrono::seconds> ParseRetryAfter(const std::string& value,
                                                    std::chrono::system_clock::time_point now);

}  // namespace client::outbound
