#include "policy/data_directory.h"

#include <charconv>
#include <optional>

namespace ratchet::policy {
namespace {

constexpr std::string_view kHead = "pg_ratchet 1";

// Nullopt: the text has no such line.
std::optional<std::string_view> Line(std::string_view* text, std::string_view name) {
  const std::size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  if (end == std::string_view::npos || line.substr(0, name.size()) != name) {
    return std::nullopt;
  }
  text->remove_prefix(end + 1);
  return line.substr(name.size());
}

template <typename Number>
bool Take(std::string_view* text, std::string_view name, Number* number) {
  const auto line = Line(text, name);
  if (!line) {
    return false;
  }
  const auto [end, error] = std::from_chars(line->data(), line->data() + line->size(), *number);
  return error == std::errc() && end == line->data() + line->size();
}

Copy KindOf(const DirectoryMark& mark, const DirectoryFacts& facts) {
  if (facts.standby_signal) {
    return Copy::kNone;  // the server, too, goes by this first
  }
  if (facts.recovery_signal) {
    return Copy::kRestored;
  }
  if (facts.backup_label) {
    return Copy::kBackup;
  }
  if (mark.path.empty() || mark.file == facts.here.file) {
    return Copy::kNone;
  }
  // Files that were copied and are gone where they were have been moved. What is on another machine
  // cannot be seen from here.
  return mark.machine == facts.here.machine && !facts.original_is_there ? Copy::kNone
                                                                        : Copy::kDirectory;
}

}  // namespace

std::string DirectoryMark::Encode() const {
  std::string text(kHead);
  text += "\nfile " + std::to_string(file);
  text += "\ncopy_id " + std::to_string(copy_id);
  text += "\ncopy " + std::to_string(static_cast<int>(copy));
  text += "\nmachine " + machine;
  text += "\npath " + path;  // the last one: a path may contain anything
  return text + '\n';
}

DirectoryMark DirectoryMark::Decode(std::string_view text) {
  DirectoryMark mark;
  int copy = 0;
  const bool begins = Line(&text, kHead).has_value() && Take(&text, "file ", &mark.file) &&
                      Take(&text, "copy_id ", &mark.copy_id) && Take(&text, "copy ", &copy);
  const auto machine = begins ? Line(&text, "machine ") : std::nullopt;
  constexpr std::string_view kPath = "path ";
  if (!machine || text.substr(0, kPath.size()) != kPath || text.back() != '\n' || copy < 0 ||
      copy > static_cast<int>(Copy::kDirectory)) {
    return {};
  }
  mark.copy = static_cast<Copy>(copy);
  mark.machine = *machine;
  text.remove_prefix(kPath.size());
  text.remove_suffix(1);
  mark.path = text;
  return mark;
}

DirectoryMark Examine(const DirectoryMark& mark, const DirectoryFacts& facts) {
  DirectoryMark now = facts.here;
  now.copy_id = mark.copy_id;
  now.copy = mark.copy;
  const Copy kind = KindOf(mark, facts);
  if (kind != Copy::kNone) {
    now.copy = kind;
    now.copy_id = facts.new_id;
  }
  return now;
}

}  // namespace ratchet::policy
