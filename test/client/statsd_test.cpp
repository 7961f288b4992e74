#include <gtest/gtest.h>

#include "deliveries.h"

namespace {

using namespace deliveries;
using client::outbound::DatagramRequest;
using nlohmann::json;

std::vector<std::string> Lines(const json& config, const json& message) {
  std::vector<std::string> lines;
  const client::outbound::Request request = Render("statsd", MakeDelivery(config, message));
  for (const std::string& datagram : std::get<DatagramRequest>(request).datagrams) {
    EXPECT_LE(datagram.size(), 1432U);
    for (std::size_t begin = 0; begin <= datagram.size();) {
      const std::size_t end = std::min(datagram.find('\n', begin), datagram.size());
      lines.push_back(datagram.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return lines;
}

TEST(Statsd, NamesThatHaveToBeChangedStayDifferent) {
  json message = {
      {"type", "heartbeat"}, {"notice", "success"}, {"job", "a:b"}, {"duration_s", 1.5}};
  const auto one = Lines({{"prefix", "shop.jobs"}}, message);
  ASSERT_EQ(one.size(), 2U);
  EXPECT_TRUE(one[0].starts_with("shop.jobs.job.a_b_")) << one[0];
  EXPECT_TRUE(one[0].ends_with(".success:1|c")) << one[0];
  EXPECT_TRUE(one[1].ends_with(".duration:1500|ms")) << one[1];
  for (const char* other : {"a|b", "a@b", "a#b", "a.b", "a b", "a\nb"}) {
    message["job"] = other;
    EXPECT_NE(Lines({{"prefix", "shop.jobs"}}, message)[0], one[0]) << other;
  }
  message["job"] = "a_b";
  EXPECT_EQ(Lines(json::object(), message)[0], "ratchet.job.a_b.success:1|c");
}

TEST(Statsd, EventsOfDogstatsdCountBytes) {
  json message = Message();
  message["subject"] = "Größe|x";
  message["incidents"][0]["error"] = "zwei\nZeilen: ä";
  bool found = false;
  for (const std::string& line :
       Lines({{"dogstatsd", true}, {"tags", {{"team", "a,b|c"}}}}, message)) {
    EXPECT_EQ(line.find('\n'), std::string::npos);
    if (line.starts_with("_e{9,16}:Größe|x|zwei\\nZeilen: ä|t:error|#team:a_b_c,database:shop")) {
      found = true;
    }
  }
  EXPECT_TRUE(found);
}

TEST(Statsd, LongMessagesKeepToTheirPackets) {
  json message = Message();
  message["incidents"][0]["error"] = std::string(9000, 'x');
  message["incidents"][0]["job"] = std::string(3000, 'j');
  message["database"] = std::string(3000, 'd');
  for (int i = 0; i < 90; i++) {
    message["incidents"].push_back(message["incidents"][0]);
  }
  Lines({{"dogstatsd", true}}, message);
  Lines(json::object(), message);
}

}  // namespace
