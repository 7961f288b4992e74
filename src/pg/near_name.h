// Which of the names that there are may be meant by one that nothing has.
#pragma once

#include <string>

namespace ratchet::pg {

class NearName {
 public:
  // Of four letters one may be another one, and one more.
  explicit NearName(std::string wanted);

  // Whether it would be the answer: so that rights need be looked at only then.
  bool IsNearer(const std::string& name) const { return DistanceOf(name) <= most_; }
  void Offer(const std::string& name) { OfferAs(name, name); }
  // The answer is `name`, if what is compared is near.
  void OfferAs(const std::string& name, const std::string& compared);

  // Of those that are equally near the first one; empty: none is near.
  const std::string& nearest() const { return nearest_; }
  // `Perhaps you mean job "mail".`, or `otherwise` when none is near.
  std::string Hint(const std::string& kind, std::string otherwise = {}) const;

 private:
  int DistanceOf(const std::string& name) const;

  std::string wanted_;
  int most_;
  std::string nearest_;
};

}  // namespace ratchet::pg
