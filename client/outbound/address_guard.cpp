#include "outbound/address_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

#include "text/plain.h"

namespace client::outbound {

namespace {

using Bytes = std::array<std::uint8_t, 16>;

constexpr Bytes kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0};

bool BeginsWith(const Bytes& address, const Bytes& network, int bits) {
  for (int i = 0; i < bits; i += 8) {
    const int left = bits - i < 8 ? bits - i : 8;
    const auto mask = static_cast<std::uint8_t>(0xFF << (8 - left));
    const auto at = static_cast<std::size_t>(i / 8);
    if (((address[at] ^ network[at]) & mask) != 0) {
      return false;
    }
  }
  return true;
}

// False for what is neither IPv4 nor IPv6.
bool BytesOf(const sockaddr& address, Bytes& bytes) {
  if (address.sa_family == AF_INET) {
    sockaddr_in of4 = {};
    std::memcpy(&of4, &address, sizeof of4);
    bytes = kMapped;
    std::memcpy(&bytes[12], &of4.sin_addr, 4);
    return true;
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 of6 = {};
    std::memcpy(&of6, &address, sizeof of6);
    std::memcpy(bytes.data(), &of6.sin6_addr, 16);
    return true;
  }
  return false;
}

struct Reserved {
  std::uint32_t network;
  int bits;
};

// The special-purpose registry of IPv4 addresses, without those that are reached globally.
constexpr std::array<Reserved, 15> kReserved4{{
    {0x00000000, 8},   // this host
    {0x0A000000, 8},   // private
    {0x64400000, 10},  // behind a provider's address translation
    {0x7F000000, 8},   // loopback
    {0xA9FE0000, 16},  // link, with the metadata services of clouds
    {0xAC100000, 12},  // private
    {0xC0000000, 24},  // protocol assignments
    {0xC0000200, 24},  // documentation
    {0xC0586300, 24},  // 6to4 relays of old
    {0xC0A80000, 16},  // private
    {0xC6120000, 15},  // benchmarks
    {0xC6336400, 24},  // documentation
    {0xCB007100, 24},  // documentation
    {0xE0000000, 4},   // multicast
    {0xF0000000, 4},   // reserved, and broadcast
}};

bool IsPublic4(std::uint32_t address) {
  return std::none_of(kReserved4.begin(), kReserved4.end(), [&](const Reserved& reserved) {
    return (address ^ reserved.network) >> (32 - reserved.bits) == 0;
  });
}

std::uint32_t Four(const Bytes& bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at]) << 24 |
         static_cast<std::uint32_t>(bytes[at + 1]) << 16 |
         static_cast<std::uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
}

bool IsPublicBytes(const Bytes& bytes) {
  if (BeginsWith(bytes, kMapped, 96)) {
    return IsPublic4(Four(bytes, 12));
  }
  // Translation to IPv4 that is reached globally.
  if (BeginsWith(bytes, {0, 0x64, 0xFF, 0x9B}, 96)) {
    return IsPublic4(Four(bytes, 12));
  }
  if (BeginsWith(bytes, {0x20, 0x02}, 16)) {  // 6to4
    return IsPublic4(Four(bytes, 2));
  }
  // Of the rest only what is assigned as global unicast, without Teredo and its neighbours, and
  // documentation.
  return BeginsWith(bytes, {0x20}, 3) && !BeginsWith(bytes, {0x20, 0x01}, 23) &&
         !BeginsWith(bytes, {0x20, 0x01, 0x0D, 0xB8}, 32) && !BeginsWith(bytes, {0x3F, 0xFF}, 20);
}

}  // namespace

bool IsPublic(const sockaddr& address) {
  Bytes bytes{};
  return BytesOf(address, bytes) && IsPublicBytes(bytes);
}

std::string AddressText(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  Bytes bytes{};
  if (!BytesOf(address, bytes)) {
    return "an address of another family";
  }
  if (address.sa_family == AF_INET) {
    inet_ntop(AF_INET, &bytes[12], text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  }
  return text.data();
}

bool AddressGuard::ParseNetwork(const std::string& text, Network& network) {
  const auto slash = text.find('/');
  std::string address = text.substr(0, slash);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  }
  int whole = 128;
  if (inet_pton(AF_INET, address.c_str(), &network.bytes[12]) == 1) {
    std::copy_n(kMapped.begin(), 12, network.bytes.begin());
    whole = 32;
  } else if (inet_pton(AF_INET6, address.c_str(), network.bytes.data()) != 1) {
    return false;
  }
  int bits = whole;
  if (slash != std::string::npos) {
    const char* begin = text.data() + slash + 1;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(begin, end, bits);
    if (error != std::errc() || rest != end || bits < 0 || bits > whole) {
      throw std::invalid_argument("\"" + text + "\" has no length of a network behind the \"/\"");
    }
  }
  network.bits = 128 - whole + bits;
  return true;
}

AddressGuard::AddressGuard(const std::vector<std::string>& allowed, bool public_addresses)
    : public_addresses_(public_addresses) {
  for (const std::string& entry : allowed) {
    Network network;
    if (ParseNetwork(entry, network)) {
      networks_.push_back(network);
      continue;
    }
    const std::string name = text::Lower(entry);
    constexpr std::string_view kOfNames = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
    const std::string_view plain = std::string_view(name).substr(name.starts_with("*.") ? 2 : 0);
    if (plain.empty() || plain.find_first_not_of(kOfNames) != std::string_view::npos) {
      throw std::invalid_argument("\"" + entry +
                                  "\" is no host: give a name without port, \"*.\" and a name, an "
                                  "address, or a network as 10.1.2.0/24");
    }
    names_.push_back(name);
  }
}

bool AddressGuard::NameAllowed(std::string_view host) const {
  std::string name = text::Lower(host);
  if (name.ends_with('.')) {
    name.pop_back();
  }
  return std::any_of(names_.begin(), names_.end(), [&](const std::string& allowed) {
    return allowed.starts_with("*.")
               ? name.size() > allowed.size() - 1 && name.ends_with(allowed.substr(1))
               : name == allowed;
  });
}

std::string AddressGuard::Refusal(std::string_view host, const sockaddr& address) const {
  Bytes bytes{};
  if (!BytesOf(address, bytes)) {
    return "the address of " + std::string(host) + " is neither one of IPv4 nor one of IPv6";
  }
  if ((public_addresses_ && IsPublicBytes(bytes)) || NameAllowed(host)) {
    return {};
  }
  if (std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
        return BeginsWith(bytes, network.bytes, network.bits);
      })) {
    return {};
  }
  const std::string text = AddressText(address);
  return "the address " + text + (text == host ? "" : " of " + std::string(host)) +
         (public_addresses_ ? " is not a public one" : " is not an allowed one") +
         ": the sender's allow_hosts says where else it may connect to";
}

}  // namespace client::outbound
