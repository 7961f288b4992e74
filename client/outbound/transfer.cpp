#include "outbound/transfer.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "text/plain.h"
#include "version.h"

namespace client::outbound {

namespace {

// Kept of an answer; of one that is longer the rest is not read.
constexpr std::size_t kMostBody = 65536;
constexpr std::size_t kMostHeader = 65536;

template <typename Value>
void Set(CURL* easy, CURLoption option, Value value) {
  curl_easy_setopt(easy, option, value);
}

std::string PartOf(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) {
    return {};
  }
  std::string copy = text;
  curl_free(text);
  return copy;
}

bool IsHeaderName(std::string_view name) {
  constexpr std::string_view kToken =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return !name.empty() && name.find_first_not_of(kToken) == std::string_view::npos;
}

}  // namespace

Transfer::Transfer(const AddressGuard& guard, const std::string& ca_file,
                   std::function<void(const Response&)> done)
    : guard_(guard), ca_file_(ca_file), done_(std::move(done)), easy_(curl_easy_init()) {}

Transfer::~Transfer() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
  curl_slist_free_all(recipients_);
}

void Transfer::PrepareAll(Milliseconds timeout) {
  Set(easy_, CURLOPT_PRIVATE, this);
  Set(easy_, CURLOPT_ERRORBUFFER, error_.data());
  Set(easy_, CURLOPT_NOSIGNAL, 1L);
  // Not what the environment says either.
  Set(easy_, CURLOPT_PROXY, "");
  Set(easy_, CURLOPT_NOPROXY, "*");
  Set(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  Set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  Set(easy_, CURLOPT_OPENSOCKETFUNCTION, &Transfer::OpenSocket);
  Set(easy_, CURLOPT_OPENSOCKETDATA, this);
  Set(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  Set(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  Set(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!ca_file_.empty()) {
    Set(easy_, CURLOPT_CAINFO, ca_file_.c_str());
    Set(easy_, CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
  const long milliseconds = std::max<long>(1, timeout.count());
  Set(easy_, CURLOPT_TIMEOUT_MS, milliseconds);
  Set(easy_, CURLOPT_CONNECTTIMEOUT_MS, milliseconds);
#if LIBCURL_VERSION_NUM >= 0x075700
  // Without it the end of a request waits for a name server that is silent.
  Set(easy_, CURLOPT_QUICK_EXIT, 1L);
#endif
  Set(easy_, CURLOPT_WRITEFUNCTION, &Transfer::TakeBody);
  Set(easy_, CURLOPT_WRITEDATA, this);
}

std::string Transfer::SetUrl(const std::string& url) {
  CURLU* parts = curl_url();
  const bool valid =
      !text::HasControl(url) && curl_url_set(parts, CURLUPART_URL, url.c_str(), 0) == CURLUE_OK;
  const std::string scheme = valid ? PartOf(parts, CURLUPART_SCHEME) : "";
  host_ = valid ? PartOf(parts, CURLUPART_HOST) : "";
  curl_url_cleanup(parts);
  if (!valid || host_.empty()) {
    return "the URL is none";
  }
  if (scheme != "http" && scheme != "https") {
    return "a URL begins with https:// or http://";
  }
  if (host_.front() == '[') {
    host_ = host_.substr(1, host_.size() - 2);
  }
  Set(easy_, CURLOPT_URL, url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  Set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  Set(easy_, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  return {};
}

std::string Transfer::Prepare(const HttpRequest& request) {
  PrepareAll(request.timeout);
  if (std::string problem = SetUrl(request.url); !problem.empty()) {
    return problem;
  }
  if (!IsHeaderName(request.method)) {
    return "the method is none";
  }
  for (const auto& [name, value] : request.headers) {
    if (!IsHeaderName(name) || text::HasControl(value)) {
      return "a header \"" + text::OneLine(name) +
             "\" cannot be sent: its name or its value has characters that end it";
    }
    headers_ = curl_slist_append(
        headers_, value.empty() ? (name + ";").c_str() : (name + ": " + value).c_str());
  }
  // A body is sent at once, not after a server that may not know of it has agreed.
  headers_ = curl_slist_append(headers_, "Expect:");
  Set(easy_, CURLOPT_HTTPHEADER, headers_);
  Set(easy_, CURLOPT_USERAGENT, "pg_ratchet/" RATCHET_CLIENT_VERSION);
  Set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(easy_, CURLOPT_HEADERFUNCTION, &Transfer::TakeHeader);
  Set(easy_, CURLOPT_HEADERDATA, this);
  if (request.method == "HEAD") {
    Set(easy_, CURLOPT_NOBODY, 1L);
  } else if (request.method == "GET") {
    Set(easy_, CURLOPT_HTTPGET, 1L);
  } else {
    Set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy_, CURLOPT_COPYPOSTFIELDS, request.body.c_str());
    Set(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  return {};
}

std::string Transfer::Prepare(const MailRequest& request) {
  PrepareAll(request.timeout);
  is_mail_ = true;
  host_ = request.host;
  message_ = request.message;
  talk_.Begin(request);
  // libcurl would take an empty list for success.
  if (request.to.empty()) {
    return "there is nobody to send it to";
  }
  CURLU* parts = curl_url();
  const bool valid =
      curl_url_set(parts, CURLUPART_SCHEME, request.tls == MailTls::kTls ? "smtps" : "smtp", 0) ==
          CURLUE_OK &&
      !text::HasControl(host_) &&
      curl_url_set(parts, CURLUPART_HOST,
                   (host_.find(':') != std::string::npos ? "[" + host_ + "]" : host_).c_str(),
                   0) == CURLUE_OK &&
      curl_url_set(parts, CURLUPART_PORT, std::to_string(request.port).c_str(), 0) == CURLUE_OK;
  const std::string url = valid ? PartOf(parts, CURLUPART_URL) : "";
  curl_url_cleanup(parts);
  if (url.empty()) {
    return "host and port are none";
  }
  Set(easy_, CURLOPT_URL, url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  Set(easy_, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
#else
  Set(easy_, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_SMTP | CURLPROTO_SMTPS));
#endif
  Set(easy_, CURLOPT_USE_SSL,
      static_cast<long>(request.tls == MailTls::kNone ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  if (!request.user.empty()) {
    Set(easy_, CURLOPT_USERNAME, request.user.c_str());
    Set(easy_, CURLOPT_PASSWORD, request.password.c_str());
  }
  Set(easy_, CURLOPT_MAIL_FROM, ("<" + request.from + ">").c_str());
  for (const std::string& address : request.to) {
    recipients_ = curl_slist_append(recipients_, ("<" + address + ">").c_str());
  }
  Set(easy_, CURLOPT_MAIL_RCPT, recipients_);
  // One who is not known there does not keep it from the others.
#if LIBCURL_VERSION_NUM >= 0x080200
  Set(easy_, CURLOPT_MAIL_RCPT_ALLOWFAILS, 1L);
#else
  Set(easy_, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
#endif
  Set(easy_, CURLOPT_UPLOAD, 1L);
  Set(easy_, CURLOPT_READFUNCTION, &Transfer::GiveMessage);
  Set(easy_, CURLOPT_READDATA, this);
  Set(easy_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(message_.size()));
  Set(easy_, CURLOPT_VERBOSE, 1L);
  Set(easy_, CURLOPT_DEBUGFUNCTION, &Transfer::Listen);
  Set(easy_, CURLOPT_DEBUGDATA, this);
  // Each mail has its own connection: what was said on it (TLS, who we are) is then known.
  Set(easy_, CURLOPT_FRESH_CONNECT, 1L);
  Set(easy_, CURLOPT_FORBID_REUSE, 1L);
  Set(easy_, CURLOPT_SERVER_RESPONSE_TIMEOUT,
      static_cast<long>(request.timeout.count() / 1000 + 1));
  return {};
}

curl_socket_t Transfer::OpenSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (std::string refusal = transfer.guard_.Refusal(transfer.host_, address->addr);
      !refusal.empty()) {
    transfer.refusal_ = std::move(refusal);
    return CURL_SOCKET_BAD;
  }
  const curl_socket_t opened =
      socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (opened != CURL_SOCKET_BAD && transfer.is_mail_) {
    transfer.sockets_.push_back(opened);
  }
  return opened;
}

std::size_t Transfer::TakeBody(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t room = kMostBody - transfer.response_.body.size();
  transfer.response_.body.append(data, std::min(room, size * count));
  if (size * count > room) {
    transfer.response_.cut = true;
    return 0;
  }
  return size * count;
}

std::size_t Transfer::TakeHeader(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.header_bytes_ += size * count;
  if (transfer.header_bytes_ > kMostHeader) {
    return 0;
  }
  const std::string_view line(data, size * count);
  const auto colon = line.find(':');
  if (colon != std::string_view::npos) {
    const std::string name = text::Lower(line.substr(0, colon));
    std::string value = text::OneLine(line.substr(colon + 1));
    value.erase(0, value.find_first_not_of(' '));
    value.erase(value.find_last_not_of(' ') + 1);
    if (name == "retry-after") {
      transfer.response_.retry_after = value;
    } else if (name == "content-type") {
      transfer.response_.content_type = value;
    }
  }
  return size * count;
}

std::size_t Transfer::GiveMessage(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (!transfer.talk_.MayGive()) {
    return CURL_READFUNC_ABORT;
  }
  const std::size_t given = std::min(size * count, transfer.message_.size() - transfer.given_);
  std::memcpy(data, transfer.message_.data() + transfer.given_, given);
  transfer.given_ += given;
  return given;
}

int Transfer::Listen(CURL*, curl_infotype type, char* data, std::size_t size, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::string_view text(data, size);
  if (type == CURLINFO_HEADER_OUT) {
    transfer.talk_.Said(text);
  } else if (type == CURLINFO_HEADER_IN) {
    transfer.talk_.Answered(text);
  }
  // libcurl waits for the answer to QUIT, and everything else with it. It was sent; nobody needs
  // the answer.
  if (type == CURLINFO_HEADER_OUT && transfer.talk_.quitting()) {
    for (const curl_socket_t opened : transfer.sockets_) {
      shutdown(opened, SHUT_RD);
    }
  }
  return 0;
}

End Transfer::EndOf(CURLcode code) const {
  switch (code) {
    case CURLE_OK:
      return End::kAnswered;
    case CURLE_LOGIN_DENIED:
      // Without a refusal there was no way of authentication that both know.
      return talk_.last_code() >= 400 ? End::kAnswered : End::kNoAuthentication;
    case CURLE_WRITE_ERROR:
      return response_.cut ? End::kAnswered : End::kBroken;
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_READ_ERROR:
      return is_mail_ && !talk_.MayGive() ? End::kNoAuthentication : End::kBroken;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return refusal_.empty() ? End::kNoConnection : End::kAddressRefused;
    case CURLE_OPERATION_TIMEDOUT:
      return End::kTimedOut;
    case CURLE_URL_MALFORMAT:
      return End::kInvalid;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return End::kTls;
    default:
      // A refusal of the mail server, which libcurl calls a weird reply or a failure to send.
      return is_mail_ && talk_.last_code() >= 400 ? End::kAnswered : End::kBroken;
  }
}

Response Transfer::Finish(CURLcode code) {
  Response& response = response_;
  response.end = EndOf(code);
  long answered = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &answered);
  response.code = static_cast<int>(answered);
  if (is_mail_) {
    response.body = talk_.last_reply();
    response.recipients = talk_.recipients();
    response.code = talk_.last_code();
  }
  if (response.end == End::kAddressRefused) {
    response.error = refusal_;
  } else if (response.end == End::kNoAuthentication) {
    response.error = "the mail server " + host_ +
                     " does not offer the authentication that user and password are for";
  } else if (code != CURLE_OK) {
    response.error = std::string(error_.data()).empty() ? curl_easy_strerror(code) : error_.data();
    response.error = text::OneLine(response.error);
  }
  return response;
}

}  // namespace client::outbound
