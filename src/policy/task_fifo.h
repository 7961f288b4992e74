// Tasks in an order, most of which come in that order.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>

namespace ratchet::policy {

// Those that come in order are linked through their records, which costs no memory and no look-up.
// The few that come before one that is there already (given back, late to commit) are in a tree
// beside it. Links::OrderOf(record) is the order, without two alike; a record has prev, next and
// is_early for us.
template <typename Record, typename Links>
class TaskFifo {
 public:
  using Place = std::uint32_t;
  static constexpr Place kNone = UINT32_MAX;
  using Records = std::deque<Record>;
  using Order = std::pair<std::int64_t, std::int64_t>;

  bool IsEmpty() const { return head_ == kNone && early_ == nullptr; }

  // Of those that came in order; kNone: there is none.
  Place Last() const { return tail_; }

  // kNone: there is none.
  Place First(const Records& records) const {
    if (early_ == nullptr) {
      return head_;
    }
    const auto& [order, place] = *early_->begin();
    return head_ == kNone || order < Links::OrderOf(records[head_]) ? place : head_;
  }

  void Add(Records* records, Place place) {
    Record& record = (*records)[place];
    const Order order = Links::OrderOf(record);
    record.is_early = tail_ != kNone && order < Links::OrderOf((*records)[tail_]);
    if (record.is_early) {
      if (early_ == nullptr) {
        early_ = std::make_unique<std::map<Order, Place>>();
      }
      early_->emplace(order, place);
      return;
    }
    record.prev = tail_;
    record.next = kNone;
    (tail_ == kNone ? head_ : (*records)[tail_].next) = place;
    tail_ = place;
  }

  // What it is ordered by has not changed since it was added.
  void Remove(Records* records, Place place) {
    const Record& record = (*records)[place];
    if (record.is_early) {
      early_->erase(Links::OrderOf(record));
      if (early_->empty()) {
        early_.reset();
      }
      return;
    }
    (record.prev == kNone ? head_ : (*records)[record.prev].next) = record.next;
    (record.next == kNone ? tail_ : (*records)[record.next].prev) = record.prev;
  }

 private:
  Place head_ = kNone;
  Place tail_ = kNone;
  std::unique_ptr<std::map<Order, Place>> early_;  // null: empty
};

}  // namespace ratchet::policy
