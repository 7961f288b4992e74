#include <curl/curl.h>

#include <algorithm>
#include <charconv>

#include "outbound/request.h"

namespace client::outbound {

namespace {

// Nobody who receives messages may put them off for longer.
constexpr std::chrono::seconds kLongest{86400};

}  // namespace

std::optional<std::chrono::seconds> ParseRetryAfter(const std::string& value,
                                                    std::chrono::system_clock::time_point now) {
  const auto first = value.find_first_not_of(" \t");
  if (first == std::string::npos) {
    return std::nullopt;
  }
  const std::string text = value.substr(first, value.find_last_not_of(" \t\r\n") + 1 - first);
  if (text.find_first_not_of("0123456789") == std::string::npos) {
    long long seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error == std::errc::result_out_of_range) {
      return kLongest;
    }
    return std::min(std::chrono::seconds(seconds), kLongest);
  }
  const std::time_t date = curl_getdate(text.c_str(), nullptr);
  if (date == -1) {
    return std::nullopt;
  }
  // Rounded up, so that we are not too early.
  const auto left =
      std::chrono::ceil<std::chrono::seconds>(std::chrono::system_clock::from_time_t(date) - now);
  return std::clamp(left, std::chrono::seconds(0), kLongest);
}

}  // namespace client::outbound
