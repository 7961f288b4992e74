#include "channel/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <stdexcept>

#include "channel/kind.h"
#include "text/base64.h"

namespace client::channel {

namespace {

constexpr std::string_view kPrefix = "whsec_";
// Of the specification: 24 to 64 bytes. Shorter ones could be guessed.
constexpr std::size_t kShortestKey = 24;

std::string HmacSha256(const std::string& key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
           &size) == nullptr) {
    throw std::runtime_error("the message cannot be signed");
  }
  return std::string(digest.begin(), digest.begin() + size);
}

}  // namespace

std::string SigningKey(std::string_view secret) {
  if (!secret.starts_with(kPrefix)) {
    throw BadConfig("the secret to sign with does not begin with whsec_");
  }
  const auto key = text::DecodeBase64(secret.substr(kPrefix.size()));
  if (!key || key->size() < kShortestKey) {
    throw BadConfig(
        "the secret to sign with is not the base64 of at least 24 bytes behind its whsec_");
  }
  return *key;
}

std::string Signature(const std::vector<std::string>& secrets, std::string_view id,
                      long long timestamp, std::string_view body) {
  const std::string signed_text =
      std::string(id) + "." + std::to_string(timestamp) + "." + std::string(body);
  std::string signatures;
  for (const std::string& secret : secrets) {
    signatures += (signatures.empty() ? "v1," : " v1,") +
                  text::EncodeBase64(HmacSha256(SigningKey(secret), signed_text));
  }
  return signatures;
}

}  // namespace client::channel
