#include "policy/kept_messages.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace ratchet::policy {
namespace {

Message Of(std::int64_t number, std::size_t size = 10) {
  Message message;
  message.at = number;
  message.text.assign(size, 'x');
  return message;
}

// What is kept, by number; a gap of n as -n.
std::vector<std::int64_t> Kept(const KeptMessages& messages) {
  std::vector<std::int64_t> kept;
  messages.Visit([&kept](const Message& message) { kept.push_back(message.at); },
                 [&kept](std::int64_t left_out) { kept.push_back(-left_out); });
  return kept;
}

std::size_t Bytes(const KeptMessages& messages) {
  std::size_t bytes = 0;
  messages.Visit([&bytes](const Message& message) { bytes += message.bytes(); },
                 [](std::int64_t) {});
  return bytes;
}

using Numbers = std::vector<std::int64_t>;

TEST(KeptMessages, KeepsTheFirstAndTheLast) {
  KeptMessages messages;
  for (int i = 0; i < 5; i++) {
    messages.Add(Of(i), {5, 10000});
  }
  EXPECT_EQ(Kept(messages), (Numbers{0, 1, 2, 3, 4}));
  for (int i = 5; i < 100; i++) {
    messages.Add(Of(i), {5, 10000});
  }
  EXPECT_EQ(Kept(messages), (Numbers{0, 1, 2, -95, 98, 99}));
  EXPECT_EQ(messages.said(), 100);
  messages.Clear();
  EXPECT_EQ(Kept(messages), Numbers{});
}

TEST(KeptMessages, OfOneTheFirst) {
  KeptMessages messages;
  for (int i = 0; i < 3; i++) {
    messages.Add(Of(i), {1, 10000});
  }
  EXPECT_EQ(Kept(messages), (Numbers{0, -2}));
}

TEST(KeptMessages, LongOnesMakeRoomForNewerOnes) {
  KeptMessages messages;
  for (int i = 0; i < 6; i++) {
    messages.Add(Of(i, 300), {100, 2000});
  }
  EXPECT_EQ(Kept(messages), (Numbers{0, 1, -2, 4, 5}));
}

TEST(KeptMessages, EveryLongestTextHasRoom) {
  for (const std::size_t bytes : {std::size_t{1024}, std::size_t{4096}, std::size_t{1} << 20}) {
    const MessageLimits limits{10, bytes};
    KeptMessages messages;
    for (int i = 0; i < 3; i++) {
      Message message = Of(i, KeptMessages::LongestText(limits));
      message.detail = message.hint = message.text;
      messages.Add(message, limits);
    }
    EXPECT_EQ(Kept(messages).front(), 0);
    EXPECT_EQ(Kept(messages).back(), 2);
  }
}

TEST(KeptMessages, TakesBackWhatWasSaidSince) {
  KeptMessages messages;
  for (int i = 0; i < 20; i++) {
    messages.Add(Of(i), {10, 10000});
  }
  messages.TakeBack(17);
  Numbers taken_back;
  messages.Visit(
      [&](const Message& message) {
        if (message.rolled_back) {
          taken_back.push_back(message.at);
        }
      },
      [](std::int64_t) {});
  EXPECT_EQ(taken_back, (Numbers{17, 18, 19}));
}

TEST(KeptMessages, KeysCountAsWell) {
  const MessageLimits limits{10, 1000};
  KeptMessages messages;
  messages.Add(Of(0, 100), limits);
  messages.VisitSince(
      0, [&](Message* message) { messages.SetKey(message, std::string(400, 'k'), limits); });
  messages.VisitSince(0, [](const Message* message) { EXPECT_TRUE(message->key.empty()); });
  messages.VisitSince(0, [&](Message* message) { messages.SetKey(message, "{}", limits); });
  messages.VisitSince(0, [](const Message* message) { EXPECT_EQ(message->key, "{}"); });
}

TEST(KeptMessages, AnyCourseStaysWithinItsBounds) {
  std::mt19937 random(4711);
  for (int round = 0; round < 200; round++) {
    KeptMessages messages;
    const int count = 1 + static_cast<int>(random() % 20);
    const MessageLimits limits{count, 500 + random() % 5000};
    const std::size_t longest = KeptMessages::LongestText(limits);
    Numbers said;
    for (int i = 0; i < 100; i++) {
      if (random() % 20 == 0) {
        messages.LeaveOut();
      } else {
        messages.Add(Of(i, random() % (longest + 1)), limits);
      }
      const Numbers kept = Kept(messages);
      std::int64_t sum = 0;
      std::int64_t number = 0;
      for (const std::int64_t one : kept) {
        if (one < 0) {
          number -= one;
          sum -= one;
        } else {
          EXPECT_EQ(one, number) << "each one at its place";
          number++;
          sum++;
        }
      }
      EXPECT_EQ(sum, i + 1);
      EXPECT_LE(Bytes(messages), limits.bytes);
      EXPECT_LE(static_cast<int>(kept.size()), limits.count + 1);
    }
  }
}

}  // namespace
}  // namespace ratchet::policy
