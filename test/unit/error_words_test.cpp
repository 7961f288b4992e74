#include "policy/error_words.h"

#include <gtest/gtest.h>

#include <string>

namespace ratchet::policy {
namespace {

ErrorParts Duplicate(std::string_view constraint, std::string_view message) {
  ErrorParts error;
  error.sqlstate = "23505";
  error.format = "duplicate key value violates unique constraint \"%s\"";
  error.message = message;
  error.schema = "public";
  error.table = "target";
  error.constraint = constraint;
  return error;
}

ErrorParts Raised(std::string_view message, std::string_view context) {
  ErrorParts error;
  error.sqlstate = "P0001";
  error.format = "%s";
  error.message = message;
  error.context = context;
  return error;
}

TEST(ErrorWords, ValuesAreNoWords) {
  EXPECT_EQ(WithoutValues("item 17 has no price"), "item # has no price");
  EXPECT_EQ(WithoutValues("item 18 has no price"), WithoutValues("item 2026-01-01 has no price"));
  EXPECT_EQ(WithoutValues("no rate for \"EUR\" and 'it''s'"), "no rate for \"\" and \"\"\"\"");
  EXPECT_EQ(WithoutValues("key (a, b)=(5, x7)"), "key (a, b)=(#, #)");
  EXPECT_EQ(WithoutValues("3f0c9c1e-6d0a-4a5c-8a55-0a2b3c4d5e6f is gone"), "# is gone");
  EXPECT_EQ(WithoutValues("-1.5e10 < 0"), "# < #");
  EXPECT_EQ(WithoutValues("an open \" quote"), "an open \" quote");
  EXPECT_EQ(WithoutValues("größe 5"), "größe #");
  EXPECT_EQ(WithoutValues(""), "");
  EXPECT_LE(WithoutValues(std::string(100'000, 'x')).size(), 2000u);
}

TEST(ErrorWords, TheFormatAndTheNamesTellErrorsOfTheServerApart) {
  const ErrorParts one = Duplicate("target_pkey", "... \"target_pkey\"");
  EXPECT_EQ(WordsOf(one), WordsOf(Duplicate("target_pkey", "in another language")));
  EXPECT_NE(WordsOf(one), WordsOf(Duplicate("target_name_key", "... \"target_name_key\"")));
  ErrorParts other = one;
  other.table = "other";
  EXPECT_NE(WordsOf(one), WordsOf(other));
  other = one;
  other.schema = "tenant_2";
  EXPECT_NE(WordsOf(one), WordsOf(other));
  other = one;
  other.sqlstate = "23503";
  EXPECT_NE(WordsOf(one), WordsOf(other));
  other = one;
  other.format = "something else about \"%s\"";
  EXPECT_NE(WordsOf(one), WordsOf(other));
}

TEST(ErrorWords, ColumnsAndTypesTellThemApart) {
  ErrorParts a;
  a.sqlstate = "23502";
  a.format = "null value in column \"%s\" of relation \"%s\" violates not-null constraint";
  a.column = "name";
  ErrorParts b = a;
  b.column = "price";
  EXPECT_NE(WordsOf(a), WordsOf(b));
  b = a;
  b.type = "positive";
  EXPECT_NE(WordsOf(a), WordsOf(b));
}

TEST(ErrorWords, WhatUserCodeRaisesIsKnownByItsPlace) {
  const char* place = "PL/pgSQL function check_order(integer) line 17 at RAISE";
  const ErrorParts smith = Raised("customer Smith has no price", place);
  EXPECT_EQ(WordsOf(smith), WordsOf(Raised("customer Miller has no price", place)));
  EXPECT_NE(WordsOf(smith),
            WordsOf(Raised("customer Smith has no price",
                           "PL/pgSQL function check_order(integer) line 18 at RAISE")));
}

TEST(ErrorWords, AFunctionThatRaisesForOthersIsKnownByThem) {
  const std::string raise =
      "PL/pgSQL function fail(text) line 3 at RAISE\nSQL statement \"SELECT "
      "fail('5 is bad')\"\n";
  EXPECT_NE(WordsOf(Raised("5 is bad", raise + "PL/pgSQL function a(integer) line 2 at PERFORM")),
            WordsOf(Raised("5 is bad", raise + "PL/pgSQL function b(integer) line 9 at PERFORM")));
}

TEST(ErrorWords, HowASliceIsExecutedMakesNoDifference) {
  EXPECT_EQ(WordsOf(Raised("x", "PL/pgSQL function f() line 1 at RAISE")),
            WordsOf(Raised("x",
                           "PL/pgSQL function f() line 1 at RAISE\nSQL statement \"SELECT f($1)\"\n"
                           "batch 12\njob \"j\", run 4711")));
}

TEST(ErrorWords, WithoutAPlaceTheMessageCounts) {
  EXPECT_EQ(WordsOf(Raised("remote item 5 is locked", "remote SQL command: ...5")),
            WordsOf(Raised("remote item 6 is locked", "remote SQL command: ...6")));
  EXPECT_NE(WordsOf(Raised("remote item 5 is locked", "")),
            WordsOf(Raised("remote item 5 is gone", "")));
  ErrorParts unknown = Raised("remote item 5 is locked", "");
  const std::string words = WordsOf(unknown);
  for (const char* format : {"", "%s", "%s: %s", "%1$s %-5d", "%", "100%"}) {
    unknown.format = format;
    EXPECT_EQ(WordsOf(unknown), words) << format;
  }
}

}  // namespace
}  // namespace ratchet::policy
