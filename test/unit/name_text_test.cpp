#include "policy/name_text.h"

#include <gtest/gtest.h>

#include <string>

namespace ratchet::policy {
namespace {

TEST(NameText, LettersOfAllScriptsAreSeen) {
  for (const char* name :
       {"nightly", "café", "ночь", "你好", "日報 1", "😀", "a b", "a\u00a0b", "e\u0301"}) {
    EXPECT_FALSE(HasHiddenCharacter(name)) << name;
    EXPECT_FALSE(IsBlank(name)) << name;
  }
}

TEST(NameText, WhatHidesOrTurnsIsHidden) {
  for (const char* name :
       {"a\tb",       "a\x1b[31m",  "a\x7f",      "a\u0080b",  "a\u0085b", "a\u009f", "\u00ad",
        "\u0600",     "\u061c",     "\u180e",     "\u200b",    "\u200f",   "\u2028",  "\u2029",
        "\u202a",     "\u202e",     "\u2060",     "\u2066",    "\u206f",   "\ufeff",  "\ufffb",
        "\U000110bd", "\U0001d173", "\U000e0001", "\U000e007f"}) {
    EXPECT_TRUE(HasHiddenCharacter(name)) << name;
  }
}

TEST(NameText, NeighboursOfHiddenCharactersAreSeen) {
  for (const char* name : {"\u00ac", "\u00ae", "\u05ff", "\u0606", "\u200a", "\u2010", "\u202f",
                           "\u2065", "\ufefe", "\ufffc", "\U000e0080"}) {
    EXPECT_FALSE(HasHiddenCharacter(name)) << name;
  }
}

TEST(NameText, SpacesAloneAreNoName) {
  for (const char* name : {"", " ", "\t\n", "\u00a0", " \u3000\u2003"}) {
    EXPECT_TRUE(IsBlank(name)) << name;
  }
  EXPECT_FALSE(IsBlank(" x"));
}

TEST(NameText, BytesThatAreNoUtf8AreLookedAtAlone) {
  EXPECT_FALSE(HasHiddenCharacter("\xe9t\xe9"));
  EXPECT_TRUE(
      HasHiddenCharacter("a\x9b"
                         "31m"));
  EXPECT_TRUE(HasHiddenCharacter("a\x85"));
  EXPECT_FALSE(HasHiddenCharacter(std::string("\xc3")));
  EXPECT_TRUE(HasHiddenCharacter(std::string("\xe9\0", 2)));
}

}  // namespace
}  // namespace ratchet::policy
