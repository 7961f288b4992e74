// What a run says, as much of it as is kept: the first messages and the last ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace ratchet::policy {

enum class MessageLevel : std::uint8_t { kDebug, kLog, kInfo, kNotice, kWarning };
std::string_view Name(MessageLevel level);

struct Message {
  MessageLevel level = MessageLevel::kNotice;
  int sqlstate = 0;  // as the server packs it
  std::int64_t at = 0;
  std::string text;
  std::string detail;
  std::string hint;
  bool cut = false;        // there was more of these texts
  std::int64_t batch = 0;  // of a batch job, counted from 1; 0: none
  int item = -1;           // the position in its batch of the item that was in hand; -1: unknown
  std::string key;         // of that item, as JSON
  bool rolled_back = false;

  std::size_t bytes() const;
};

struct MessageLimits {
  int count;
  std::size_t bytes;
};

// Half of what may be kept is for the first messages and half for the last ones: what came in
// between is left out. Nothing here throws: a message for which there is no memory is left out.
class KeptMessages {
 public:
  void Clear() noexcept;
  // Texts are not longer than LongestText(limits).
  void Add(Message message, const MessageLimits& limits) noexcept;
  static std::size_t LongestText(const MessageLimits& limits);
  // One of which nothing is known but that it was said.
  void LeaveOut() noexcept;

  // How many there were; a message's number is how many there were before it.
  std::int64_t said() const { return said_; }
  std::int64_t left_out() const;

  // What was said since then was said by work that is taken back.
  void TakeBack(std::int64_t since) noexcept;

  // The key of the item goes with the message if there is room for it.
  void SetKey(Message* message, std::string key, const MessageLimits& limits) noexcept;

  // In the order in which they were said; gap(n) is called where n were left out.
  template <typename Each, typename Gap>
  void Visit(Each each, Gap gap) const {
    for (const Message& message : first_) {
      each(message);
    }
    if (left_out() > 0) {
      gap(left_out());
    }
    for (const Message& message : last_) {
      each(message);
    }
  }
  // Those that are kept of what was said since then.
  template <typename Each>
  void VisitSince(std::int64_t since, Each each) {
    for (std::size_t i = 0; i < first_.size(); i++) {
      if (static_cast<std::int64_t>(i) >= since) {
        each(&first_[i]);
      }
    }
    std::int64_t number = said_ - static_cast<std::int64_t>(last_.size());
    for (Message& message : last_) {
      if (number++ >= since) {
        each(&message);
      }
    }
  }

 private:
  void DropOldest();
  void DropLast() noexcept;

  std::vector<Message> first_;
  std::deque<Message> last_;
  bool first_is_full_ = false;
  std::size_t first_bytes_ = 0;
  std::size_t last_bytes_ = 0;
  std::int64_t said_ = 0;
};

}  // namespace ratchet::policy
