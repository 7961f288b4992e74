#include <string>

#include <gtest/gtest.h>

#include "policy/sip_hash.h"

namespace ratchet::policy {
namespace {

// The key of the authors' test vectors: bytes 0 to 15.
constexpr SipKey kKey{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

std::string Bytes(int count) {
  std::string bytes;
  for (int i = 0; i < count; i++) {
    bytes.push_back(static_cast<char>(i));
  }
  return bytes;
}

std::uint64_t HashOf(const std::string& bytes, const SipKey& key = kKey) {
  SipHash hash(key);
  hash.Add(bytes);
  return hash.Finish();
}

// Of the authors' reference implementation: the hashes of the first n bytes 0, 1, 2, ...
TEST(SipHash, IsThatOfItsAuthors) {
  EXPECT_EQ(HashOf(Bytes(0)), 0x726fdb47dd0e0e31U);
  EXPECT_EQ(HashOf(Bytes(1)), 0x74f839c593dc67fdU);
  EXPECT_EQ(HashOf(Bytes(7)), 0xab0200f58b01d137U);
  EXPECT_EQ(HashOf(Bytes(8)), 0x93f5f5799a932462U);
  EXPECT_EQ(HashOf(Bytes(15)), 0xa129ca6149be45e5U);
  EXPECT_EQ(HashOf(Bytes(63)), 0x958a324ceb064572U);
}

TEST(SipHash, PartsMakeOneText) {
  const std::string text = Bytes(63);
  for (std::size_t first = 0; first <= text.size(); first++) {
    for (std::size_t second = first; second <= text.size(); second += 5) {
      SipHash hash(kKey);
      hash.Add(text.substr(0, first));
      hash.Add(text.substr(first, second - first));
      hash.Add(text.substr(second));
      EXPECT_EQ(hash.Finish(), HashOf(text)) << first << ", " << second;
    }
  }
}

TEST(SipHash, ANumberIsItsBytes) {
  SipHash hash(kKey);
  hash.Add(Bytes(3));
  hash.AddNumber(0x0a09080706050403U);
  hash.AddNumber(0x1211100f0e0d0c0bU);
  EXPECT_EQ(hash.Finish(), HashOf(Bytes(19)));
}

TEST(SipHash, DependsOnEachBitOfTheKey) {
  const std::uint64_t before = HashOf("a text");
  for (int bit = 0; bit < 64; bit++) {
    EXPECT_NE(HashOf("a text", {kKey.low ^ 1ULL << bit, kKey.high}), before);
    EXPECT_NE(HashOf("a text", {kKey.low, kKey.high ^ 1ULL << bit}), before);
  }
}

}  // namespace
}  // namespace ratchet::policy
