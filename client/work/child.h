// A command that works on one task: its payload on standard input, what it says on standard error
// kept as far as the last lines go.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace client::work {

// The last lines of what was written, not longer than an error should be.
class LastLines {
 public:
  void Add(std::string_view text);
  std::string Text() const;

 private:
  std::string kept_;
};

// "exit status 3", "killed by signal 9", with the last lines.
std::string ErrorOf(int wait_status, const std::string& last_lines);

class Child {
 public:
  // Throws std::runtime_error when no process can be had.
  Child(const std::vector<std::string>& command,
        const std::vector<std::pair<std::string, std::string>>& environment, std::string input);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int input() const { return input_; }    // -1 when all is given, or it wants no more
  int errors() const { return errors_; }  // -1 when it has closed it
  void GiveInput();
  void ReadErrors();
  // The status, once it has ended. What it started may still hold its standard error.
  std::optional<int> Ended();
  void Signal(int number);
  std::string last_lines() const { return last_lines_.Text(); }

 private:
  pid_t pid_ = -1;
  std::optional<int> status_;
  int input_ = -1;
  int errors_ = -1;
  std::string text_;
  std::size_t given_ = 0;
  LastLines last_lines_;
};

}  // namespace client::work
