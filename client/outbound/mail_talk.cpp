#include "outbound/mail_talk.h"

#include "text/plain.h"

namespace client::outbound {

namespace {

constexpr std::size_t kLongestReply = 500;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void MailTalk::Begin(const MailRequest& request) {
  user_ = request.user;
  to_ = request.to;
}

void MailTalk::Said(std::string_view line) {
  about_recipient_ = line.starts_with("RCPT TO:");
  if (about_recipient_ && recipients_.size() < to_.size()) {
    // In the order in which they were given.
    recipients_.push_back({to_[recipients_.size()], 0, {}});
  }
  quitting_ = quitting_ || line.starts_with("QUIT");
}

void MailTalk::Answered(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) {
    line.remove_suffix(1);
  }
  const bool is_last = line.size() >= 3 && IsDigit(line[0]) && IsDigit(line[1]) &&
                       IsDigit(line[2]) && (line.size() == 3 || line[3] != '-');
  // What it says to QUIT is about nothing.
  if (!is_last || quitting_) {
    return;
  }
  last_code_ = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  last_reply_ = text::Shortened(text::OneLine(line), kLongestReply);
  if (about_recipient_ && !recipients_.empty()) {
    recipients_.back().code = last_code_;
    recipients_.back().text = last_reply_;
    about_recipient_ = false;
  }
  authenticated_ = authenticated_ || last_code_ == 235;
}

}  // namespace client::outbound
