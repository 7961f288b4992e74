#pragma once

#include <cstdint>
#include <string_view>

namespace ratchet::calendar {

// The number that 'H' in a cron line takes for a job: the same on every server and in every
// version, for a changed one moves the runs of all jobs. FNV-1a of the name (64 bits), and the
// finaliser of MurmurHash3 over its difference from a multiple of the golden ratio for each
// `field`, so that minute and hour of a job have nothing to do with each other.
constexpr std::uint64_t NameHash(std::string_view name, int field) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  hash ^= static_cast<std::uint64_t>(field + 1) * 0x9e3779b97f4a7c15;
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
  return hash ^ hash >> 33;
}

}  // namespace ratchet::calendar
