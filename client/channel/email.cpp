#include <set>

#include "channel/account.h"
#include "channel/config.h"
#include "channel/kinds.h"
#include "channel/mail_body.h"
#include "channel/mail_header.h"
#include "text/plain.h"

namespace client::channel {

namespace {

using outbound::MailRequest;
using outbound::MailTls;

MailTls TlsOf(const nlohmann::json& config) {
  const std::string tls = OptionalText(config, "tls", "starttls");
  if (tls == "starttls") {
    return MailTls::kStartTls;
  }
  if (tls == "tls") {
    return MailTls::kTls;
  }
  if (tls == "none") {
    return MailTls::kNone;
  }
  throw BadConfig("setting \"tls\" of the channel is none of starttls, tls and none");
}

int DefaultPort(MailTls tls) {
  return tls == MailTls::kTls ? 465 : tls == MailTls::kStartTls ? 587 : 25;
}

std::string DomainOf(const std::string& address) { return address.substr(address.find('@') + 1); }

// Ids are made of what is safe in them.
std::string IdPart(const std::string& id) {
  std::string part;
  for (const char c : id) {
    const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    part += alnum || c == '-' ? c : '-';
  }
  return part;
}

std::string Header(const Delivery& delivery, const Mailbox& from, const std::vector<Mailbox>& to,
                   const std::string& title) {
  const Notice& notice = delivery.notice;
  const std::string domain = DomainOf(from.address);
  std::string header = MailboxField("From", from);
  header += "To: ";
  for (std::size_t i = 0; i < to.size(); i++) {
    header += (i == 0 ? "" : ",\r\n ") + to[i].address;
  }
  header += "\r\n" + TextField("Subject", title);
  header += "Date: " + MailDate(delivery.created_at) + "\r\n";
  header += "Message-ID: <" + IdPart(delivery.message_id) + "@" + domain + ">\r\n";
  if (notice.is_incident() && !notice.episode.empty()) {
    // All notices of an episode refer to the same id, which mail programs show as one thread,
    // whichever of them arrived first.
    const std::string thread = "<" + IdPart(notice.episode) + ".episode@" + domain + ">";
    header += "In-Reply-To: " + thread + "\r\nReferences: " + thread + "\r\n";
  }
  header += "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
  if (notice.is_incident() && notice.severity == "critical" && !notice.is_resolved()) {
    header += "Importance: high\r\n";
  }
  return header;
}

std::string Part(const std::string& boundary, const char* type, const std::string& text) {
  return "--" + boundary + "\r\nContent-Type: " + type +
         "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
         QuotedPrintable(text) + "\r\n";
}

Verdict JudgeRecipients(const outbound::Response& response) {
  std::string refused;
  bool any_accepted = false;
  bool any_temporary = response.recipients.empty();
  for (const outbound::RecipientReply& reply : response.recipients) {
    if (reply.code >= 200 && reply.code < 300) {
      any_accepted = true;
      continue;
    }
    any_temporary = any_temporary || reply.code < 500;
    refused += (refused.empty() ? "" : "; ") + reply.address + ": " + reply.text;
  }
  if (any_accepted) {
    // Who has it would have it twice if it were sent again.
    return {Outcome::kDelivered, response.code, refused.empty() ? "" : "not to all: " + refused,
            std::nullopt};
  }
  return {any_temporary ? Outcome::kRetry : Outcome::kFailed, response.code,
          refused.empty() ? "the mail server has taken no recipient" : refused, std::nullopt};
}

}  // namespace

outbound::Request RenderEmail(const Delivery& delivery) {
  const nlohmann::json& config = delivery.config;
  MailRequest request;
  request.host = RequiredText(config, "host");
  request.tls = TlsOf(config);
  request.port = OptionalPort(config, "port", DefaultPort(request.tls));
  request.user = OptionalText(config, "user");
  request.password = OptionalText(config, "password");
  request.timeout = Timeout(config);
  if (!request.user.empty() && request.tls == MailTls::kNone && request.host != "localhost" &&
      !request.host.starts_with("127.") && request.host != "::1") {
    throw BadConfig(
        "user and password would be sent for all to read: set \"tls\" of the channel to starttls "
        "or tls");
  }
  const Mailbox from = ParseMailbox(RequiredText(config, "from"), "from");
  request.from = from.address;
  std::vector<Mailbox> to;
  std::set<std::string> known;
  for (const std::string& text : RequiredTexts(config, "to")) {
    Mailbox mailbox = ParseMailbox(text, "to");
    if (known.insert(text::Lower(mailbox.address)).second) {
      request.to.push_back(mailbox.address);
      to.push_back(std::move(mailbox));
    }
  }
  const std::string prefix = OptionalText(config, "subject_prefix");
  const std::string title = (prefix.empty() ? "" : prefix + " ") + delivery.notice.Title();
  const Account account = AccountOf(delivery.notice);
  // Quoted-printable never has "=_".
  const std::string boundary = "=_" + IdPart(delivery.message_id);
  request.message = Header(delivery, from, to, title) +
                    "Content-Type: multipart/alternative;\r\n boundary=\"" + boundary +
                    "\"\r\n\r\n" + Part(boundary, "text/plain", PlainText(title, account)) +
                    Part(boundary, "text/html", Html(title, account)) + "--" + boundary + "--\r\n";
  return request;
}

Verdict JudgeEmail(const outbound::Response& response, Now) {
  if (const auto verdict = JudgeWithoutAnswer(response)) {
    return *verdict;
  }
  bool all_refused = !response.recipients.empty();
  for (const outbound::RecipientReply& reply : response.recipients) {
    all_refused = all_refused && reply.code >= 400;
  }
  if (all_refused || (response.code >= 200 && response.code < 300)) {
    return JudgeRecipients(response);
  }
  // An answer to the message as a whole, to the sender, or to who we are.
  const std::string error = response.body.empty() ? response.error : response.body;
  return {response.code >= 500 ? Outcome::kFailed : Outcome::kRetry, response.code, error,
          std::nullopt};
}

}  // namespace client::channel
