#include "calendar/rrule_dates.h"

#include <algorithm>
#include <bit>

#include "calendar/civil.h"

namespace ratchet::calendar {

namespace {

std::int64_t FirstDayOf(std::int64_t year) { return DaysFromCivil({year, 1, 1}); }

// Beginning with 2001, every kind comes once in 28 years.
constexpr int kFirstSample = 2001;

int KindOf(std::int64_t year, std::int64_t first_day) {
  const int leap =
      IsLeapYear(year) ? 1 : (IsLeapYear(year - 1) ? 2 : (IsLeapYear(year + 1) ? 3 : 0));
  return leap * 7 + WeekdayFromDays(first_day);
}

// Bits [from, to) of a year.
std::uint64_t Word(const YearMask& mask, std::size_t i, std::int64_t from, std::int64_t to) {
  const auto base = static_cast<std::int64_t>(i) * 64;
  std::uint64_t word = mask[i];
  if (from > base) {
    word = from - base >= 64 ? 0 : word >> (from - base) << (from - base);
  }
  if (to < base + 64) {
    word = to <= base ? 0 : word << (base + 64 - to) >> (base + 64 - to);
  }
  return word;
}

}  // namespace

std::int64_t FirstWeekOf(std::int64_t year, int week_start) {
  const std::int64_t day = FirstDayOf(year) + 3;
  return day - (WeekdayFromDays(day) - week_start + 7) % 7;
}

std::int64_t WeekYearOf(std::int64_t day, int week_start) {
  const std::int64_t year = CivilFromDays(day).year;
  if (day < FirstWeekOf(year, week_start)) {
    return year - 1;
  }
  return day < FirstWeekOf(year + 1, week_start) ? year : year + 1;
}

YearMask DateSet::ExpandWeeks(std::int64_t year) const {
  YearMask mask{};
  const std::int64_t first = FirstDayOf(year);
  const std::int64_t end = FirstDayOf(year + 1);
  // The first and the last days may belong to weeks of the years around.
  for (std::int64_t week_year = year - 1; week_year <= year + 1; ++week_year) {
    const std::int64_t begin = FirstWeekOf(week_year, parts_.week_start);
    const std::int64_t weeks = (FirstWeekOf(week_year + 1, parts_.week_start) - begin) / 7;
    for (const int number : parts_.weeks) {
      const std::int64_t week = number > 0 ? number - 1 : weeks + number;
      for (std::int64_t i = 0; week >= 0 && week < weeks && i < 7; ++i) {
        const std::int64_t day = begin + week * 7 + i;
        if (day >= first && day < end) {
          mask[static_cast<std::size_t>((day - first) / 64)] |= std::uint64_t{1}
                                                                << ((day - first) % 64);
        }
      }
    }
  }
  return mask;
}

const YearMask& DateSet::MaskOf(std::int64_t year, std::int64_t first_day) const {
  const int kind = KindOf(year, first_day);
  std::unique_ptr<YearMask>& mask = masks_[static_cast<std::size_t>(kind)];
  if (mask == nullptr) {
    int sample = kFirstSample;
    while (KindOf(sample, FirstDayOf(sample)) != kind) {
      ++sample;
    }
    YearMask days = ExpandByLibical(parts_, sample);
    if (!parts_.weeks.empty()) {
      const YearMask weeks = ExpandWeeks(sample);
      for (std::size_t i = 0; i < days.size(); ++i) {
        days[i] &= weeks[i];
      }
    }
    mask = std::make_unique<YearMask>(days);
  }
  return *mask;
}

bool DateSet::First(std::int64_t from, std::int64_t to, std::int64_t* day) const {
  if (from >= to) {
    return false;
  }
  std::int64_t year = CivilFromDays(from).year;
  std::int64_t begin = FirstDayOf(year);
  while (begin < to) {
    const YearMask& mask = MaskOf(year, begin);
    for (std::size_t i = 0; i < mask.size(); ++i) {
      const std::uint64_t word = Word(mask, i, from - begin, to - begin);
      if (word != 0) {
        *day = begin + static_cast<std::int64_t>(i) * 64 + std::countr_zero(word);
        return true;
      }
    }
    begin += IsLeapYear(year) ? 366 : 365;
    ++year;
  }
  return false;
}

bool DateSet::Last(std::int64_t from, std::int64_t to, std::int64_t* day) const {
  if (from >= to) {
    return false;
  }
  std::int64_t year = CivilFromDays(to - 1).year;
  std::int64_t begin = FirstDayOf(year);
  for (;;) {
    const YearMask& mask = MaskOf(year, begin);
    for (std::size_t i = mask.size(); i-- > 0;) {
      const std::uint64_t word = Word(mask, i, from - begin, to - begin);
      if (word != 0) {
        *day = begin + static_cast<std::int64_t>(i) * 64 + 63 - std::countl_zero(word);
        return true;
      }
    }
    if (begin <= from) {
      return false;
    }
    --year;
    begin -= IsLeapYear(year) ? 366 : 365;
  }
}

int DateSet::Count(std::int64_t from, std::int64_t to) const {
  int count = 0;
  if (from >= to) {
    return count;
  }
  std::int64_t year = CivilFromDays(from).year;
  for (std::int64_t begin = FirstDayOf(year); begin < to; ++year) {
    const YearMask& mask = MaskOf(year, begin);
    for (std::size_t i = 0; i < mask.size(); ++i) {
      count += std::popcount(Word(mask, i, from - begin, to - begin));
    }
    begin += IsLeapYear(year) ? 366 : 365;
  }
  return count;
}

std::int64_t DateSet::Nth(std::int64_t from, std::int64_t to, int n) const {
  std::int64_t year = CivilFromDays(from).year;
  for (std::int64_t begin = FirstDayOf(year); begin < to; ++year) {
    const YearMask& mask = MaskOf(year, begin);
    for (std::size_t i = 0; i < mask.size(); ++i) {
      std::uint64_t word = Word(mask, i, from - begin, to - begin);
      const int here = std::popcount(word);
      if (n >= here) {
        n -= here;
        continue;
      }
      for (; n > 0; --n) {
        word &= word - 1;
      }
      return begin + static_cast<std::int64_t>(i) * 64 + std::countr_zero(word);
    }
    begin += IsLeapYear(year) ? 366 : 365;
  }
  return to;
}

}  // namespace ratchet::calendar
