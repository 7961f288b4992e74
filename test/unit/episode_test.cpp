#include "policy/episode.h"

#include <gtest/gtest.h>

#include <random>

namespace ratchet::policy {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

// An alert with a clock that stands still until it is told to go on: then everything that is to be
// said until then is said at its time.
class Alert {
 public:
  explicit Alert(const EpisodeRules& rules = {30 * kSecond, 4 * kHour, true}) : episodes_(rules) {}

  void Bad(const std::string& key) { episodes_.Bad(key, now_), Look(); }
  void Good(const std::string& key) { episodes_.Good(key, now_), Look(); }
  void Point(const std::string& key) { episodes_.Bad(key, now_, true), Look(); }
  void Until(std::int64_t time) {
    while (episodes_.NextLook() <= time) {
      now_ = std::max(now_, episodes_.NextLook());
      Look();
    }
    now_ = time;
    Look();
  }
  void For(std::int64_t span) { Until(now_ + span); }
  void Silence(std::int64_t span) { silenced_until_ = now_ + span; }
  void Acknowledge(const std::string& key) { episodes_.Find(key)->acknowledged_at = now_; }
  // As after a restart: from what was kept.
  void Restart() {
    Keep();
    episodes_ = Episodes({30 * kSecond, 4 * kHour, true});
    for (const auto& [key, incident] : kept_) {
      episodes_.Load(incident);
    }
    Look();
  }

  std::string said() {
    std::string words;
    for (const Notice& notice : said_) {
      words += (words.empty() ? "" : " ") + std::string(Name(notice.kind));
    }
    said_.clear();
    return words;
  }
  std::vector<Notice> notices() { return std::exchange(said_, {}); }
  std::int64_t now() const { return now_; }
  std::size_t open() const { return episodes_.open(); }

 private:
  void Keep() {
    for (const Incident& incident : episodes_.TakeChanged()) {
      kept_[incident.key] = incident;
    }
  }
  void Look() {
    for (Notice& notice :
         episodes_.Take(now_, [this](const Incident&) { return silenced_until_; })) {
      said_.push_back(std::move(notice));
    }
    Keep();
  }

  Episodes episodes_;
  std::int64_t now_ = 1000 * kDay;
  std::int64_t silenced_until_ = 0;
  std::vector<Notice> said_;
  std::map<std::string, Incident> kept_;
};

TEST(Episode, IsToldOnceAndItsEndOnce) {
  Alert alert;
  alert.Bad("a");
  EXPECT_EQ(alert.said(), "");
  alert.For(30 * kSecond);
  EXPECT_EQ(alert.said(), "opened");
  for (int i = 0; i < 100; i++) {
    alert.Bad("a");
    alert.For(kMinute);
  }
  EXPECT_EQ(alert.said(), "");
  alert.Good("a");
  const auto end = alert.notices();
  ASSERT_EQ(end.size(), 1U);
  EXPECT_EQ(end[0].kind, NoticeKind::kResolved);
  EXPECT_EQ(end[0].resolved_at - end[0].opened_at, 30 * kSecond + 100 * kMinute);
  EXPECT_EQ(alert.open(), 0U);
}

TEST(Episode, ABlipIsNotTold) {
  Alert alert;
  alert.Bad("a");
  alert.For(20 * kSecond);
  alert.Good("a");
  alert.For(kDay);
  EXPECT_EQ(alert.said(), "");
}

TEST(Episode, AThousandJobsInAMinuteAreOneMessageAndOneEnd) {
  Alert alert;
  for (int i = 0; i < 1000; i++) {
    alert.Bad("job " + std::to_string(i));
    alert.For(kMinute / 1000);
  }
  alert.For(2 * kMinute);
  auto notices = alert.notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].members.size(), 1000U);
  for (int i = 0; i < 1000; i++) {
    alert.Good("job " + std::to_string(i));
  }
  notices = alert.notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].kind, NoticeKind::kResolved);
  EXPECT_EQ(notices[0].number, 2);
}

TEST(Episode, AStormThatDoesNotEndIsToldOfNevertheless) {
  Alert alert;
  for (int i = 0; i < 600; i++) {
    alert.Bad("job " + std::to_string(i));
    alert.For(kSecond);
  }
  alert.For(kMinute);
  const auto notices = alert.notices();
  EXPECT_GE(notices.size(), 2U);
  EXPECT_LE(notices.size(), 600U / 120 + 1);
}

TEST(Episode, WhatComesLaterIsAnotherOne) {
  Alert alert;
  alert.Bad("a");
  alert.For(kMinute);
  alert.Bad("b");
  alert.For(kMinute);
  auto notices = alert.notices();
  ASSERT_EQ(notices.size(), 2U);
  EXPECT_NE(notices[0].episode_at, notices[1].episode_at);
  EXPECT_EQ(notices[1].members, std::vector<std::string>{"b"});
  alert.Good("b");
  EXPECT_EQ(alert.said(), "resolved");
  EXPECT_EQ(alert.open(), 1U);
}

TEST(Episode, RemindersUntilSomebodyLooksAtIt) {
  Alert alert;
  alert.Bad("a");
  alert.For(kDay);
  EXPECT_EQ(alert.said(), "opened reminder reminder reminder reminder reminder");
  alert.Acknowledge("a");
  alert.For(kDay);
  EXPECT_EQ(alert.said(), "");
  alert.Good("a");
  EXPECT_EQ(alert.said(), "resolved");
}

