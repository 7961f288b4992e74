// What the run in hand of this process says, for the column "messages" of ratchet.run_log, and the
// last of it on the board. A run that says nothing costs nothing.
#pragma once

#include <cstdint>
#include <string>

#include "board/message_board.h"
#include "pg/listener.h"
#include "policy/kept_messages.h"

namespace ratchet::catalog {

class RunMessages {
 public:
  static RunMessages& The();

  // From here on to Finish, what the server tells the client is said by the run. Throws PgError.
  void Begin(int slot);
  // Once the settings of the job are known: where it keeps none, the server need not make them up.
  void EndIfNotWanted() noexcept;
  // Returns all of it as a JSON array, valid in the encoding of the database; empty when nothing
  // was said. May be called again.
  std::string Finish() noexcept;

  // ---- Of a batch job
  // What is said from now on belongs to the batch.
  void BeginBatch(std::int64_t batch) noexcept;
  // *in_hand is the position in the batch of the item in hand, or less than 0; null: there is none.
  void SetItemInHand(const int* in_hand) noexcept { in_hand_ = in_hand; }
  // What this part of a batch, or the batch, has said was rolled back with it.
  std::int64_t said() const { return kept_.said(); }
  void TakeBack(std::int64_t since) noexcept { kept_.TakeBack(since); }
  void TakeBatchBack() noexcept { kept_.TakeBack(batch_begins_); }
  // Calls key_of(position), which returns the key as JSON, for the items of the batch with which
  // something was said.
  template <typename KeyOf>
  void NameItems(KeyOf key_of) {
    kept_.VisitSince(batch_begins_, [&](policy::Message* message) {
      if (message->item >= 0) {
        kept_.SetKey(message, key_of(message->item), Limits());
        message->item = -1;
      }
    });
  }

 private:
  RunMessages() = default;
  static policy::MessageLimits Limits();
  static void Hear(const pg::HeardMessage& heard) noexcept;
  policy::Message MessageOf(const pg::HeardMessage& heard) const;

  policy::KeptMessages kept_;
  int slot_ = board::kNone;
  std::int64_t batch_ = 0;
  std::int64_t batch_begins_ = 0;
  const int* in_hand_ = nullptr;
};

// The same for what is on the board.
std::string AsJson(const board::LiveMessages& live) noexcept;

}  // namespace ratchet::catalog
