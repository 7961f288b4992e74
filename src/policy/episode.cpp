#include "policy/episode.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace ratchet::policy {
namespace {

// Of the last 20 results, so many changes are flapping, and so many good ones in a row its end.
constexpr int kResults = 20;
constexpr int kChanges = 4;
constexpr int kGoodInARow = 4;
constexpr std::uint32_t kMask = (1U << kResults) - 1;

// A group waits for as long as others join it, but not for ever.
constexpr std::int64_t kLongestWaits = 4;

// Keys whose results are remembered without an incident.
constexpr std::size_t kMostRemembered = 10'000;

bool Flaps(std::uint32_t recent) {
  return std::popcount((recent ^ (recent >> 1)) & (kMask >> 1)) >= kChanges;
}

bool IsTold(const Incident* incident) { return incident->notices > 0; }

}  // namespace

const char* Name(NoticeKind kind) {
  constexpr const char* kNames[] = {"opened", "reminder", "resolved", "flapping"};
  return kNames[static_cast<int>(kind)];
}

// What is said in one look.
struct Episodes::Speech {
  std::int64_t now;
  const SilencedUntil* silenced;
  std::vector<Notice> notices;

  bool IsSilenced(const Incident& incident, std::int64_t* look) const {
    const std::int64_t until = (*silenced)(incident);
    if (until > now) {
      *look = std::min(*look, until);
    }
    return until > now;
  }
};

void Episodes::Load(Incident incident) {
  if (incident.closed) {
    remembered_[incident.key] = incident.recent;
    return;
  }
  next_look_ = 0;
  incidents_[incident.key] = std::move(incident);
}

Incident* Episodes::Find(const std::string& key) {
  const auto found = incidents_.find(key);
  return found != incidents_.end() ? &found->second : nullptr;
}

void Episodes::LookAt(std::int64_t at) { next_look_ = std::min(next_look_, at); }

// Incidents that begin while a group waits to be told of join it. The names of episodes differ.
std::int64_t Episodes::EpisodeFor(std::int64_t now) const {
  std::int64_t name = now;
  bool is_taken = true;
  while (is_taken) {
    is_taken = false;
    for (const auto& [key, incident] : incidents_) {
      if (!IsTold(&incident)) {
        return incident.episode_at;
      }
      is_taken = is_taken || incident.episode_at == name;
    }
    name += is_taken ? 1 : 0;
  }
  return name;
}

void Episodes::NoteResult(Incident* incident, bool is_bad) {
  incident->recent = ((incident->recent << 1) | (is_bad ? 1U : 0U)) & kMask;
  incident->good_in_a_row = is_bad ? 0 : incident->good_in_a_row + 1;
  if (!incident->flapping && !incident->is_point && Flaps(incident->recent)) {
    incident->flapping = true;
    incident->flapping_told = false;
  }
  Touch(incident);
  LookAt(0);
}

Incident* Episodes::Bad(const std::string& key, std::int64_t now, bool is_point) {
  Incident* incident = Find(key);
  if (incident == nullptr) {
    Incident opened;
    opened.key = key;
    opened.is_point = is_point;
    opened.opened_at = now;
    opened.episode_at = EpisodeFor(now);
    const auto remembered = remembered_.find(key);
    if (remembered != remembered_.end()) {
      opened.recent = remembered->second;
      remembered_.erase(remembered);
    }
    incident = &(incidents_[key] = std::move(opened));
  }
  incident->last_at = now;
  incident->resolved_at = is_point ? now : 0;
  incident->occurrences++;
  NoteResult(incident, true);
  return incident;
}

Incident* Episodes::Good(const std::string& key, std::int64_t now) {
  Incident* incident = Find(key);
  if (incident == nullptr) {
    const auto remembered = remembered_.find(key);
    if (remembered != remembered_.end()) {
      remembered->second = (remembered->second << 1) & kMask;
      if (remembered->second == 0) {
        remembered_.erase(remembered);
      }
    }
    return nullptr;
  }
  if (!incident->is_open()) {
    return incident;
  }
  NoteResult(incident, false);
  if (incident->flapping && incident->good_in_a_row < kGoodInARow) {
    return incident;
  }
  incident->resolved_at = now;
  return incident;
}

void Episodes::Forget(const std::string& key, std::int64_t now) {
  Incident* incident = Find(key);
  if (incident != nullptr) {
    incident->resolved_at = incident->is_open() ? now : incident->resolved_at;
    Close(incident);
  }
  remembered_.erase(key);
}

void Episodes::Close(Incident* incident) {
  incident->closed = true;
  if (!incident->is_point && remembered_.size() < kMostRemembered) {
    remembered_[incident->key] = incident->recent;
  }
  const std::string key = incident->key;
  closed_.push_back(std::move(*incident));
  incidents_.erase(key);
  changed_.erase(key);
}

