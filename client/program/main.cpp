#include "program/commands.h"

int main(int argc, char** argv) { return client::program::Main(argc, argv); }
