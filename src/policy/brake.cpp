#include "policy/brake.h"

#include <algorithm>

namespace ratchet::policy {

Brake::Look Brake::LookAt(const std::vector<Failed>& failed, int handled, bool whole) const {
  Look look{handled, 0, false, false};
  auto one = failed.rbegin();
  while (one != failed.rend() && one->item >= handled) {
    ++one;  // further ahead
  }
  for (const auto last = one;
       one != failed.rend() && one->item == look.begin - 1 && *one->words == *last->words; ++one) {
    look.begin--;
  }
  look.length = handled - look.begin;
  look.joins_earlier =
      handled > 0 && look.begin == 0 && earlier_ > 0 && *failed.front().words == words_;
  look.length += look.joins_earlier ? earlier_ : 0;
  const bool is_whole_batch = whole && handled > 0 && look.begin == 0;
  look.stops = least_ > 0 && ((is_whole_batch && look.length >= least_) ||
                              look.length >= std::max<std::int64_t>(least_, kSure));
  return look;
}

void Brake::Committed(const std::vector<Failed>& failed, int handled, const Look& look) {
  if (handled == 0) {
    return;
  }
  earlier_ = look.length;
  words_ = look.length > 0 ? *failed.back().words : std::string();
}

}  // namespace ratchet::policy
