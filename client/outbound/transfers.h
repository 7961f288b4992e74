// Many requests at once, in one thread: libcurl's multi interface. What every request is held to
// has its place here: no redirects, no proxy, http and https only, addresses that the guard allows,
// a time for all of it that also bounds the resolution of the name, a bound on what is read.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "outbound/address_guard.h"
#include "outbound/datagrams.h"
#include "outbound/request.h"

namespace client::outbound {

class Transfer;

class Transfers {
 public:
  using Done = std::function<void(const Response&)>;

  // ca_file: certificates to trust instead of the system's; empty: those.
  Transfers(AddressGuard guard, std::string ca_file);
  ~Transfers();
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  // done is called once, by Step.
  void Start(const Request& request, Done done);

  std::size_t size() const { return running_.size() + datagrams_.size(); }

  // Waits until something has happened to a request or to one of these descriptors, at most so
  // long.
  void Wait(std::vector<curl_waitfd>& others, Milliseconds at_most);
  void Step();

 private:
  void Fail(Done done, std::string error);
  void ReadResults();

  AddressGuard guard_;
  std::string ca_file_;
  CURLM* multi_;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> running_;
  DatagramSender datagrams_;
  std::vector<std::pair<Done, Response>> failed_;
};

}  // namespace client::outbound
