// When so many items in a row fail in the same words that it cannot be the items.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ratchet::policy {

// A target that takes no more rows, a quota that is used up, a table of rates that is empty: such
// an error hits every item from some moment on, and a walk that set all of them aside would pass
// healthy items, an incremental one for good.
//
// Bad items come in regions, so that a few alike in a row say nothing. What says something is a
// whole batch, with all that comes before it some dozens at least; and with batches of any size, so
// many that nobody wants to look through them. Nothing between them may have gone well.
class Brake {
 public:
  // From so many on, also within a batch.
  static constexpr int kSure = 1000;

  // least: so many in a row; 0: never.
  explicit Brake(int least) : least_(least) {}

  // An item of the batch in hand that has failed. They come in order.
  struct Failed {
    int item;
    const std::string* words;
  };

  struct Look {
    // The position in the batch from which on all that was handled has failed in the same words;
    // the number of items that were handled, if the last one was done.
    int begin;
    std::int64_t length;  // of the row of failures, with those of earlier batches
    bool joins_earlier;   // it began in an earlier batch
    bool stops;           // the run is to end
  };
  // At the batch in hand, of which the first `handled` items are done or have failed. whole: there
  // are no others in it.
  Look LookAt(const std::vector<Failed>& failed, int handled, bool whole) const;

  // The batch is committed, with its failures set aside.
  void Committed(const std::vector<Failed>& failed, int handled, const Look& look);

  // So many failures of one batch, side by side, are worth a look in the middle of it.
  std::size_t sure() const {
    return least_ == 0 ? SIZE_MAX : static_cast<std::size_t>(std::max<std::int64_t>(least_, kSure));
  }
  // Failures of earlier batches that nothing has followed which went well.
  std::int64_t earlier() const { return earlier_; }

 private:
  std::int64_t least_;
  std::int64_t earlier_ = 0;
  std::string words_;
};

}  // namespace ratchet::policy
