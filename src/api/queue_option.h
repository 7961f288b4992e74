// The options of a queue: one table for all functions that take them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "api/argument.h"
#include "api/queue_access.h"

namespace ratchet::api {

// One that has every option at its default.
Queue DefaultQueue();

// An option that a job has as well has no functions of its own here (see api/option.h).
struct QueueOption {
  const char* name;
  // Reads the value; throws when it is not a sensible one.
  void (*set)(catalog::QueueDefinition* queue, Datum value, const char* name);
  // Takes the option over from another definition.
  void (*copy)(catalog::QueueDefinition* to, const catalog::QueueDefinition& from);
};

// All of them, in the order in which people read them.
std::span<const QueueOption> QueueOptions();
const QueueOption* FindQueueOption(const std::string& name);
void SetQueueOption(const QueueOption& option, Datum value, Queue* queue);
void CopyQueueOption(const QueueOption& option, const Queue& from, Queue* to);
// "per, batch_size, …"
std::string QueueOptionNames();

// The options among a call's arguments: they follow each other in the table's order.
class QueueArguments {
 public:
  QueueArguments(const Arguments& arguments, int first) : arguments_(arguments), first_(first) {}

  // Sets those that are not null.
  void SetIn(Queue* queue) const;
  // Gives the options of these names, and "handler", their defaults back. None of them may be given
  // as well.
  void Reset(const std::vector<std::string>& names, Queue* queue) const;
  bool Gives(const char* name) const;
  // The argument behind them.
  int end() const;

 private:
  const Arguments& arguments_;
  int first_;
};

}  // namespace ratchet::api
