#include "batch/supply.h"

#include <charconv>

#include "batch/in_the_way.h"
#include "catalog/checkpoint.h"
#include "pg/guard.h"

namespace ratchet::batch {
namespace {

catalog::FailedItem FailedItemOf(const Failure& failure, const board::RunTicket& ticket,
                                 const std::string& job_name) {
  catalog::FailedItem item;
  item.job_id = ticket.job_id;
  item.run_id = ticket.run_id;
  item.owner = ticket.owner;
  item.job_name = job_name;
  item.key = failure.key;
  item.key_order = failure.key_order;
  item.item = failure.row;
  item.error = failure.error;
  return item;
}

class SourceSupply : public Supply {
 public:
  SourceSupply(Source& source, const ItemText& text, std::string until,
               const board::RunTicket& ticket, const std::string& job_name)
      : source_(source),
        text_(text),
        until_(std::move(until)),
        ticket_(ticket),
        job_name_(job_name),
        may_have_failed_before_(catalog::HasFailedItems(ticket.job_id)) {}

  void Fetch(const std::string& at, int limit, Items* items, bool* more) override {
    source_.Fetch(at, until_, limit, items, more);
  }

  std::string PositionBehind(const Items& items, int handled, const std::string& at) override {
    return handled == 0 ? at : text_.KeyOf(items, handled - 1);
  }

  void Save(const Items& /*items*/, int /*handled*/, std::vector<Failure>& failures) override {
    for (Failure& failure : failures) {
      catalog::FailedItem item = FailedItemOf(failure, ticket_, job_name_);
      catalog::InsertFailedItem(&item, may_have_failed_before_);
      failure.item_id = item.item_id;
    }
  }

  double Estimate(const std::string& at) override { return source_.Estimate(at, until_); }

  std::string Translate(Key& key, const std::string& signature, const std::string& at) override {
    const std::string what = "the checkpoint of job \"" + job_name_ + "\"";
    const std::string hint = catalog::EndsWithItsRun(ticket_.walk) ? TriggerHint(job_name_)
                                                                   : ResetCheckpointHint(job_name_);
    until_ = key.Translate(until_, signature, what, hint);
    key.MakeRoomFor(until_);
    std::string translated = key.Translate(at, signature, what, hint);
    key.MakeRoomFor(translated);
    return translated;
  }

 private:
  Source& source_;
  const ItemText& text_;
  std::string until_;
  const board::RunTicket& ticket_;
  const std::string& job_name_;
  bool may_have_failed_before_;  // items of this job, when the run began
};

// Its positions are ids of failed items.
class FailedItemSupply : public Supply {
 public:
  FailedItemSupply(Source& source, const Key& key, std::string signature,
                   const board::RunTicket& ticket, const std::string& job_name)
      : source_(source),
        key_(key),
        signature_(std::move(signature)),
        ticket_(ticket),
        job_name_(job_name) {}

  // The items as they are now: they have been mended, it is to be hoped. What the source does not
  // have any more needs nothing to be done.
  void Fetch(const std::string& at, int limit, Items* items, bool* more) override {
    if (!catalog::HoldFailedItems(ticket_.items_of, IdIn(at), limit, &failed_, more)) {
      throw InTheWay("failed items of run " + std::to_string(ticket_.items_of) +
                     " are in the hands of another transaction");
    }
    items->Clear();
    gone_.clear();
    for (const catalog::FailedItem& item : failed_) {
      const std::string key = key_.Translate(
          item.key, item.key_order.empty() ? signature_ : item.key_order,
          "a failed item of run " + std::to_string(ticket_.items_of), TriggerHint(job_name_));
      if (key_.CanHave(key) && source_.FetchOne(key, items)) {
        items->failed_of.push_back(item.item_id);
      } else {
        gone_.push_back(item.item_id);
      }
    }
  }

  std::string PositionBehind(const Items& items, int handled, const std::string& at) override {
    const std::int64_t last = LastHandled(items, handled);
    return last == 0 ? at : "{\"item_id\": " + std::to_string(last) + "}";
  }

  void Save(const Items& items, int handled, std::vector<Failure>& failures) override {
    std::size_t next_failure = 0;
    for (int i = 0; i < handled; i++) {
      const std::int64_t id = items.failed_of[static_cast<std::size_t>(i)];
      if (next_failure < failures.size() && failures[next_failure].item == i) {
        catalog::FailItemAgain(ticket_.items_of, id,
                               FailedItemOf(failures[next_failure++], ticket_, job_name_));
      } else {
        catalog::ResolveFailedItem(ticket_.items_of, id, ticket_.run_id);
      }
    }
    for (const std::int64_t id : gone_) {
      if (id <= LastHandled(items, handled)) {
        catalog::ResolveFailedItem(ticket_.items_of, id, ticket_.run_id);
      }
    }
  }

  double Estimate(const std::string& /*at*/) override {
    return static_cast<double>(catalog::CountFailedItems(ticket_.items_of));
  }

  // Its positions are no keys, and each key is translated when its turn has come.
  std::string Translate(Key& /*key*/, const std::string& /*signature*/,
                        const std::string& at) override {
    return at;
  }

 private:
  static std::int64_t IdIn(const std::string& at) {
    std::int64_t id = 0;
    const std::size_t digits = at.find_first_of("0123456789");
    if (digits != std::string::npos) {
      std::from_chars(at.data() + digits, at.data() + at.size(), id);
    }
    return id;
  }

  // 0: none.
  std::int64_t LastHandled(const Items& items, int handled) const {
    if (handled == items.size()) {
      return failed_.empty() ? 0 : failed_.back().item_id;
    }
    return handled == 0 ? 0 : items.failed_of[static_cast<std::size_t>(handled - 1)];
  }

  Source& source_;
  const Key& key_;
  const std::string signature_;
  const board::RunTicket& ticket_;
  const std::string& job_name_;
  std::vector<catalog::FailedItem> failed_;
  std::vector<std::int64_t> gone_;
};

}  // namespace

std::unique_ptr<Supply> FromSource(Source& source, const ItemText& text, std::string until,
                                   const board::RunTicket& ticket, const std::string& job_name) {
  return std::make_unique<SourceSupply>(source, text, std::move(until), ticket, job_name);
}

std::unique_ptr<Supply> FromFailedItems(Source& source, const Key& key, std::string signature,
                                        const board::RunTicket& ticket,
                                        const std::string& job_name) {
  return std::make_unique<FailedItemSupply>(source, key, std::move(signature), ticket, job_name);
}

namespace {

std::string Quoted(const std::string& text) {
  std::string quoted;
  pg::Call([&] { quoted = quote_literal_cstr(text.c_str()); });
  return quoted;
}

}  // namespace

std::string ResetCheckpointHint(const std::string& job_name) {
  return "Use ratchet.reset_checkpoint(" + Quoted(job_name) +
         ") to let the job begin at the start.";
}

std::string TriggerHint(const std::string& job_name) {
  return "Use ratchet.trigger(" + Quoted(job_name) + ") for a run of what the source has now.";
}

}  // namespace ratchet::batch
