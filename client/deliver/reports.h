// What became of deliveries and tasks, told to the database. Kept until it is told or known to be
// worth nothing; many of one statement's time are told by one.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "channel/kind.h"
#include "postgres/session.h"

namespace client::deliver {

// A lease: what it is for, and what proves that it is ours.
struct Lease {
  std::string id;
  std::string token;
};

class Reports {
 public:
  explicit Reports(postgres::Session& session) : session_(session) {}

  void EndDelivery(Lease lease, const channel::Verdict& verdict);
  // A statement of one task: the answer 55000 says that it is somebody else's by now, which is no
  // error of ours.
  void Tell(std::string sql, std::vector<postgres::Value> values,
            std::function<void(const postgres::Answer&)> done);

  // Gives the session the next statement, if it is ready.
  void Step();
  bool empty() const { return ended_.empty() && statements_.empty() && in_hand_ == 0; }
  std::size_t size() const { return ended_.size() + statements_.size() + in_hand_; }

 private:
  struct Ended {
    Lease lease;
    channel::Verdict verdict;
    bool alone = false;  // a statement of its own, after one of many has failed
  };
  struct Statement {
    std::string sql;
    std::vector<postgres::Value> values;
    std::function<void(const postgres::Answer&)> done;
  };

  void TellEnded();
  void TellStatement();

  postgres::Session& session_;
  std::deque<Ended> ended_;
  std::deque<Statement> statements_;
  std::size_t in_hand_ = 0;
  bool last_was_statement_ = false;
};

}  // namespace client::deliver
