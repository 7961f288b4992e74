#include "work/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "text/plain.h"

namespace client::work {

namespace {

constexpr std::size_t kMostKept = 4000;
constexpr int kMostLines = 20;

struct Pipe {
  int read = -1;
  int write = -1;
};

Pipe MakePipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error(std::string("no pipe can be had: ") + std::strerror(errno));
  }
  return {ends[0], ends[1]};
}

std::vector<std::string> Environment(const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; variable++) {
    // Secrets are for the sender, not for what is started.
    if (std::strncmp(*variable, "RATCHET_", 8) != 0) {
      environment.emplace_back(*variable);
    }
  }
  for (const auto& [name, value] : more) {
    environment.emplace_back(name).append("=").append(value);
  }
  return environment;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: nothing but calls that are allowed there.
[[noreturn]] void Become(char* const* command, char* const* environment, int input, int errors,
                         pid_t parent) {
  setpgid(0, 0);
  // It does not outlive us: its lease would end, and the task be done by another one beside it.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) {
    _exit(125);
  }
  dup2(input, STDIN_FILENO);
  dup2(errors, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  execvpe(command[0], command, environment);
  const char* why = std::strerror(errno);
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, command[0], std::strlen(command[0]));
  written = write(STDERR_FILENO, ": ", 2);
  written = write(STDERR_FILENO, why, std::strlen(why));
  _exit(127);
}

void CloseEnd(int& end) {
  if (end >= 0) {
    close(end);
  }
  end = -1;
}

}  // namespace

void LastLines::Add(std::string_view text) {
  kept_.append(text);
  if (kept_.size() > 2 * kMostKept) {
    kept_.erase(0, kept_.size() - kMostKept);
  }
}

std::string LastLines::Text() const {
  std::string text = text::Lines(kept_);
  text.erase(text.find_last_not_of(" \n\t") + 1);
  if (text.size() > kMostKept) {
    text.erase(0, text.size() - kMostKept);
  }
  std::size_t begin = text.size();
  for (int line = 0; line < kMostLines && begin != std::string::npos && begin > 0; line++) {
    begin = text.rfind('\n', begin - 1);
  }
  return text::ValidUtf8(begin == std::string::npos || begin == 0 ? text : text.substr(begin + 1));
}

std::string ErrorOf(int wait_status, const std::string& last_lines) {
  std::string error = WIFSIGNALED(wait_status)
                          ? "killed by signal " + std::to_string(WTERMSIG(wait_status))
                          : "exit status " + std::to_string(WEXITSTATUS(wait_status));
  return last_lines.empty() ? error : error + ": " + last_lines;
}

Child::Child(const std::vector<std::string>& command,
             const std::vector<std::pair<std::string, std::string>>& environment, std::string input)
    : text_(std::move(input)) {
  Pipe in = MakePipe();
  Pipe err = MakePipe();
  const std::vector<std::string> variables = Environment(environment);
  const std::vector<char*> arguments = Pointers(command);
  const std::vector<char*> settings = Pointers(variables);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    Become(arguments.data(), settings.data(), in.read, err.write, parent);
  }
  close(in.read);
  close(err.write);
  input_ = in.write;
  errors_ = err.read;
  if (pid_ < 0) {
    CloseEnd(input_);
    CloseEnd(errors_);
    throw std::runtime_error(std::string("no process can be had: ") + std::strerror(errno));
  }
  // Here as well, so that the group is there whoever comes first.
  setpgid(pid_, pid_);
  fcntl(input_, F_SETFL, O_NONBLOCK);
  fcntl(errors_, F_SETFL, O_NONBLOCK);
  GiveInput();
}

Child::~Child() {
  CloseEnd(input_);
  CloseEnd(errors_);
}

void Child::GiveInput() {
  while (input_ >= 0 && given_ < text_.size()) {
    const ssize_t written = write(input_, text_.data() + given_, text_.size() - given_);
    if (written < 0 && errno == EAGAIN) {
      return;
    }
    if (written < 0) {
      break;  // it wants no more
    }
    given_ += static_cast<std::size_t>(written);
  }
  CloseEnd(input_);
}

void Child::ReadErrors() {
  std::array<char, 4096> part{};
  while (errors_ >= 0) {
    const ssize_t got = read(errors_, part.data(), part.size());
    if (got < 0 && errno == EAGAIN) {
      return;
    }
    if (got <= 0) {
      CloseEnd(errors_);
      return;
    }
    const std::string_view text(part.data(), static_cast<std::size_t>(got));
    last_lines_.Add(text);
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
  }
}

std::optional<int> Child::Ended() {
  int status = 0;
  if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    status_ = status;
    ReadErrors();
  }
  return status_;
}

void Child::Signal(int number) {
  if (!status_) {
    kill(-pid_, number);
  }
}

}  // namespace client::work
