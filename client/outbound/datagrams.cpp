#include "outbound/datagrams.h"

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace client::outbound {

// Of the thread and of the one who waits for it; lives as long as either.
struct DatagramSender::Shared {
  DatagramRequest request;
  AddressGuard guard;
  int wake = -1;  // a descriptor of its own, so that it is there however late the thread ends
  std::atomic<bool> abandoned = false;
  std::mutex mutex;
  std::optional<Response> response;

  Shared(DatagramRequest request_, AddressGuard guard_, int wake_)
      : request(std::move(request_)), guard(std::move(guard_)), wake(dup(wake_)) {}
  ~Shared() { close(wake); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
};

namespace {

// A port where nobody listens answers that; on the same host at once.
constexpr int kListenMilliseconds = 50;

std::string SendTo(const addrinfo& address, const std::vector<std::string>& datagrams) {
  const int opened =
      socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC, address.ai_protocol);
  if (opened < 0 || connect(opened, address.ai_addr, address.ai_addrlen) != 0) {
    const std::string problem = std::strerror(errno);
    if (opened >= 0) {
      close(opened);
    }
    return problem;
  }
  std::string problem;
  for (const std::string& datagram : datagrams) {
    if (send(opened, datagram.data(), datagram.size(), MSG_NOSIGNAL) < 0) {
      problem = std::strerror(errno);
      break;
    }
  }
  pollfd errors{opened, 0, 0};
  if (problem.empty() && poll(&errors, 1, kListenMilliseconds) > 0) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(opened, SOL_SOCKET, SO_ERROR, &error, &size);
    problem = error != 0 ? std::strerror(error) : "";
  }
  close(opened);
  return problem;
}

Response Send(const DatagramRequest& request, const AddressGuard& guard,
              const std::atomic<bool>& abandoned) {
  Response response;
  addrinfo hints = {};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(request.host.c_str(), std::to_string(request.port).c_str(), &hints, &found);
  if (error != 0) {
    response.end = End::kNoConnection;
    response.error = request.host + ": " + gai_strerror(error);
    return response;
  }
  response.end = End::kNoConnection;
  for (const addrinfo* address = found; address != nullptr && !abandoned;
       address = address->ai_next) {
    if (std::string refusal = guard.Refusal(request.host, *address->ai_addr); !refusal.empty()) {
      response.end = End::kAddressRefused;
      response.error = refusal;
      continue;
    }
    const std::string problem = SendTo(*address, request.datagrams);
    response.end = problem.empty() ? End::kSent : End::kNoConnection;
    response.error = problem;
    if (problem.empty()) {
      break;
    }
  }
  freeaddrinfo(found);
  return response;
}

}  // namespace

DatagramSender::DatagramSender(AddressGuard guard)
    : guard_(std::move(guard)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_ < 0) {
    throw std::runtime_error("no event descriptor can be had");
  }
}

DatagramSender::~DatagramSender() {
  for (const Running& running : running_) {
    running.shared->abandoned = true;
  }
  close(wake_);
}

void DatagramSender::Start(const DatagramRequest& request, Done done) {
  auto shared = std::make_shared<Shared>(request, guard_, wake_);
  running_.push_back({shared, std::move(done), std::chrono::steady_clock::now() + request.timeout});
  std::thread([shared] {
    const Response response = Send(shared->request, shared->guard, shared->abandoned);
    {
      const std::lock_guard lock(shared->mutex);
      shared->response = response;
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(shared->wake, &one, sizeof one);
  }).detach();
}

void DatagramSender::Step() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(wake_, &count, sizeof count);
  const auto now = std::chrono::steady_clock::now();
  for (auto running = running_.begin(); running != running_.end();) {
    std::optional<Response> response;
    {
      const std::lock_guard lock(running->shared->mutex);
      response = running->shared->response;
    }
    if (!response && now >= running->until) {
      running->shared->abandoned = true;
      response = Response{};
      response->end = End::kTimedOut;
      response->error = "the name " + running->shared->request.host + " was not resolved in time";
    }
    if (!response) {
      ++running;
      continue;
    }
    const Done done = std::move(running->done);
    running = running_.erase(running);
    done(*response);
  }
}

}  // namespace client::outbound
