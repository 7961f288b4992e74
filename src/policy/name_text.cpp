#include "policy/name_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace ratchet::policy {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

// Source: DerivedGeneralCategory.txt of Unicode 15.0; Cc, Cf, Zl and Zp, neighbours put together.
constexpr std::array kHidden{
    Range{0x0000, 0x001F},   Range{0x007F, 0x009F},   Range{0x00AD, 0x00AD},
    Range{0x0600, 0x0605},   Range{0x061C, 0x061C},   Range{0x06DD, 0x06DD},
    Range{0x070F, 0x070F},   Range{0x0890, 0x0891},   Range{0x08E2, 0x08E2},
    Range{0x180E, 0x180E},   Range{0x200B, 0x200F},   Range{0x2028, 0x202E},
    Range{0x2060, 0x2064},   Range{0x2066, 0x206F},   Range{0xFEFF, 0xFEFF},
    Range{0xFFF9, 0xFFFB},   Range{0x110BD, 0x110BD}, Range{0x110CD, 0x110CD},
    Range{0x13430, 0x1343F}, Range{0x1BCA0, 0x1BCA3}, Range{0x1D173, 0x1D17A},
    Range{0xE0001, 0xE0001}, Range{0xE0020, 0xE007F}};

// Zs, and the spaces among the control characters of ASCII.
constexpr std::array kBlank{Range{0x0009, 0x000D}, Range{0x0020, 0x0020}, Range{0x00A0, 0x00A0},
                            Range{0x1680, 0x1680}, Range{0x2000, 0x200A}, Range{0x202F, 0x202F},
                            Range{0x205F, 0x205F}, Range{0x3000, 0x3000}};

template <typename Ranges>
bool IsIn(const Ranges& ranges, std::uint32_t character) {
  const auto after = std::upper_bound(
      ranges.begin(), ranges.end(), character,
      [](std::uint32_t wanted, const Range& range) { return wanted < range.first; });
  return after != ranges.begin() && character <= std::prev(after)->last;
}

// Takes the first character off the text; nothing when it is no UTF-8.
std::optional<std::uint32_t> TakeCharacter(std::string_view* text) {
  const auto first = static_cast<unsigned char>(text->front());
  const std::size_t length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if ((first >= 0x80 && first < 0xC2) || first > 0xF4 || text->size() < length) {
    return std::nullopt;
  }
  std::uint32_t character = length == 1 ? first : first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; i++) {
    const auto next = static_cast<unsigned char>((*text)[i]);
    if ((next & 0xC0U) != 0x80) {
      return std::nullopt;
    }
    character = character << 6U | (next & 0x3FU);
  }
  text->remove_prefix(length);
  return character;
}

}  // namespace

bool HasHiddenCharacter(std::string_view text) {
  bool hidden = false;
  for (std::string_view rest = text; !rest.empty();) {
    const auto character = TakeCharacter(&rest);
    if (!character) {
      return std::any_of(text.begin(), text.end(), [](char byte) {
        return IsIn(kHidden, static_cast<unsigned char>(byte)) &&
               static_cast<unsigned char>(byte) != 0xAD;
      });
    }
    hidden = hidden || IsIn(kHidden, *character);
  }
  return hidden;
}

bool IsBlank(std::string_view text) {
  while (!text.empty()) {
    const auto character = TakeCharacter(&text);
    if (!character || !IsIn(kBlank, *character)) {
      return false;
    }
  }
  return true;
}

}  // namespace ratchet::policy
