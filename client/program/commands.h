// The command line: what each command is called with, and what it does.
#pragma once

namespace client::program {

int Main(int argc, char** argv);

}  // namespace client::program
