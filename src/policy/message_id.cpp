#include "policy/message_id.h"

namespace ratchet::policy {
namespace {

// Nobody is kept from making one: both servers of a pair must be able to.
constexpr SipKey kLow{0x7261746368657421U, 0x6d65737361676531U};
constexpr SipKey kHigh{0x7261746368657422U, 0x6d65737361676532U};

}  // namespace

MessageIdMaker::MessageIdMaker(std::uint64_t system, std::uint64_t database)
    : low_(kLow), high_(kHigh) {
  Add(static_cast<std::int64_t>(system)).Add(static_cast<std::int64_t>(database));
}

MessageIdMaker& MessageIdMaker::Add(std::string_view part) {
  Add(static_cast<std::int64_t>(part.size()));
  low_.Add(part);
  high_.Add(part);
  return *this;
}

MessageIdMaker& MessageIdMaker::Add(std::int64_t number) {
  low_.AddNumber(static_cast<std::uint64_t>(number));
  high_.AddNumber(static_cast<std::uint64_t>(number));
  return *this;
}

MessageId MessageIdMaker::Make() {
  const std::uint64_t halves[] = {high_.Finish(), low_.Finish()};
  MessageId id{};
  for (std::size_t i = 0; i < id.size(); i++) {
    id[i] = static_cast<unsigned char>(halves[i / 8] >> (56 - 8 * (i % 8)));
  }
  id[6] = static_cast<unsigned char>((id[6] & 0x0f) | 0x80);
  id[8] = static_cast<unsigned char>((id[8] & 0x3f) | 0x80);
  return id;
}

std::string TextOf(const MessageId& id) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < id.size(); i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      text += '-';
    }
    text += kDigits[id[i] >> 4];
    text += kDigits[id[i] & 15];
  }
  return text;
}

}  // namespace ratchet::policy
