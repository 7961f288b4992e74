#include "pg/near_name.h"

#include "pg/guard.h"

extern "C" {
#include "utils/varlena.h"
}

namespace ratchet::pg {
namespace {

// What the server's own function takes at most, in bytes.
constexpr std::size_t kLongest = 255;

}  // namespace

NearName::NearName(std::string wanted)
    : wanted_(std::move(wanted)),
      most_(wanted_.empty() || wanted_.size() > kLongest
                ? -1
                : static_cast<int>(wanted_.size()) / 4 + 1) {}

int NearName::DistanceOf(const std::string& name) const {
  if (most_ < 0 || name.size() > kLongest) {
    return most_ + 1;
  }
  return Call([&] {
    return varstr_levenshtein_less_equal(wanted_.c_str(), static_cast<int>(wanted_.size()),
                                         name.c_str(), static_cast<int>(name.size()), 1, 1, 1,
                                         most_, true);
  });
}

void NearName::OfferAs(const std::string& name, const std::string& compared) {
  const int distance = DistanceOf(compared);
  // All letters of a short name may be others, and it is another name then.
  const bool keeps_a_letter = distance < static_cast<int>(wanted_.size()) ||
                              pg_strcasecmp(wanted_.c_str(), compared.c_str()) == 0;
  if (distance <= most_ && keeps_a_letter) {
    nearest_ = name;
    most_ = distance - 1;
  }
}

std::string NearName::Hint(const std::string& kind, std::string otherwise) const {
  return nearest_.empty() ? std::move(otherwise)
                          : "Perhaps you mean " + kind + " \"" + nearest_ + "\".";
}

}  // namespace ratchet::pg
