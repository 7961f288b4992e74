// Executes the items of a batch slice by slice, each in a subtransaction, so that those which fail
// do so alone: what a walk and a stretch of tasks have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/run_error.h"
#include "catalog/run_messages.h"
#include "pg/guard.h"
#include "policy/error_class.h"
#include "policy/item_isolation.h"

namespace ratchet::batch {

// An item of the batch that failed.
struct Failure {
  int item;
  catalog::RunError error;
  std::string words;      // see policy/error_words.h
  std::string key;        // as JSON
  std::string key_order;  // see catalog::FailedItem
  std::string row;        // as JSON
  std::int64_t item_id;   // of ratchet.failed_item, when it has been saved there
};

// What has been done of a batch.
struct BatchDone {
  int items = 0;                  // so many of the first ones are done or have failed
  std::vector<Failure> failures;  // in the order of the batch; one may lie behind those
  std::int64_t rows = 0;
};

class IsolatedWork {
 public:
  // Whose batch it is.
  class Owner {
   public:
    Owner() = default;
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    virtual ~Owner() = default;

    // Executes items first to first + count - 1. When it throws PgError, *in_hand is the item that
    // it was at: -1 when that is not known. Returns how many rows it has changed.
    virtual std::int64_t Execute(int first, int count, int* in_hand) = 0;
    // What an error of that says.
    virtual policy::ErrorClass ClassOf(const pg::PgError& error);
    // Before each slice: the batch ends behind what is done.
    virtual bool EndsBefore(const BatchDone& done) = 0;
    // An error has ended the batch that is no item's, behind some that are done: whether these are
    // to commit.
    virtual bool CutsShort(policy::ErrorClass what) = 0;
  };

  IsolatedWork() : messages_(catalog::RunMessages::The()) {}
  IsolatedWork(const IsolatedWork&) = delete;
  IsolatedWork& operator=(const IsolatedWork&) = delete;

  // How many items a transaction gets to before it has had its share of savepoints: more of them
  // would be fetched in vain.
  int Reach() const;

  // In a transaction. True when the batch has been cut short. Throws what is no item's fault; what
  // has been done is known then, and must not commit.
  bool Do(int items, Owner& owner, BatchDone* done);

 private:
  void Try(const policy::ItemIsolation::Slice& slice, Owner& owner, BatchDone* done);

  catalog::RunMessages& messages_;
  policy::ItemIsolation isolation_;
  int writing_savepoints_ = 0;
};

}  // namespace ratchet::batch
