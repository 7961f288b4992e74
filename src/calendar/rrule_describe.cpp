#include "calendar/rrule.h"
namespace ratchet::calendar { std::string Rule::Describe() const { return "by a rule"; } }
