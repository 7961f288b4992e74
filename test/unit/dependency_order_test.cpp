#include "policy/dependency_order.h"

#include <gtest/gtest.h>

namespace ratchet::policy {
namespace {

std::string Order(const std::vector<Dependent>& dependents) {
  const DependencyOrder order = OrderByNeed(dependents);
  std::string text;
  for (const std::size_t i : order.order) {
    text += (text.empty() ? "" : " ") + dependents[i].name;
  }
  for (const std::string& name : order.circle) {
    text += (text.empty() ? "" : " > ") + name;
  }
  return text;
}

TEST(DependencyOrder, WhatIsNeededComesFirst) {
  EXPECT_EQ(Order({}), "");
  EXPECT_EQ(Order({{"b", {}}, {"a", {}}}), "b a");
  EXPECT_EQ(Order({{"a", {"b"}}, {"b", {"c"}}, {"c", {}}}), "c b a");
  EXPECT_EQ(Order({{"d", {"b", "c"}}, {"b", {"a"}}, {"c", {"a"}}, {"a", {}}}), "a b c d");
}

TEST(DependencyOrder, WhatIsNotThereDoesNotMatter) {
  EXPECT_EQ(Order({{"a", {"elsewhere", "b"}}, {"b", {"elsewhere"}}}), "b a");
}

TEST(DependencyOrder, ACircleIsNamed) {
  EXPECT_EQ(Order({{"a", {"a"}}}), "a > a");
  EXPECT_EQ(Order({{"x", {"a"}}, {"a", {"b"}}, {"b", {"c"}}, {"c", {"a"}}}), "a > b > c > a");
}

TEST(DependencyOrder, AChainMayBeLong) {
  constexpr int kLength = 200'000;
  std::vector<Dependent> chain;
  for (int i = 0; i < kLength; i++) {
    chain.push_back({std::to_string(i), {std::to_string(i + 1)}});
  }
  const DependencyOrder order = OrderByNeed(chain);
  ASSERT_EQ(order.order.size(), chain.size());
  EXPECT_EQ(order.order.front(), chain.size() - 1);
  EXPECT_EQ(order.order.back(), 0U);
}

}  // namespace
}  // namespace ratchet::policy