std::vector<Notice> Episodes::Take(std::int64_t now, const SilencedUntil& silenced) {
  if (now < next_look_) {
    return {};
  }
  next_look_ = INT64_MAX;
  // What was over before anybody was told of it.
  std::vector<Incident*> blips;
  for (auto& [key, incident] : incidents_) {
    if (!IsTold(&incident) && !incident.is_open() && !incident.is_point) {
      blips.push_back(&incident);
    }
  }
  for (Incident* blip : blips) {
    Close(blip);
  }
  std::map<std::int64_t, Group> groups;
  for (auto& [key, incident] : incidents_) {
    groups[incident.episode_at].push_back(&incident);
  }
  Speech speech{now, &silenced, {}};
  for (const auto& [episode, group] : groups) {
    SpeakOf(episode, group, &speech);
  }
  return std::move(speech.notices);
}

void Episodes::SpeakOf(std::int64_t /*episode*/, const Group& group, Speech* speech) {
  if (std::none_of(group.begin(), group.end(), IsTold)) {
    Open(group, speech);
    return;
  }
  Flap(group, speech);
  if (std::none_of(group.begin(), group.end(), [](const Incident* i) { return i->is_open(); })) {
    Resolve(group, speech);
  } else {
    Remind(group, speech);
  }
}

void Episodes::Say(NoticeKind kind, const Group& all, const Group& members, Speech* speech) {
  Notice notice;
  notice.kind = kind;
  notice.episode_at = all.front()->episode_at;
  notice.said_at = speech->now;
  notice.opened_at = INT64_MAX;
  for (const Incident* incident : all) {
    notice.number = std::max(notice.number, incident->notices + 1);
    notice.opened_at = std::min(notice.opened_at, incident->opened_at);
    notice.resolved_at = std::max(notice.resolved_at, incident->resolved_at);
  }
  for (const Incident* incident : members) {
    notice.members.push_back(incident->key);
  }
  for (Incident* incident : all) {
    incident->notices = notice.number;
    incident->notified_at = speech->now;
    incident->flapping_told = incident->flapping_told || incident->flapping;
    Touch(incident);
  }
  speech->notices.push_back(std::move(notice));
}

// The first message, when nobody has joined for a while.
void Episodes::Open(const Group& group, Speech* speech) {
  Group told;
  Group silent;
  std::int64_t first = INT64_MAX;
  std::int64_t newest = 0;
  for (Incident* incident : group) {
    const bool is_silent = speech->IsSilenced(*incident, &next_look_);
    (is_silent ? silent : told).push_back(incident);
    if (!is_silent) {
      first = std::min(first, incident->opened_at);
      newest = std::max(newest, incident->opened_at);
    }
  }
  if (told.empty()) {
    return;
  }
  const std::int64_t due =
      std::min(newest + rules_.group_wait, first + kLongestWaits * rules_.group_wait);
  if (speech->now < due) {
    LookAt(due);
    return;
  }
  // They are another episode, which is told of when it may be.
  for (Incident* incident : silent) {
    incident->episode_at = told.front()->episode_at + 1;
    Touch(incident);
  }
  const bool is_flapping = std::all_of(told.begin(), told.end(),
                                       [](const Incident* incident) { return incident->flapping; });
  Say(is_flapping ? NoticeKind::kFlapping : NoticeKind::kOpened, told, told, speech);
  bool is_left = false;
  for (Incident* incident : told) {
    if (incident->is_point) {
      Close(incident);
    } else {
      is_left = true;
    }
  }
  if (is_left && rules_.repeat_every > 0) {
    LookAt(speech->now + rules_.repeat_every);
  }
}

void Episodes::Flap(const Group& group, Speech* speech) {
  Group members;
  for (Incident* incident : group) {
    if (incident->flapping && !incident->flapping_told && incident->is_open() &&
        !speech->IsSilenced(*incident, &next_look_)) {
      members.push_back(incident);
    }
  }
  if (!members.empty()) {
    Say(NoticeKind::kFlapping, group, members, speech);
  }
}

// While somebody has to look at them.
void Episodes::Remind(const Group& group, Speech* speech) {
  if (rules_.repeat_every <= 0) {
    return;
  }
  std::int64_t last = 0;
  for (const Incident* incident : group) {
    last = std::max(last, incident->notified_at);
  }
  const std::int64_t due = last + rules_.repeat_every;
  if (speech->now < due) {
    LookAt(due);
    return;
  }
  Group members;
  for (Incident* incident : group) {
    if (incident->is_open() && incident->acknowledged_at == 0 &&
        !speech->IsSilenced(*incident, &next_look_)) {
      members.push_back(incident);
    }
  }
  if (!members.empty()) {
    Say(NoticeKind::kReminder, group, members, speech);
    LookAt(speech->now + rules_.repeat_every);
  }
}

void Episodes::Resolve(const Group& group, Speech* speech) {
  if (rules_.resolved) {
    const bool is_silenced = std::all_of(group.begin(), group.end(), [&](Incident* incident) {
      return speech->IsSilenced(*incident, &next_look_);
    });
    if (is_silenced) {
      return;
    }
    Say(NoticeKind::kResolved, group, group, speech);
  }
  for (Incident* incident : group) {
    Close(incident);
  }
}

std::vector<Incident> Episodes::TakeChanged() {
  std::vector<Incident> changed = std::move(closed_);
  closed_.clear();
  for (const std::string& key : changed_) {
    const Incident* incident = Find(key);
    if (incident != nullptr) {
      changed.push_back(*incident);
    }
  }
  changed_.clear();
  return changed;
}

}  // namespace ratchet::policy
