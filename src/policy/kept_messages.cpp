#include "policy/kept_messages.h"

#include <algorithm>
#include <new>
#include <utility>

namespace ratchet::policy {
namespace {

// What a message takes beside its texts.
constexpr std::size_t kOverhead = 100;
// Of one text, whatever there is room for.
constexpr std::size_t kMaxText = 8000;

}  // namespace

std::string_view Name(MessageLevel level) {
  switch (level) {
    case MessageLevel::kDebug:
      return "DEBUG";
    case MessageLevel::kLog:
      return "LOG";
    case MessageLevel::kInfo:
      return "INFO";
    case MessageLevel::kNotice:
      return "NOTICE";
    case MessageLevel::kWarning:
      return "WARNING";
  }
  return "";
}

std::size_t Message::bytes() const {
  return kOverhead + text.size() + detail.size() + hint.size() + key.size();
}

// So that a message with all three texts has room in either half.
std::size_t KeptMessages::LongestText(const MessageLimits& limits) {
  const std::size_t half = limits.bytes / 2;
  return half <= kOverhead ? 0 : std::min(kMaxText, (half - kOverhead) / 3);
}

void KeptMessages::Clear() noexcept {
  first_.clear();
  last_.clear();
  first_is_full_ = false;
  first_bytes_ = 0;
  last_bytes_ = 0;
  said_ = 0;
}

std::int64_t KeptMessages::left_out() const {
  return said_ - static_cast<std::int64_t>(first_.size() + last_.size());
}

void KeptMessages::DropOldest() {
  last_bytes_ -= last_.front().bytes();
  last_.pop_front();
}

void KeptMessages::Add(Message message, const MessageLimits& limits) noexcept {
  const auto most_last = static_cast<std::size_t>(limits.count / 2);
  const auto most_first = static_cast<std::size_t>(limits.count) - most_last;
  const std::size_t bytes = message.bytes();
  said_++;
  try {
    if (!first_is_full_ && first_.size() < most_first && first_bytes_ + bytes <= limits.bytes / 2) {
      first_.push_back(std::move(message));
      first_bytes_ += bytes;
      return;
    }
    first_is_full_ = true;
    while (!last_.empty() &&
           (last_.size() >= most_last || last_bytes_ + bytes > limits.bytes / 2)) {
      DropOldest();
    }
    if (most_last > 0 && bytes <= limits.bytes / 2) {
      last_.push_back(std::move(message));
      last_bytes_ += bytes;
      return;
    }
  } catch (const std::bad_alloc&) {
    first_is_full_ = true;
  }
  DropLast();
}

void KeptMessages::LeaveOut() noexcept {
  said_++;
  first_is_full_ = true;
  DropLast();
}

// The last ones are those that were said last, without a gap: their numbers follow from that.
void KeptMessages::DropLast() noexcept {
  last_.clear();
  last_bytes_ = 0;
}

void KeptMessages::TakeBack(std::int64_t since) noexcept {
  VisitSince(since, [](Message* message) { message->rolled_back = true; });
}

void KeptMessages::SetKey(Message* message, std::string key, const MessageLimits& limits) noexcept {
  const bool is_first =
      !first_.empty() && message >= first_.data() && message < first_.data() + first_.size();
  std::size_t& bytes = is_first ? first_bytes_ : last_bytes_;
  if (bytes + key.size() <= limits.bytes / 2) {
    bytes += key.size();
    message->key = std::move(key);
  }
}

}  // namespace ratchet::policy
