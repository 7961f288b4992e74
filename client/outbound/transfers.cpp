#include "outbound/transfers.h"

#include <stdexcept>

#include "outbound/transfer.h"

namespace client::outbound {

Transfers::Transfers(AddressGuard guard, std::string ca_file)
    : guard_(std::move(guard)), ca_file_(std::move(ca_file)), datagrams_(guard_) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
      (multi_ = curl_multi_init()) == nullptr) {
    throw std::runtime_error("libcurl cannot be used");
  }
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 64L);
}

Transfers::~Transfers() {
  for (const auto& [easy, transfer] : running_) {
    curl_multi_remove_handle(multi_, easy);
  }
  running_.clear();
  curl_multi_cleanup(multi_);
}

void Transfers::Fail(Done done, std::string error) {
  Response response;
  response.end = End::kInvalid;
  response.error = std::move(error);
  failed_.emplace_back(std::move(done), std::move(response));
}

void Transfers::Start(const Request& request, Done done) {
  if (const auto* datagrams = std::get_if<DatagramRequest>(&request)) {
    datagrams_.Start(*datagrams, std::move(done));
    return;
  }
  auto transfer = std::make_unique<Transfer>(guard_, ca_file_, done);
  const auto* mail = std::get_if<MailRequest>(&request);
  std::string problem = mail != nullptr ? transfer->Prepare(*mail)
                                        : transfer->Prepare(std::get<HttpRequest>(request));
  if (problem.empty() && curl_multi_add_handle(multi_, transfer->easy()) != CURLM_OK) {
    problem = "libcurl does not take the request";
  }
  if (!problem.empty()) {
    Fail(std::move(done), std::move(problem));
    return;
  }
  running_.emplace(transfer->easy(), std::move(transfer));
}

void Transfers::Wait(std::vector<curl_waitfd>& others, Milliseconds at_most) {
  if (!failed_.empty()) {
    at_most = Milliseconds(0);
  }
  curl_waitfd wake{datagrams_.descriptor(), CURL_WAIT_POLLIN, 0};
  others.push_back(wake);
  curl_multi_poll(multi_, others.data(), static_cast<unsigned>(others.size()),
                  static_cast<int>(at_most.count()), nullptr);
  others.pop_back();
}

void Transfers::Step() {
  // Who is called may begin others.
  for (auto& [done, response] : std::exchange(failed_, {})) {
    done(response);
  }
  int left = 0;
  curl_multi_perform(multi_, &left);
  ReadResults();
  datagrams_.Step();
}

void Transfers::ReadResults() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) {
      continue;
    }
    // The message is gone with its handle.
    const CURLcode code = message->data.result;
    const auto found = running_.find(message->easy_handle);
    if (found == running_.end()) {
      continue;
    }
    const std::unique_ptr<Transfer> transfer = std::move(found->second);
    running_.erase(found);
    const Response response = transfer->Finish(code);
    curl_multi_remove_handle(multi_, transfer->easy());
    transfer->Report(response);
  }
}

}  // namespace client::outbound
