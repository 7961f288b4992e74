// One request on its way: the handle of libcurl with all that its callbacks need.
#pragma once

#include <curl/curl.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "outbound/address_guard.h"
#include "outbound/mail_talk.h"
#include "outbound/request.h"

namespace client::outbound {

class Transfer {
 public:
  Transfer(const AddressGuard& guard, const std::string& ca_file,
           std::function<void(const Response&)> done);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Why it cannot be begun; empty: it can.
  std::string Prepare(const HttpRequest& request);
  std::string Prepare(const MailRequest& request);

  CURL* easy() const { return easy_; }
  Response Finish(CURLcode code);
  void Report(const Response& response) const { done_(response); }

 private:
  void PrepareAll(Milliseconds timeout);
  std::string SetUrl(const std::string& url);
  End EndOf(CURLcode code) const;

  static curl_socket_t OpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t TakeHeader(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t GiveMessage(char* data, std::size_t size, std::size_t count, void* self);
  static int Listen(CURL* easy, curl_infotype type, char* data, std::size_t size, void* self);

  const AddressGuard& guard_;
  const std::string& ca_file_;
  std::function<void(const Response&)> done_;
  CURL* easy_;
  curl_slist* headers_ = nullptr;
  curl_slist* recipients_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::string host_;
  std::string refusal_;
  std::vector<curl_socket_t> sockets_;
  std::size_t header_bytes_ = 0;
  Response response_;

  bool is_mail_ = false;
  std::string message_;
  std::size_t given_ = 0;
  MailTalk talk_;
};

}  // namespace client::outbound