TEST(Episode, ARemindersNamesOnlyWhatIsStillWrong) {
  Alert alert;
  alert.Bad("a");
  alert.Bad("b");
  alert.For(kMinute);
  alert.Good("a");
  alert.For(4 * kHour);
  const auto notices = alert.notices();
  ASSERT_EQ(notices.size(), 2U);
  EXPECT_EQ(notices[0].members.size(), 2U);
  EXPECT_EQ(notices[1].kind, NoticeKind::kReminder);
  EXPECT_EQ(notices[1].members, std::vector<std::string>{"b"});
}

TEST(Episode, WithoutTheEnd) {
  Alert alert({30 * kSecond, 0, false});
  alert.Bad("a");
  alert.For(kDay);
  EXPECT_EQ(alert.said(), "opened");
  alert.Good("a");
  EXPECT_EQ(alert.said(), "");
  EXPECT_EQ(alert.open(), 0U);
}

TEST(Episode, FlappingIsSaidOnce) {
  Alert alert;
  for (int i = 0; i < 200; i++) {
    alert.Bad("a");
    alert.For(10 * kSecond);
    alert.Good("a");
    alert.For(10 * kSecond);
  }
  EXPECT_EQ(alert.said(), "flapping");
  for (int i = 0; i < 4; i++) {
    alert.Good("a");
    alert.For(10 * kSecond);
  }
  EXPECT_EQ(alert.said(), "resolved");
}

TEST(Episode, FlappingThatIsSlowIsSeenAsWell) {
  Alert alert;
  for (int i = 0; i < 20; i++) {
    alert.Bad("a");
    alert.For(10 * kMinute);
    alert.Good("a");
    alert.For(10 * kMinute);
  }
  EXPECT_EQ(alert.said(), "opened resolved opened flapping reminder");
}

TEST(Episode, ASilenceHoldsFirstMessagesRemindersAndRecoveriesBack) {
  Alert first;
  first.Silence(kHour);
  first.Bad("a");
  first.For(59 * kMinute);
  EXPECT_EQ(first.said(), "");
  first.For(2 * kMinute);
  EXPECT_EQ(first.said(), "opened");

  Alert over;
  over.Silence(kHour);
  over.Bad("a");
  over.For(10 * kMinute);
  over.Good("a");
  over.For(kDay);
  EXPECT_EQ(over.said(), "");

  Alert reminder;
  reminder.Bad("a");
  reminder.For(kHour);
  reminder.Silence(10 * kHour);
  reminder.For(9 * kHour);
  EXPECT_EQ(reminder.said(), "opened");
  reminder.For(2 * kHour);
  EXPECT_EQ(reminder.said(), "reminder");

  Alert recovery;
  recovery.Bad("a");
  recovery.For(kMinute);
  recovery.Silence(kHour);
  recovery.Good("a");
  recovery.For(59 * kMinute);
  EXPECT_EQ(recovery.said(), "opened");
  recovery.For(2 * kMinute);
  EXPECT_EQ(recovery.said(), "resolved");
}

TEST(Episode, AMomentIsToldOnceAndHasNoEnd) {
  Alert alert;
  alert.Point("a");
  alert.For(kDay);
  EXPECT_EQ(alert.said(), "opened");
  EXPECT_EQ(alert.open(), 0U);
}

TEST(Episode, ARestartSaysNothingTwice) {
  Alert alert;
  alert.Bad("a");
  alert.Restart();
  alert.For(kMinute);
  EXPECT_EQ(alert.said(), "opened");
  alert.Restart();
  alert.For(kMinute);
  EXPECT_EQ(alert.said(), "");
  alert.Restart();
  alert.Good("a");
  EXPECT_EQ(alert.said(), "resolved");
  alert.Restart();
  alert.For(kDay);
  EXPECT_EQ(alert.said(), "");
}

// A week of jobs that fail, flap, recover and are silenced, with restarts: for each key, what is
// said alternates as the header draws it, and nobody is told of anything in a silence.
TEST(Episode, AWeek) {
  std::mt19937 random(4711);
  Alert alert;
  std::map<std::int64_t, std::vector<NoticeKind>> said;  // by episode
  std::map<std::string, bool> is_bad;
  std::int64_t bad_results = 0;
  for (int minute = 0; minute < 7 * 24 * 60; minute++) {
    for (int job = 0; job < 20; job++) {
      const std::string key = std::to_string(job);
      const bool flips = random() % (job < 2 ? 3 : 400) == 0;
      if (flips) {
        is_bad[key] = !is_bad[key];
      }
      if (is_bad[key]) {
        alert.Bad(key);
        bad_results++;
      } else {
        alert.Good(key);
      }
    }
    if (random() % 1000 == 0) {
      alert.Restart();
    }
    alert.For(kMinute);
    for (const Notice& notice : alert.notices()) {
      EXPECT_FALSE(notice.members.empty());
      auto& kinds = said[notice.episode_at];
      EXPECT_EQ(notice.number, static_cast<int>(kinds.size()) + 1);
      kinds.push_back(notice.kind);
    }
  }
  EXPECT_GT(bad_results, 50'000);
  std::size_t messages = 0;
  for (const auto& [episode, kinds] : said) {
    messages += kinds.size();
    for (std::size_t i = 0; i < kinds.size(); i++) {
      EXPECT_EQ(kinds[i] == NoticeKind::kOpened, i == 0 && kinds[0] != NoticeKind::kFlapping);
      EXPECT_TRUE(kinds[i] != NoticeKind::kResolved || i + 1 == kinds.size());
    }
  }
  // Some hundred times of 18 jobs, and two that flap all week, with a calm moment now and then, out
  // of more than 50,000 bad results.
  EXPECT_GT(messages, 100U);
  EXPECT_LT(messages, 2'500U);
}

}  // namespace
}  // namespace ratchet::policy
