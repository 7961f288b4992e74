// ratchet.failed_item: items of batch jobs that failed alone.
//
// A row is inserted by the run in which the item failed. Later it is changed by whoever has done
// the item: a run of failed items, which holds the rows of its batch from the moment at which it
// reads them, so that nobody else does the same items meanwhile; or a complete walk, which leaves
// to such a run what that has in hand. An item that is resolved stays so. The scheduler deletes the
// rows together with the run's record, unless somebody has one in hand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/run_log.h"

namespace ratchet::catalog {

struct FailedItem {
  std::int64_t item_id = 0;  // filled in by InsertFailedItem
  std::int64_t job_id = 0;
  std::int64_t run_id = 0;
  Oid owner = InvalidOid;
  std::string job_name;
  std::string key;        // jsonb as text
  std::string item;       // jsonb as text
  std::string key_order;  // under which the key was written; empty: any that its run had
  RunError error;         // its context and hint are not kept
  std::int32_t attempts = 1;
};

// In the transaction of the batch. Counts earlier failures of the same item that are not resolved
// into its attempts, if there may be any.
void InsertFailedItem(FailedItem* item, bool may_have_failed_before);
// The item has failed again, in a run that does failed items only.
void FailItemAgain(std::int64_t run_id, std::int64_t item_id, const FailedItem& again);
// It is done, or is no longer there.
void ResolveFailedItem(std::int64_t run_id, std::int64_t item_id, std::int64_t resolved_by);

// Up to `limit` unresolved items of the run behind this item_id, in their order. Of each only
// item_id, key, key_order and attempts. They are locked until the transaction ends. *more: there
// are others behind them. False when another transaction has one of them in hand.
bool HoldFailedItems(std::int64_t run_id, std::int64_t after, int limit,
                     std::vector<FailedItem>* items, bool* more);
// So that what is written in the transaction waits for nobody. False when somebody is in the way.
bool HoldFailedItemTable();
// Whether some item of the job is not resolved.
bool HasFailedItems(std::int64_t job_id);
// How many items of the run are not resolved.
std::int64_t CountFailedItems(std::int64_t run_id);

// Resolves up to `limit` items of the job that earlier runs than `run_id` left; returns how many:
// a walk that is complete has come to all of them again. Not to those of runs with another payload:
// `walk` is WalkOfPayload() of that which its own runs were given, or 0.
int ResolveEarlierItems(std::int64_t job_id, std::int64_t run_id, std::int64_t walk, int limit);

// They have not failed for themselves. What somebody else has in hand stays.
void TakeBackFailedItems(std::int64_t run_id, const std::vector<std::int64_t>& item_ids);

// With the record of their run. False when not all of them could be deleted, as another transaction
// has one in hand.
bool DeleteFailedItems(std::int64_t run_id);

}  // namespace ratchet::catalog
