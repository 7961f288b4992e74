// When there is something to be said about what an alert watches.
//
// An incident is one thing that is wrong: a job whose runs fail, a queue that backs up. Incidents
// that begin together are one episode, and are told of together: once when they have begun, again
// from time to time while somebody has to look at them, and once when all of them are over.
//
//                Bad                     group_wait is over            repeat_every is over
//   (nothing) ─────────▶ waits to be told ─────────────────▶ told ────────────────────┐
//       ▲                   │ Good                            │  ▲────────────────────┘ reminder
//       │                   ▼                                 │
//       └──────────── nothing was said   ◀── "resolved" ──────┘ Good, of all of the episode
//
// What changes between good and bad all the time is flapping: that is said once, and it is over
// only when it has been good for a while. A silence holds every message back until it is over.
//
// Nothing here knows a clock or a server. Instants and spans are microseconds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ratchet::policy {

struct EpisodeRules {
  std::int64_t group_wait = 30'000'000;
  std::int64_t repeat_every = 0;  // 0: no reminders
  bool resolved = true;           // whether the end is told
};

// Where an incident stands, as it is kept. 0 stands for none in the instants.
struct Incident {
  std::int64_t incident_id = 0;  // 0: it is new
  std::string key;               // what it is about: there is one open incident of each
  bool is_point = false;         // it is no state but a moment: told once, and over
  std::int64_t opened_at = 0;
  std::int64_t last_at = 0;  // when it was last bad
  std::int64_t resolved_at = 0;
  std::int64_t notified_at = 0;  // of the last message
  std::int32_t notices = 0;      // messages of its episode
  std::int64_t episode_at = 0;   // names its episode: when that began
  bool flapping = false;
  bool flapping_told = false;
  std::int32_t good_in_a_row = 0;
  std::uint32_t recent = 0;  // results, the newest in the lowest bit: 1 is bad
  std::int64_t acknowledged_at = 0;
  std::int64_t occurrences = 0;  // how often it was bad
  bool closed = false;           // nothing more is to be said

  bool is_open() const { return resolved_at == 0; }
};

enum class NoticeKind : std::uint8_t { kOpened, kReminder, kResolved, kFlapping };
const char* Name(NoticeKind kind);

struct Notice {
  NoticeKind kind = NoticeKind::kOpened;
  std::int64_t episode_at = 0;
  std::int32_t number = 1;
  std::int64_t opened_at = 0;
  std::int64_t resolved_at = 0;  // of kResolved
  std::int64_t said_at = 0;
  std::vector<std::string> members;  // keys of the incidents that it is about
};

// The incidents of one alert that are not closed, and what is remembered of those that were.
class Episodes {
 public:
  explicit Episodes(const EpisodeRules& rules) : rules_(rules) {}
  void SetRules(const EpisodeRules& rules) { rules_ = rules; }

  // One that is kept, closed or not.
  void Load(Incident incident);
  Incident* Find(const std::string& key);
  std::size_t open() const { return incidents_.size(); }
  // There is nothing that a good result would change.
  bool IsIdle() const { return incidents_.empty() && remembered_.empty(); }
  // Whether Take() or TakeChanged() may have something to give.
  bool HasNews(std::int64_t now) const {
    return now >= next_look_ || !changed_.empty() || !closed_.empty();
  }

  // A result. Bad() returns the incident that it belongs to; Good() that, or null when there is
  // none.
  Incident* Bad(const std::string& key, std::int64_t now, bool is_point = false);
  Incident* Good(const std::string& key, std::int64_t now);
  // What it is about is not there any more, or is not watched any more: nothing is said.
  void Forget(const std::string& key, std::int64_t now);

  // Until when no message about it may be sent; 0: it may.
  using SilencedUntil = std::function<std::int64_t(const Incident&)>;
  // What is to be said now.
  std::vector<Notice> Take(std::int64_t now, const SilencedUntil& silenced);
  // When there may be something to say next; INT64_MAX: never, as it is.
  std::int64_t NextLook() const { return next_look_; }

  // Those that have changed since the last call: for who keeps them. Closed ones are let go of.
  std::vector<Incident> TakeChanged();

 private:
  using Group = std::vector<Incident*>;
  struct Speech;

  void Touch(Incident* incident) { changed_.insert(incident->key); }
  void Close(Incident* incident);
  void NoteResult(Incident* incident, bool is_bad);
  std::int64_t EpisodeFor(std::int64_t now) const;
  void LookAt(std::int64_t at);
  void SpeakOf(std::int64_t episode, const Group& group, Speech* speech);
  void Open(const Group& group, Speech* speech);
  void Flap(const Group& group, Speech* speech);
  void Remind(const Group& group, Speech* speech);
  void Resolve(const Group& group, Speech* speech);
  void Say(NoticeKind kind, const Group& all, const Group& members, Speech* speech);

  EpisodeRules rules_;
  std::map<std::string, Incident> incidents_;
  std::map<std::string, std::uint32_t> remembered_;  // results of keys without an incident
  std::vector<Incident> closed_;
  std::set<std::string> changed_;
  std::int64_t next_look_ = INT64_MAX;
};

}  // namespace ratchet::policy
