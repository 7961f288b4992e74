#include "outbound/address_guard.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>
#include <stdexcept>

namespace {

using client::outbound::AddressGuard;
using client::outbound::IsPublic;

sockaddr_storage Address(const char* text) {
  sockaddr_storage address = {};
  sockaddr_in of4 = {};
  sockaddr_in6 of6 = {};
  if (inet_pton(AF_INET, text, &of4.sin_addr) == 1) {
    of4.sin_family = AF_INET;
    std::memcpy(&address, &of4, sizeof of4);
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text, &of6.sin6_addr), 1) << text;
    of6.sin6_family = AF_INET6;
    std::memcpy(&address, &of6, sizeof of6);
  }
  return address;
}

bool Public(const char* text) {
  const sockaddr_storage address = Address(text);
  return IsPublic(reinterpret_cast<const sockaddr&>(address));
}

std::string Refusal(const AddressGuard& guard, const char* host, const char* text) {
  const sockaddr_storage address = Address(text);
  return guard.Refusal(host, reinterpret_cast<const sockaddr&>(address));
}

TEST(AddressGuard, WhatIsNotPublic) {
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "10.255.255.255",
                           "100.64.0.1",
                           "100.127.255.254",
                           "127.0.0.1",
                           "127.1.2.3",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.8",
                           "192.0.2.1",
                           "192.168.1.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.7",
                           "203.0.113.7",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "::127.0.0.1",
                           "64:ff9b::7f00:1",
                           "64:ff9b::a9fe:a9fe",
                           "64:ff9b:1::1",
                           "2002:7f00:1::",
                           "2002:a00:1::1",
                           "fc00::1",
                           "fdff::1",
                           "fe80::1",
                           "fec0::1",
                           "ff02::1",
                           "2001::1",
                           "2001:db8::1",
                           "100::1",
                           "3fff::1",
                           "4000::1"}) {
    EXPECT_FALSE(Public(text)) << text;
  }
}

TEST(AddressGuard, WhatIsPublic) {
  for (const char* text :
       {"1.1.1.1",          "8.8.8.8",         "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",   "100.128.0.0",     "126.255.255.255", "128.0.0.1",
        "172.15.255.255",   "172.32.0.0",      "192.167.255.255", "192.169.0.0",
        "198.17.255.255",   "198.20.0.0",      "223.255.255.255", "::ffff:8.8.8.8",
        "64:ff9b::808:808", "2002:808:808::1", "2606:4700::1111", "2a00:1450::1",
        "2001:4860::8"}) {
    EXPECT_TRUE(Public(text)) << text;
  }
}

TEST(AddressGuard, AnotherFamilyIsRefused) {
  sockaddr address = {};
  address.sa_family = AF_UNIX;
  EXPECT_FALSE(IsPublic(address));
  EXPECT_NE(AddressGuard({"*.example.com"}, true).Refusal("x.example.com", address), "");
}

TEST(AddressGuard, HostsAddressesAndNetworksAreAllowed) {
  const AddressGuard guard(
      {"smtp.internal", "*.corp.example", "10.1.2.0/24", "fd00::/8", "[::1]", "127.0.0.1"}, true);
  EXPECT_EQ(Refusal(guard, "smtp.internal", "10.9.9.9"), "");
  EXPECT_EQ(Refusal(guard, "SMTP.Internal.", "10.9.9.9"), "");
  EXPECT_NE(Refusal(guard, "xsmtp.internal", "10.9.9.9"), "");
  EXPECT_EQ(Refusal(guard, "a.b.corp.example", "10.9.9.9"), "");
  EXPECT_NE(Refusal(guard, "corp.example", "10.9.9.9"), "");
  EXPECT_NE(Refusal(guard, "xcorp.example", "10.9.9.9"), "");
  EXPECT_EQ(Refusal(guard, "x", "10.1.2.255"), "");
  EXPECT_EQ(Refusal(guard, "x", "::ffff:10.1.2.3"), "") << "the same address in other words";
  EXPECT_NE(Refusal(guard, "x", "10.1.3.0"), "");
  EXPECT_EQ(Refusal(guard, "x", "fd12::1"), "");
  EXPECT_EQ(Refusal(guard, "x", "::1"), "");
  EXPECT_EQ(Refusal(guard, "x", "127.0.0.1"), "");
  EXPECT_NE(Refusal(guard, "x", "127.0.0.2"), "");
  EXPECT_EQ(Refusal(guard, "x", "8.8.8.8"), "");
}

TEST(AddressGuard, AllowedHostsAlone) {
  const AddressGuard guard({"hooks.example.com"}, false);
  EXPECT_EQ(Refusal(guard, "hooks.example.com", "8.8.8.8"), "");
  EXPECT_NE(Refusal(guard, "other.example.com", "8.8.8.8"), "");
}

TEST(AddressGuard, WhatIsNoHostIsRefused) {
  for (const char* text : {"", "https://x", "x:80", "10.0.0.0/33", "10.0.0.0/x", "fd00::/129", "*.",
                           "a b", "10.0.0.0/"}) {
    EXPECT_THROW(AddressGuard({text}, true), std::invalid_argument) << text;
  }
}

TEST(AddressGuard, TheRefusalNamesAddressAndRemedy) {
  const std::string refusal =
      Refusal(AddressGuard({}, true), "metadata.example", "169.254.169.254");
  EXPECT_NE(refusal.find("169.254.169.254 of metadata.example"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("allow_hosts"), std::string::npos) << refusal;
}

}  // namespace
