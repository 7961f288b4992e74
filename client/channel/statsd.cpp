#include <array>
#include <cstdint>
#include <cstdio>

#include "channel/config.h"
#include "channel/kinds.h"
#include "text/plain.h"

namespace client::channel {

namespace {

// What fits into one packet of Ethernet.
constexpr std::size_t kLongestDatagram = 1432;
constexpr std::size_t kLongestName = 80;
constexpr std::size_t kLongestTag = 200;  // that is DogStatsD's
constexpr int kPort = 8125;

std::uint32_t Hash(std::string_view text) {  // FNV-1a
  std::uint32_t hash = 2166136261;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
  }
  return hash;
}

// Part of a metric's name. StatsD drops or misreads ":", "|", "@", "#" and ".", so that two jobs
// would count as one: a name that has to be changed gets a mark of what it was.
std::string NamePart(const std::string& name) {
  std::string part;
  for (const char c : name) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-';
    part += kept ? c : '_';
  }
  if (part == name && part.size() <= kLongestName) {
    return part;
  }
  std::array<char, 16> mark{};
  std::snprintf(mark.data(), mark.size(), "_%08x", Hash(name));
  return part.substr(0, kLongestName) + mark.data();
}

// A prefix may have dots.
std::string Prefix(const std::string& prefix) {
  std::string parts;
  for (std::size_t begin = 0; begin <= prefix.size();) {
    const std::size_t end = std::min(prefix.find('.', begin), prefix.size());
    if (end > begin) {
      parts += NamePart(prefix.substr(begin, end - begin)) + ".";
    }
    begin = end + 1;
  }
  return parts;
}

std::string Tag(const std::string& text) {
  std::string tag;
  for (const char c : text::OneLine(text)) {
    tag += c == ',' || c == '|' || c == '#' ? '_' : c;
  }
  return text::Shortened(tag, kLongestTag);
}

class Lines {
 public:
  explicit Lines(const Delivery& delivery)
      : config_(delivery.config),
        prefix_(Prefix(OptionalText(delivery.config, "prefix", "ratchet"))),
        dogstatsd_(OptionalFlag(delivery.config, "dogstatsd")) {
    for (const auto& [name, value] : OptionalPairs(config_, "tags")) {
      AddTag(name, value);
    }
    AddTag("database", delivery.notice.database);
    AddTag("cluster", delivery.notice.cluster);
    AddTag("environment", delivery.notice.environment);
  }

  bool dogstatsd() const { return dogstatsd_; }

  // Of a job, queue or alert: in the name, or for DogStatsD as a tag.
  void Metric(const char* of, const std::string& name, const char* what,
              const std::string& value_and_type) {
    std::string line = prefix_ + of + ".";
    line += dogstatsd_ || name.empty() ? "" : NamePart(name) + ".";
    line += what + (":" + value_and_type);
    Add(line + Tags(of, name));
  }

  // An event's text may have line breaks, as "\\n".
  void Event(const std::string& title, const std::string& text, const char* kind) {
    const std::string shown = text::Shortened(Escaped(text), kLongestDatagram - 600);
    const std::string name = text::Shortened(title, 100);
    Add("_e{" + std::to_string(name.size()) + "," + std::to_string(shown.size()) + "}:" + name +
        "|" + shown + "|t:" + kind + Tags("", ""));
  }

  std::vector<std::string> Datagrams() const {
    std::vector<std::string> datagrams;
    for (const std::string& line : lines_) {
      if (datagrams.empty() || datagrams.back().size() + 1 + line.size() > kLongestDatagram) {
        datagrams.push_back(line);
      } else {
        datagrams.back() += "\n" + line;
      }
    }
    return datagrams;
  }

 private:
  static std::string Escaped(const std::string& text) {
    std::string escaped;
    for (const char c : text::Lines(text)) {
      escaped += c == '\n' ? "\\n" : std::string(1, c);
    }
    return escaped;
  }

  void AddTag(const std::string& name, const std::string& value) {
    if (!value.empty()) {
      tags_ += (tags_.empty() ? "" : ",") + Tag(name + ":" + value);
    }
  }

  std::string Tags(const std::string& of, const std::string& name) const {
    if (!dogstatsd_) {
      return {};
    }
    std::string tags = tags_;
    if (!name.empty()) {
      tags += (tags.empty() ? "" : ",") + Tag(of + ":" + name);
    }
    return tags.empty() ? tags : "|#" + tags;
  }

  // What is longer than a packet would be lost on its way: the tags go first.
  void Add(const std::string& line) {
    const bool fits = line.size() <= kLongestDatagram;
    lines_.push_back(fits ? line : line.substr(0, line.rfind("|#")));
  }

  const nlohmann::json& config_;
  std::string prefix_;
  bool dogstatsd_;
  std::string tags_;
  std::vector<std::string> lines_;
};

void AddHeartbeat(Lines& lines, const Notice& notice) {
  lines.Metric("job", notice.job, NamePart(notice.notice).c_str(), "1|c");
  if (notice.duration_s && *notice.duration_s >= 0) {
    const auto milliseconds = static_cast<long long>(*notice.duration_s * 1000);
    lines.Metric("job", notice.job, "duration", std::to_string(milliseconds) + "|ms");
  }
}

void AddIncidents(Lines& lines, const Notice& notice) {
  lines.Metric("alert", notice.alert, NamePart(notice.notice).c_str(), "1|c");
  for (const Incident& incident : notice.incidents) {
    const bool of_job = !incident.job.empty();
    const std::string& name = of_job ? incident.job : incident.queue;
    if (name.empty() || incident.event.empty()) {
      continue;
    }
    lines.Metric(of_job ? "job" : "queue", name, NamePart(incident.event).c_str(), "1|c");
    if (of_job && incident.failures_in_a_row >= 0) {
      lines.Metric("job", name, "failures_in_a_row",
                   std::to_string(incident.failures_in_a_row) + "|g");
    }
  }
}

}  // namespace

outbound::Request RenderStatsd(const Delivery& delivery) {
  const Notice& notice = delivery.notice;
  Lines lines(delivery);
  if (notice.is_heartbeat()) {
    AddHeartbeat(lines, notice);
  } else if (notice.is_incident()) {
    AddIncidents(lines, notice);
  } else {
    lines.Metric("messages", "", NamePart(notice.notice.empty() ? "send" : notice.notice).c_str(),
                 "1|c");
  }
  if (lines.dogstatsd() && !notice.is_heartbeat()) {
    const char* kind = notice.is_resolved()                                 ? "success"
                       : !notice.is_incident() || notice.severity == "info" ? "info"
                       : notice.severity == "warning"                       ? "warning"
                                                                            : "error";
    lines.Event(notice.Title(),
                notice.incidents.empty() ? notice.body : notice.incidents.front().error, kind);
  }
  outbound::DatagramRequest request;
  request.host = OptionalText(delivery.config, "host", "localhost");
  request.port = OptionalPort(delivery.config, "port", kPort);
  request.timeout = Timeout(delivery.config);
  request.datagrams = lines.Datagrams();
  return request;
}

// Nobody says that a datagram has arrived.
Verdict JudgeDatagrams(const outbound::Response& response, Now) {
  if (const auto verdict = JudgeWithoutAnswer(response)) {
    return *verdict;
  }
  return {Outcome::kDelivered, std::nullopt, {}, std::nullopt};
}

}  // namespace client::channel
