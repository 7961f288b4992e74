// What a mail server has answered, read along while libcurl talks to it. libcurl tells no more than
// the last reply's code, and takes for success a mail that was refused for some recipients, or sent
// without the authentication that was asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "outbound/request.h"

namespace client::outbound {

class MailTalk {
 public:
  void Begin(const MailRequest& request);

  void Said(std::string_view line);      // by us
  void Answered(std::string_view line);  // by the server

  // May the message be given? Not when it is to be sent as somebody, and the server knows nothing
  // of that.
  bool MayGive() const { return user_.empty() || authenticated_; }
  bool quitting() const { return quitting_; }
  const std::vector<RecipientReply>& recipients() const { return recipients_; }
  const std::string& last_reply() const { return last_reply_; }
  int last_code() const { return last_code_; }

 private:
  std::string user_;
  std::vector<std::string> to_;
  std::vector<RecipientReply> recipients_;
  std::string last_reply_;
  int last_code_ = 0;
  bool about_recipient_ = false;
  bool authenticated_ = false;
  bool quitting_ = false;
};

}  // namespace client::outbound
