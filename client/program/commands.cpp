#include "program/commands.h"

#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "check/check.h"
#include "deliver/sender.h"
#include "journal/journal.h"
#include "settings/settings.h"
#include "text/span.h"
#include "version.h"
#include "work/worker.h"

namespace client::program {

namespace {

using settings::Settings;

struct Line {
  std::string file;
  std::vector<settings::Entry> entries;  // of the command line
  bool once = false;
  // Of ratchet work.
  std::string queue, timeout;
  std::vector<std::string> command;
  int concurrency = 1;
};

void AddSetting(CLI::App& app, Line& line, const std::string& option, const std::string& name,
                const std::string& help) {
  app.add_option_function<std::string>(
      option,
      [&line, option, name](const std::string& value) {
        line.entries.push_back({name, value, option});
      },
      help);
}

void AddShared(CLI::App& app, Line& line) {
  app.add_option("--config", line.file, "file with settings, in TOML");
  AddSetting(app, line, "--dsn", "dsn",
             "connection string of libpq; without it PGHOST, PGSERVICE and the like");
  AddSetting(app, line, "--log-format", "log.format", "text or json");
  AddSetting(app, line, "--log-level", "log.level", "debug, info, warning or error");
}

void AddSend(CLI::App& app, Line& line) {
  AddShared(app, line);
  AddSetting(app, line, "--name", "send.name", "of this sender, as ratchet.status() shows it");
  AddSetting(app, line, "--secrets", "send.secrets", "folder with a file for each secret");
  app.add_option_function<std::vector<std::string>>(
      "--allow-host",
      [&line](const std::vector<std::string>& hosts) {
        std::string all;
        for (const std::string& host : hosts) {
          all += (all.empty() ? "" : ",") + host;
        }
        line.entries.push_back({"send.allow_hosts", all, "--allow-host"});
      },
      "host, address or network that may be connected to although it is not public; several times");
  AddSetting(app, line, "--public-addresses", "send.public_addresses",
             "false: to allowed hosts only");
  AddSetting(app, line, "--ca-file", "send.ca_file",
             "certificates to trust instead of the system's");
  AddSetting(app, line, "--at-once", "send.at_once", "deliveries at a time (32)");
  AddSetting(app, line, "--lease", "send.lease", "how long a delivery is this sender's (1 minute)");
  AddSetting(app, line, "--grace", "send.grace", "how long SIGTERM lets deliveries arrive (30 s)");
  app.add_flag("--once", line.once, "send what is there, and end");
}

void AddWork(CLI::App& app, Line& line) {
  AddShared(app, line);
  app.add_option("queue", line.queue, "queue")->required();
  app.add_option("command", line.command, "command, behind --")->required();
  app.add_option("--concurrency", line.concurrency, "tasks at a time (1)")
      ->check(CLI::Range(1, 500));
  app.add_option("--timeout", line.timeout, "how long one task may take");
  AddSetting(app, line, "--lease", "send.lease", "how long a task is ours if we die (1 minute)");
  AddSetting(app, line, "--grace", "send.grace", "how long SIGTERM lets tasks finish (30 s)");
  app.add_flag("--once", line.once, "until the queue is empty");
}

Settings Read(const Line& line) {
  Settings settings;
  const char* credentials = std::getenv("CREDENTIALS_DIRECTORY");  // of systemd
  settings.secrets_folder = credentials == nullptr ? "" : credentials;
  std::array<char, 64> host{};
  gethostname(host.data(), host.size() - 1);
  settings.name = std::string(host.data()).substr(0, 40) + ":" + std::to_string(getpid());
  if (!line.file.empty()) {
    settings::ReadFile(settings, line.file);
  }
  settings::ReadEnvironment(settings);
  for (const settings::Entry& entry : line.entries) {
    settings::Apply(settings, entry);
  }
  journal::SetUp(settings.log_format, settings.log_level);
  return settings;
}

// Everybody on the machine can read the command line of a process.
void HidePasswords(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    const bool has_password =
        std::strstr(argv[i], "password") != nullptr ||
        (std::strstr(argv[i], "://") != nullptr && std::strchr(argv[i], '@') != nullptr);
    if (std::strcmp(argv[i], "--") == 0) {
      return;
    }
    if (has_password) {
      std::memset(argv[i], '*', std::strlen(argv[i]));
    }
  }
}

int Send(const Settings& settings, const Line& line) {
  process::Signals signals{SIGTERM, SIGINT};
  deliver::SenderOptions options;
  options.connect = {settings.dsn, "ratchet send"};
  options.name = settings.name;
  options.secrets_folder = settings.secrets_folder;
  options.allowed_hosts = settings.allow_hosts;
  options.public_addresses = settings.public_addresses;
  options.ca_file = settings.ca_file;
  options.at_once = settings.at_once;
  options.lease = settings.lease;
  options.grace = settings.grace;
  options.once = line.once;
  return deliver::Sender(std::move(options)).Run(signals);
}

int Work(const Settings& settings, const Line& line) {
  process::Signals signals{SIGTERM, SIGINT, SIGCHLD};
  work::WorkerOptions options;
  options.connect = {settings.dsn, "ratchet work"};
  options.queue = line.queue;
  options.command = line.command;
  options.concurrency = line.concurrency;
  options.lease = settings.lease;
  options.grace = settings.grace;
  options.once = line.once;
  if (!line.timeout.empty()) {
    const auto timeout = text::ParseSpan(line.timeout);
    if (!timeout || timeout->count() < 1) {
      throw settings::BadSetting("--timeout has to be a span, as \"5 minutes\"");
    }
    options.timeout = *timeout;
  }
  return work::Worker(std::move(options)).Run(signals);
}

int Check(const Settings& settings) {
  bool wrong = false;
  for (const check::Finding& finding : check::LookAt(settings)) {
    std::printf("%s %s\n", finding.wrong ? "WRONG" : "ok   ", finding.what.c_str());
    wrong = wrong || finding.wrong;
  }
  return wrong ? EX_CONFIG : EX_OK;
}

}  // namespace

int Main(int argc, char** argv) {
  CLI::App app("What talks to the network for pg_ratchet.", "ratchet");
  app.set_version_flag("--version", std::string("ratchet ") + RATCHET_CLIENT_VERSION);
  app.require_subcommand(1);
  Line line;
  CLI::App* send =
      app.add_subcommand("send", "delivers messages, and does the requests of HTTP queues");
  CLI::App* serve =
      app.add_subcommand("serve", "everything that this program does as a service: so far, send");
  CLI::App* work = app.add_subcommand(
      "work", "runs a command for each task of a queue: ratchet work QUEUE -- COMMAND ...");
  CLI::App* check = app.add_subcommand("check", "says what is wrong with an installation");
  AddSend(*send, line);
  AddSend(*serve, line);
  AddWork(*work, line);
  AddSend(*check, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? EX_OK : EX_USAGE;
  }
  // No memory of ours, with secrets in it, on a disk.
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  HidePasswords(argc, argv);
  try {
    const Settings settings = Read(line);
    if (work->parsed()) {
      return Work(settings, line);
    }
    return check->parsed() ? Check(settings) : Send(settings, line);
  } catch (const settings::BadSetting& error) {
    std::fprintf(stderr, "ratchet: %s\n", error.what());
    return EX_CONFIG;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "ratchet: send.allow_hosts: %s\n", error.what());
    return EX_CONFIG;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ratchet: %s\n", error.what());
    return EX_SOFTWARE;
  }
}

}  // namespace client::program
