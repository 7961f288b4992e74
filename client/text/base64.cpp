#include "text/base64.h"

#include <cstdint>

namespace client::text {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  std::string encoded;
  encoded.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      encoded += kAlphabet[bits >> count & 63];
    }
  }
  if (count > 0) {
    encoded += kAlphabet[bits << (6 - count) & 63];
  }
  while (encoded.size() % 4 != 0) {
    encoded += '=';
  }
  return encoded;
}

std::optional<std::string> DecodeBase64(std::string_view encoded) {
  while (!encoded.empty() && encoded.back() == '=') {
    encoded.remove_suffix(1);
  }
  if (encoded.size() % 4 == 1) {
    return std::nullopt;
  }
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : encoded) {
    const auto value = kAlphabet.find(c);
    if (value == std::string_view::npos) {
      return std::nullopt;
    }
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> count & 255);
    }
  }
  return bytes;
}

}  // namespace client::text
