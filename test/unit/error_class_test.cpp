#include "policy/error_class.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace ratchet::policy {
namespace {

bool IsDecided(const std::string& code) {
  const auto decisions = ErrorDecisions();
  return std::any_of(decisions.begin(), decisions.end(),
                     [&](const ErrorDecision& decision) { return decision.code == code; });
}

TEST(ErrorClass, DataAndConstraintsAreTheItemsFault) {
  for (const char* state : {"22012", "22P02", "23505", "23503", "23514", "21000", "44000", "54000",
                            "P0001", "P0002", "P0004", "2F005", "38000", "39004", "27000"}) {
    EXPECT_EQ(ClassOf(state), ErrorClass::kItem) << state;
  }
}

TEST(ErrorClass, WhatAValueOrATriggerOfTheItemDecidesIsTheItemsFault) {
  EXPECT_EQ(ClassOf("20000"), ErrorClass::kItem) << "CASE without ELSE in PL/pgSQL";
  EXPECT_EQ(ClassOf("09000"), ErrorClass::kItem) << "contrib's refint about a row";
}

TEST(ErrorClass, OtherSessionsAreNobodysFault) {
  for (const char* state : {"40001", "40P01", "40000", "55P03", "72000"}) {
    EXPECT_EQ(ClassOf(state), ErrorClass::kRetry) << state;
  }
}

TEST(ErrorClass, TheServerEndsTheRun) {
  for (const char* state :
       {"57014", "57P01", "53100", "53300", "53400", "58030", "08006", "XX000", "XX001", "F0000"}) {
    EXPECT_EQ(ClassOf(state), ErrorClass::kEndRun) << state;
  }
}

TEST(ErrorClass, WithoutMemoryTheBatchIsTooBig) {
  EXPECT_EQ(ClassOf("53200"), ErrorClass::kSmaller);
  EXPECT_EQ(ClassOf("53000"), ErrorClass::kEndRun);
}

TEST(ErrorClass, LimitsOfTheServerAreNoItemsFault) {
  EXPECT_EQ(ClassOf("2200H", "nextval: reached maximum value of sequence \"%s\" (%lld)"),
            ErrorClass::kFailRun);
  EXPECT_EQ(ClassOf("23514", "no partition of relation \"%s\" found for row"),
            ErrorClass::kFailRun);
  for (const char* format :
       {"database is not accepting commands to avoid wraparound data loss in database \"%s\"",
        "database is not accepting commands that assign new transaction IDs to avoid wraparound "
        "data loss in database \"%s\"",
        "database is not accepting commands that generate new MultiXactIds to avoid wraparound "
        "data loss in database with OID %u",
        "multixact \"members\" limit exceeded"}) {
    EXPECT_EQ(ClassOf("54000", format), ErrorClass::kEndRun) << format;
  }
}

TEST(ErrorClass, WhatOnlyHasTheirSqlstateIsTheItems) {
  EXPECT_EQ(ClassOf("54000", "index row size %zu exceeds btree version %u maximum %zu"),
            ErrorClass::kItem);
  EXPECT_EQ(ClassOf("54001", "stack depth limit exceeded"), ErrorClass::kItem);
  EXPECT_EQ(ClassOf("23514", "new row for relation \"%s\" violates check constraint \"%s\""),
            ErrorClass::kItem);
  EXPECT_EQ(ClassOf("23514", "new row for relation \"%s\" violates partition constraint"),
            ErrorClass::kItem);
  EXPECT_EQ(ClassOf("23514", "value for domain %s violates check constraint \"%s\""),
            ErrorClass::kItem);
  EXPECT_EQ(ClassOf("23514", "%s"), ErrorClass::kItem) << "raised by user code";
  EXPECT_EQ(ClassOf("22003", "%s out of range"), ErrorClass::kItem);
}

TEST(ErrorClass, WhatFailsForEveryItemFailsTheRun) {
  for (const char* state : {"42P01", "42703", "42501", "42601", "42883", "0A000", "25006", "2D000",
                            "28000", "3F000", "55000", "55006", "55P04", "HV000", "0L000", "0P000",
                            "0Z002", "0B000", "26000", "2BP01", "3B001", "3D000", "03000"}) {
    EXPECT_EQ(ClassOf(state), ErrorClass::kFailRun) << state;
  }
}

TEST(ErrorClass, WhatNobodyDefinedComesFromUserCode) {
  for (const char* state : {"45000", "U0001", "ZZ999", "99999", "APP01", "07000"}) {
    EXPECT_EQ(ClassOf(state), ErrorClass::kItem) << state;
    EXPECT_FALSE(IsDecided(std::string(state).substr(0, 2))) << state;
  }
}

TEST(ErrorClass, TextsThatAreNoStateAreNoTrouble) {
  EXPECT_EQ(ClassOf(""), ErrorClass::kItem);
  EXPECT_EQ(ClassOf("4"), ErrorClass::kItem);
}

TEST(ErrorClass, ACodeIsDecidedOnce) {
  std::set<std::string_view> seen;
  for (const ErrorDecision& decision : ErrorDecisions()) {
    EXPECT_TRUE(seen.insert(decision.code).second) << decision.code;
    EXPECT_TRUE(decision.code.size() == 2 || decision.code.size() == 5) << decision.code;
    const std::string state = std::string(decision.code) + "000";
    EXPECT_EQ(ClassOf(std::string_view(state).substr(0, 5)), decision.error_class) << state;
  }
}

// Of PostgreSQL 15 to 18.
TEST(ErrorClass, EveryClassOfTheServerIsDecided) {
  const std::vector<std::string> classes = {
      "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21",
      "22", "23", "24", "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D",
      "3F", "40", "42", "44", "53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX"};
  for (const std::string& code : classes) {
    EXPECT_TRUE(IsDecided(code)) << code;
  }
}

#ifdef RATCHET_ERRCODES
// A new version of the server may bring new ones.
TEST(ErrorClass, EveryClassOfTheInstalledServerIsDecided) {
  std::ifstream header(RATCHET_ERRCODES);
  ASSERT_TRUE(header) << RATCHET_ERRCODES;
  const std::regex macro("MAKE_SQLSTATE\\('(.)','(.)'");
  int found = 0;
  for (std::string line; std::getline(header, line);) {
    std::smatch match;
    if (std::regex_search(line, match, macro)) {
      found++;
      EXPECT_TRUE(IsDecided(match[1].str() + match[2].str())) << line;
    }
  }
  EXPECT_GT(found, 200);
}
#endif

}  // namespace
}  // namespace ratchet::policy
