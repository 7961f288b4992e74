#include <gtest/gtest.h>

#include "text/base64.h"
#include "text/plain.h"
#include "text/span.h"

namespace {

using namespace client::text;
using std::chrono::milliseconds;

TEST(Base64, TheVectorsOfTheRfc) {
  const std::pair<const char*, const char*> kVectors[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : kVectors) {
    EXPECT_EQ(EncodeBase64(plain), encoded);
    EXPECT_EQ(DecodeBase64(encoded), plain);
  }
  EXPECT_EQ(DecodeBase64("Zg"), "f");
  EXPECT_EQ(DecodeBase64("Z"), std::nullopt);
  EXPECT_EQ(DecodeBase64("Zm 9v"), std::nullopt);
}

TEST(Plain, BytesOfNoCharacterAreQuestionMarks) {
  EXPECT_EQ(ValidUtf8("a\xFFz"), "a?z");
  EXPECT_EQ(ValidUtf8("\xC0\xAF"), "??") << "overlong";
  EXPECT_EQ(ValidUtf8("\xED\xA0\x80"), "???") << "surrogate";
  EXPECT_EQ(ValidUtf8("\xE2\x82"), "??") << "cut";
  EXPECT_EQ(ValidUtf8("Grüße €😀"), "Grüße €😀");
}

TEST(Plain, NothingIsCutWithinACharacter) {
  EXPECT_EQ(Shortened("Grüße", 100), "Grüße");
  for (std::size_t most = 0; most < 14; most++) {
    const std::string cut = Shortened("€€€€€", most);
    EXPECT_LE(cut.size(), most);
    EXPECT_EQ(cut, ValidUtf8(cut));
  }
}

TEST(Plain, OneLineIsOne) {
  EXPECT_EQ(OneLine("a\r\nBcc: x\tb\x7F\xC2\x85\xE2\x80\xA8z\xE2\x80\xAEk"), "a  Bcc: x b   z k");
  EXPECT_EQ(Lines("a\r\nb\rc\n\x01"), "a\nb\nc\n ");
}

TEST(Span, AsPeopleAndPostgresWriteThem) {
  const std::pair<const char*, long> kSpans[] = {{"10 s", 10000},
                                                 {"10s", 10000},
                                                 {"1.5 minutes", 90000},
                                                 {"00:00:10", 10000},
                                                 {"00:01:30.5", 90500},
                                                 {"1 day 02:00:00", 93600000},
                                                 {"250ms", 250},
                                                 {"3", 3000},
                                                 {"2 hours 5 min", 7500000},
                                                 {"0", 0}};
  for (const auto& [text, expected] : kSpans) {
    EXPECT_EQ(ParseSpan(text), milliseconds(expected)) << text;
  }
  for (const char* text :
       {"", "x", "-1 s", "1 fortnight", "00:61:00", "1e400 s", "99999999999 days", "nan", "inf"}) {
    EXPECT_EQ(ParseSpan(text), std::nullopt) << text;
  }
}

TEST(Span, InWords) {
  EXPECT_EQ(SpanWords(12.5), "12.5 s");
  EXPECT_EQ(SpanWords(200), "3 min 20 s");
  EXPECT_EQ(SpanWords(7500), "2 h 5 min");
  EXPECT_EQ(SpanWords(90000), "1 d 1 h");
}

}  // namespace
