#include "policy/watch.h"

#include <charconv>

namespace ratchet::policy {
namespace {

constexpr char kFormat = '1';

TableMark Plus(TableMark mark, const OwnChanges& own) {
  mark.changes += own.changes;
  mark.shape += own.shape;
  return mark;
}

// Reads " <number>" from the front of the text.
template <typename Number>
bool Take(std::string_view* text, Number* number) {
  if (text->empty() || text->front() != ' ') {
    return false;
  }
  const char* end = text->data() + text->size();
  const auto read = std::from_chars(text->data() + 1, end, *number);
  if (read.ec != std::errc()) {
    return false;
  }
  text->remove_prefix(static_cast<std::size_t>(read.ptr - text->data()));
  return true;
}

}  // namespace

std::string TableMark::Encode() const {
  if (!certain) {
    return {};
  }
  return std::string(1, kFormat) + ' ' + std::to_string(server_epoch) + ' ' +
         std::to_string(database_epoch) + ' ' + std::to_string(shape) + ' ' +
         std::to_string(changes);
}

TableMark TableMark::Decode(std::string_view text) {
  TableMark mark;
  if (text.empty() || text.front() != kFormat) {
    return {};
  }
  text.remove_prefix(1);
  mark.certain = Take(&text, &mark.server_epoch) && Take(&text, &mark.database_epoch) &&
                 Take(&text, &mark.shape) && Take(&text, &mark.changes) && text.empty();
  return mark.certain ? mark : TableMark{};
}

// The finalizer of splitmix64, over each word in turn.
std::uint64_t ShapePart(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  std::uint64_t hash = 0;
  for (const std::uint64_t word : {a, b, c}) {
    hash += word + 0x9e3779b97f4a7c15U;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9U;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebU;
    hash ^= hash >> 31;
  }
  return hash;
}

void Watch::Resume(const TableMark& success, RunStatus last_status) {
  success_ = success;
  unsettled_.reset();
  if (last_status != RunStatus::kSucceeded && last_status != RunStatus::kQueued) {
    unsettled_ = success;
  }
}

bool Watch::Changed(const TableMark& now) const {
  return !now.certain || !success_.certain || now.server_epoch != success_.server_epoch ||
         now.database_epoch != success_.database_epoch || now.shape != success_.shape ||
         now.changes != success_.changes;
}

bool Watch::AfterRun(RunStatus status, const std::optional<TableMark>& seen,
                     const OwnChanges& own) {
  if (status == RunStatus::kSkipped) {
    return false;
  }
  if (status != RunStatus::kSucceeded) {
    unsettled_ = seen ? Plus(*seen, own) : unsettled_.value_or(success_);
    return false;
  }
  if (!seen) {
    return false;
  }
  unsettled_.reset();
  success_ = Plus(*seen, own);
  return true;
}

}  // namespace ratchet::policy
