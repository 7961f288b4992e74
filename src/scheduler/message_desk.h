// The desk at which incidents are opened and told of. It belongs to the scheduler, works in its
// passes and writes in their transactions: what it says of a run commits with what follows from the
// run. policy/episode.h decides when something is said; this knows the tables.
//
//   alerts, silences, incidents ─▶ news of runs, queues and the server ─▶ Speak: incidents and
//   deliveries ─▶ commit ─▶ senders are woken
//
// The tables are the truth: Forget(), and it reads them again. Where there is no alert, a job costs
// nothing: it is not asked for.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "board/database_board.h"
#include "board/queue_counters.h"
#include "catalog/alert.h"
#include "catalog/channel.h"
#include "catalog/incident.h"
#include "catalog/job.h"
#include "catalog/silence.h"
#include "policy/alert_event.h"
#include "policy/episode.h"
#include "scheduler/run_end.h"

namespace ratchet::scheduler {

class MessageDesk {
 public:
  explicit MessageDesk(board::DatabaseEntry* entry) : entry_(entry) {}
  MessageDesk(const MessageDesk&) = delete;
  MessageDesk& operator=(const MessageDesk&) = delete;

  void Forget();
  // Needs a transaction. For a change of alerts, silences or incidents by somebody else, too: what
  // has not been written is spoken of before.
  void Read(TimestampTz now);

  // Whether an alert may be about runs of the job.
  bool Watches(const catalog::JobDefinition& job) const;

  // ---- message_desk_runs.cpp: news of runs
  struct Standing {
    std::int32_t failures = 0;  // in a row, the run included
    bool was_failing = false;
    TimestampTz next_run_at = 0;
  };
  void RunEnded(const RunEnd& end, const Standing& standing);
  struct Missed {
    std::int64_t job_id;
    TimestampTz scheduled_at;
    std::int64_t run_id;  // of its record
    std::string reason;
  };
  void RunMissed(const Missed& missed, TimestampTz now);
  // Of the oldest occurrence of the job that has not ended, with its deadline.
  struct Deadline {
    std::int64_t job_id;
    std::int64_t run_id;  // 0: it has not begun
    TimestampTz scheduled_at;
    TimestampTz deadline;
    TimestampTz expected;  // when it ends, as it looks; 0: not known
  };
  void LookAtDeadline(const Deadline& deadline, TimestampTz now);
  // Nothing of the job is late.
  void InTime(std::int64_t job_id, TimestampTz now);
  void JobGone(std::int64_t job_id, TimestampTz now);

  struct Beat {
    const catalog::JobDefinition* job;
    const char* notice;  // start, success, failure
    const policy::RunIdentity* run;
    TimestampTz started_at;
    TimestampTz finished_at;
    std::string error;
  };
  void Heartbeat(const Beat& beat, TimestampTz now);

  // ---- message_desk_conditions.cpp: what is looked at from time to time
  void LookAround(const policy::Moment& now);

  // Writes what has changed, and the messages that are due.
  void Speak(TimestampTz now);
  // Whether one of the two would do anything.
  bool HasWork(const policy::Moment& now) const;

  // When there is something to do; calendar::kNever: never, as it is.
  TimestampTz NextLook(const policy::Moment& now) const;

 private:
  struct Watched {
    catalog::Alert alert;
    std::array<bool, policy::kAlertEvents> events{};
    policy::Episodes episodes;
    std::map<std::string, catalog::IncidentRow> rows;  // of its incidents, by their keys

    explicit Watched(catalog::Alert definition);
    bool Wants(policy::AlertEvent event) const { return events[static_cast<std::size_t>(event)]; }
  };
  struct Subject {
    std::int64_t job_id = 0;
    std::string name;
    Oid owner = InvalidOid;
  };
  // What has been found.
  struct Finding {
    policy::AlertEvent event = policy::AlertEvent::kFailed;
    Subject subject;
    std::int64_t run_id = 0;
    std::string details;  // an element of "incidents", as JSON
    TimestampTz at = 0;
  };

  static std::string KeyOf(policy::AlertEvent event, std::int64_t job_id);
  bool IsAbout(const Watched& watched, const catalog::JobDefinition& job) const;
  bool WantsAny(policy::AlertEvent event) const;
  void Bad(Watched* watched, const Finding& finding);
  static void Good(Watched* watched, policy::AlertEvent event, std::int64_t job_id, TimestampTz at);
  void GoodEverywhere(policy::AlertEvent event, std::int64_t job_id, TimestampTz at);
  const catalog::JobDefinition* JobOf(std::int64_t job_id);
  TimestampTz SilencedUntil(const catalog::IncidentRow& row, TimestampTz now);
  void SpeakOf(Watched* watched, TimestampTz now);
  void Deliver(const Watched& watched, const policy::Notice& notice, TimestampTz now);
  void Put(const catalog::Channel& channel, const Watched& watched, const policy::Notice& notice,
           TimestampTz now);
  std::string MessageOf(const Watched& watched, const policy::Notice& notice) const;
  static policy::MessageId EpisodeId(const catalog::Alert& alert, std::int64_t episode_at);
  void WriteIncidents(Watched* watched);

  // ---- message_desk_runs.cpp
  static Subject SubjectOf(const catalog::JobDefinition& job);
  void FindForJob(policy::AlertEvent event, const catalog::JobDefinition& job, std::int64_t run_id,
                  const std::string& details, TimestampTz at);
  void FailureOf(const RunEnd& end, const Standing& standing);
  void SuccessOf(const RunEnd& end, const Standing& standing);
  void FindSlow(const RunEnd& end, const Standing& standing);
  enum class Count : std::uint8_t { kEach, kAfterFailures };
  void FindForRun(policy::AlertEvent event, const RunEnd& end, const Standing& standing,
                  Count count);

  // ---- message_desk_conditions.cpp
  struct QueueLook {
    std::int64_t queue_id;
    policy::AlertEvent event;
    bool is_bad;
    const board::QueueCounters* counters;
    std::int64_t age;  // of the oldest ready task
  };
  bool LooksAround() const;
  void LookAtQueues(TimestampTz now);
  void LookAtQueue(Watched* watched, const QueueLook& look, TimestampTz now);
  void LookAtServer(const policy::Moment& now);
  void Condition(policy::AlertEvent event, bool is_bad, const std::string& details,
                 TimestampTz now);
  bool SenderIsDown(const policy::Moment& now);
  void Purge(TimestampTz now);

  board::DatabaseEntry* const entry_;
  std::vector<Watched> alerts_;
  std::vector<catalog::Silence> silences_;
  std::unordered_map<std::int64_t, std::optional<catalog::JobDefinition>> jobs_;  // of this pass
  std::vector<catalog::IncidentRow> unwritten_;  // somebody had them in hand
  TimestampTz retry_at_ = 0;                     // of what was not written
  policy::SteadyTime look_at_{};                 // at queues and the server
  policy::SteadyTime purge_at_{};                // of what has ended
  policy::SteadyTime short_since_{};             // runs wait for workers
};

}  // namespace ratchet::scheduler
