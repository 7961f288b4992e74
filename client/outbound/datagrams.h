// Datagrams, each request in a thread of its own: a name is resolved for as long as the resolver
// likes, and nothing else may wait for that.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "outbound/address_guard.h"
#include "outbound/request.h"

namespace client::outbound {

class DatagramSender {
 public:
  using Done = std::function<void(const Response&)>;

  explicit DatagramSender(AddressGuard guard);
  ~DatagramSender();
  DatagramSender(const DatagramSender&) = delete;
  DatagramSender& operator=(const DatagramSender&) = delete;

  void Start(const DatagramRequest& request, Done done);
  std::size_t size() const { return running_.size(); }

  int descriptor() const { return wake_; }  // can be read when one has ended
  void Step();

 private:
  struct Shared;
  struct Running {
    std::shared_ptr<Shared> shared;
    Done done;
    std::chrono::steady_clock::time_point until;
  };

  AddressGuard guard_;
  int wake_;
  std::list<Running> running_;
};

}  // namespace client::outbound
