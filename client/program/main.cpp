#include <unistd.h>

#include <cstdio>

#include "program/commands.h"

int main(int argc, char** argv) {
  const int status = client::program::Main(argc, argv);
  std::fflush(nullptr);
  // A thread may still be resolving a name, or connecting. What libraries do at an orderly end
  // would take away from under it what it uses.
  _exit(status);
}
