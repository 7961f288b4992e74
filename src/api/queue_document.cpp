#include "api/queue_document.h"

#include <algorithm>
#include <cstring>

#include "api/job_check.h"
#include "api/privilege.h"
#include "api/queue_option.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/table.h"

namespace ratchet::api {
namespace {

struct Column {
  int number;
  Oid type;
};

// In ratchet.queue, of an option that is there.
Column ColumnOf(const QueueOption& option) {
  const pg::TableLayout& table = catalog::kQueueTable;
  for (int i = 0; i < table.count; i++) {
    if (std::strcmp(table.columns[i].name, option.name) == 0) {
      return {i + 1, table.columns[i].type};
    }
  }
  throw pg::Error(ERRCODE_INTERNAL_ERROR,
                  std::string("option ") + option.name + " has no column in ratchet.queue");
}

bool IsOwn(const QueueOption& option) { return option.set != nullptr; }

// The owner is always said: without one, the queue would become that of whoever applies the
// document.
bool IsDefault(const QueueOption& option, const Queue& queue) {
  if (std::strcmp(option.name, "run_as") == 0) {
    return false;
  }
  Queue probe = DefaultQueue();
  CopyQueueOption(option, queue, &probe);
  const Queue defaults = DefaultQueue();
  return probe.job == defaults.job && probe.own == defaults.own;
}

std::string ValueOf(const QueueOption& option, const Queue& queue, const JobColumns& columns) {
  pg::Row row;
  if (IsOwn(option)) {
    const Column column = ColumnOf(option);
    pg::Call([&] { catalog::FillQueue(queue.own, &row); });
    return JsonOf(row, column.number, column.type);
  }
  const JobColumns::Column column = columns.Of(*FindOption(option.name));
  pg::Call([&] { catalog::FillJob(queue.job, &row); });
  return JsonOf(row, column.number, column.type);
}

}  // namespace

std::vector<Queue> QueuesOfCaller() {
  std::vector<catalog::QueueDefinition> all;
  catalog::ScanQueues(
      [](void* argument, const catalog::QueueDefinition& queue) {
        static_cast<std::vector<catalog::QueueDefinition>*>(argument)->push_back(queue);
      },
      &all);
  std::vector<Queue> queues;
  for (const catalog::QueueDefinition& own : all) {
    std::optional<Queue> queue = FindQueue(own.queue_id);
    if (queue && MayManage(queue->job.owner)) {
      queues.push_back(*std::move(queue));
    }
  }
  std::sort(queues.begin(), queues.end(),
            [](const Queue& a, const Queue& b) { return a.name() < b.name(); });
  return queues;
}

JobMembers MembersOf(const Queue& queue, const JobColumns& columns) {
  JobMembers members{{"queue_name", Escaped(queue.name())}};
  if (!queue.job.action.empty()) {
    members.emplace_back("handler", Escaped(queue.job.action));
  }
  for (const QueueOption& option : QueueOptions()) {
    if (IsDefault(option, queue)) {
      continue;
    }
    std::string value = ValueOf(option, queue, columns);
    if (!value.empty()) {
      members.emplace_back(option.name, std::move(value));
    }
  }
  return members;
}

Queue QueueOf(const JobElement& element, const JobColumns& columns) {
  Queue queue = DefaultQueue();
  queue.own.queue_name = element.job_name;
  for (const JsonMember& member : element.members) {
    if (member.key == "handler") {
      queue.job.action = RequireText(RequireString(member), "handler");
      continue;
    }
    const QueueOption* option = FindQueueOption(member.key);
    if (option == nullptr) {
      throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "unknown key \"" + member.key + "\"",
                      "The keys are queue_name, handler, " + QueueOptionNames() + ".");
    }
    const Oid type =
        IsOwn(*option) ? ColumnOf(*option).type : columns.Of(*FindOption(option->name)).type;
    SetQueueOption(*option, ValueOf(element, member, type), &queue);
  }
  return queue;
}

}  // namespace ratchet::api
