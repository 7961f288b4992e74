// Which texts can be addresses, hosts, URLs and headers. None of them has a control character in
// it, so that what is put into a mail or a request stays in its line.
#pragma once

#include <string>
#include <string_view>

namespace ratchet::policy {

bool HasControl(std::string_view text);
bool IsHost(std::string_view host);
bool IsPort(std::string_view port);
// Of a mailbox, alone: ops@example.org.
bool IsAddress(std::string_view address);
// Why it cannot be the URL of a request; empty: it can.
std::string WhyNoUrl(std::string_view url);

// Letters, digits, _ and -: it is the name of a file, too.
bool IsSecretName(std::string_view name);
bool IsHeaderName(std::string_view name);
// By its name, what it has is for nobody's eyes.
bool IsSecretHeader(std::string_view name);
// The request has it from elsewhere.
bool IsOwnHeader(std::string_view name);

}  // namespace ratchet::policy
