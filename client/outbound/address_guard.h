// Which addresses may be connected to. Judged is the address itself, when the socket is about to be
// opened: what a URL says, or what a name resolved to a moment before, proves nothing.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace client::outbound {

// Not private, not of this host or link, no multicast, not reserved; of IPv6 addresses that carry
// one of IPv4, that one.
bool IsPublic(const sockaddr& address);

std::string AddressText(const sockaddr& address);

class AddressGuard {
 public:
  // allowed: names ("smtp.internal", "*.example.com"), addresses and networks ("10.1.2.0/24") that
  // may be connected to whatever they are. Throws std::invalid_argument for what is none of these.
  AddressGuard(const std::vector<std::string>& allowed, bool public_addresses);

  // Why a connection to this address of this host is refused; empty: it is not.
  std::string Refusal(std::string_view host, const sockaddr& address) const;

 private:
  struct Network {
    std::array<std::uint8_t, 16> bytes{};  // of IPv4: as ::ffff:a.b.c.d
    int bits = 128;
  };
  static bool ParseNetwork(const std::string& text, Network& network);
  bool NameAllowed(std::string_view host) const;

  std::vector<Network> networks_;
  std::vector<std::string> names_;
  bool public_addresses_;
};

}  // namespace client::outbound
