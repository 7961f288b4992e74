#include "board/message_board.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

extern "C" {
#include "mb/pg_wchar.h"
}

namespace ratchet::board {
namespace {

// Before the text of each.
struct Header {
  std::int64_t at;
  std::int64_t batch;
  std::int32_t sqlstate;
  std::uint16_t length;
  policy::MessageLevel level;
  bool cut;
};
static_assert(std::is_trivially_copyable_v<Header>);

constexpr std::size_t kRoom = sizeof(LastMessages::bytes);
// Of one text, so that there is room for some.
constexpr int kLongest = 200;
static_assert(sizeof(Header) + kLongest <= kRoom);

// How often a reader tries when he always comes while it is being changed.
constexpr int kTries = 100;

std::uint32_t Changes(const LastMessages& messages) {
  return *const_cast<const volatile std::uint32_t*>(&messages.changes);
}

Header HeaderAt(const LastMessages& messages, std::size_t offset) {
  Header header;
  std::memcpy(&header, messages.bytes + offset, sizeof(header));
  return header;
}

void MakeRoom(LastMessages* messages, std::size_t bytes) {
  std::size_t from = 0;
  while (messages->used - from + bytes > kRoom) {
    from += sizeof(Header) + HeaderAt(*messages, from).length;
    messages->before++;
  }
  if (from > 0) {
    messages->used -= static_cast<std::uint32_t>(from);
    std::memmove(messages->bytes, messages->bytes + from, messages->used);
  }
}

bool CopyUnchanged(const RunSlot& run, std::int64_t run_id, LastMessages* copy) {
  for (int i = 0; i < kTries; i++) {
    const std::uint32_t changes = Changes(run.messages);
    pg_read_barrier();
    *copy = run.messages;
    const bool is_same_run = run.ticket.run_id == run_id;
    pg_read_barrier();
    if (changes % 2 == 0 && changes == Changes(run.messages)) {
      return is_same_run;
    }
  }
  return false;
}

}  // namespace

void ShowMessage(int slot, const policy::Message& message) noexcept {
  LastMessages& messages = Runs()[slot].messages;
  const char* text = message.text.c_str();
  const int length = pg_mbcliplen(text, static_cast<int>(message.text.size()), kLongest);
  Header header{};
  header.at = message.at;
  header.batch = message.batch;
  header.sqlstate = message.sqlstate;
  header.length = static_cast<std::uint16_t>(length);
  header.level = message.level;
  header.cut = message.cut || message.text.size() > header.length;

  messages.changes++;
  pg_write_barrier();
  MakeRoom(&messages, sizeof(header) + header.length);
  char* to = messages.bytes + messages.used;
  std::memcpy(to, &header, sizeof(header));
  std::memcpy(to + sizeof(header), text, header.length);
  messages.used += static_cast<std::uint32_t>(sizeof(header)) + header.length;
  pg_write_barrier();
  messages.changes++;
}

LiveMessages MessagesOf(int slot, std::int64_t run_id) {
  LiveMessages live;
  LastMessages copy;
  if (!CopyUnchanged(Runs()[slot], run_id, &copy)) {
    return live;
  }
  live.before = copy.before;
  for (std::size_t offset = 0; offset + sizeof(Header) <= copy.used;) {
    const Header header = HeaderAt(copy, offset);
    offset += sizeof(Header);
    policy::Message& message = live.messages.emplace_back();
    message.level = header.level;
    message.sqlstate = header.sqlstate;
    message.at = header.at;
    message.batch = header.batch;
    message.cut = header.cut;
    message.text.assign(copy.bytes + offset, header.length);
    offset += header.length;
  }
  return live;
}

void ForgetMessages(LastMessages* messages) noexcept {
  messages->changes++;
  pg_write_barrier();
  messages->used = 0;
  messages->before = 0;
  pg_write_barrier();
  messages->changes++;
}

}  // namespace ratchet::board
