#include "channel/signature.h"

#include <gtest/gtest.h>

#include "channel/kind.h"

namespace {

using client::channel::BadConfig;
using client::channel::Signature;
using client::channel::SigningKey;

// The example that the specification of Standard Webhooks and its libraries use.
constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr const char* kId = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr long long kTime = 1614265330;
constexpr const char* kBody = R"({"test": 2432232314})";
constexpr const char* kSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

TEST(Signature, TheVectorOfTheSpecification) {
  EXPECT_EQ(Signature({kSecret}, kId, kTime, kBody), kSignature);
}

TEST(Signature, OneForEachSecretWhileTheyAreExchanged) {
  const std::string other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  const std::string both = Signature({other, kSecret}, kId, kTime, kBody);
  EXPECT_EQ(both, Signature({other}, kId, kTime, kBody) + " " + kSignature);
}

TEST(Signature, WhatIsNoSecretIsNotShown) {
  for (const char* secret :
       {"", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_####"}) {
    try {
      SigningKey(secret);
      FAIL() << secret;
    } catch (const BadConfig& problem) {
      EXPECT_TRUE(*secret == '\0' ||
                  std::string(problem.what()).find(std::string(secret) + " ") == std::string::npos);
    }
  }
}

}  // namespace
