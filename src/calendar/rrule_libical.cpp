// The only place that knows libical. It is asked for one part of a rule at a time, in one year:
// these rules always match within a few years, so that its search ends, and its errors with
// combinations of parts do not matter. See "iCalendar rules" in docs/design-notes.md.
#include <libical/ical.h>

#include <initializer_list>

#include "calendar/civil.h"
#include "calendar/rrule_dates.h"

namespace ratchet::calendar {

namespace {

// Values of libical are 1 for Sunday.
short LibicalWeekday(int weekday) { return static_cast<short>(weekday + 1); }

short LibicalDay(const WeekdayPart& part) {
  const int code = 8 * (part.nth < 0 ? -part.nth : part.nth) + LibicalWeekday(part.weekday);
  return static_cast<short>(part.nth < 0 ? -code : code);
}

icaltimetype DateOf(int year, int month, int day) {
  icaltimetype date = icaltime_null_time();
  date.year = year;
  date.month = month;
  date.day = day;
  date.is_date = 1;
  return date;
}

// Arrays of libical end with this value.
template <std::size_t size>
class PartWriter {
 public:
  explicit PartWriter(short (&array)[size]) : array_(array) {}

  void Add(int value) {
    if (used_ + 1 < size) {
      array_[used_++] = static_cast<short>(value);
      array_[used_] = ICAL_RECURRENCE_ARRAY_MAX;
    }
  }

 private:
  short (&array_)[size];
  std::size_t used_ = 0;
};

icalrecurrencetype RuleOf(icalrecurrencetype_frequency frequency) {
  icalrecurrencetype rule;
  icalrecurrencetype_clear(&rule);
  rule.freq = frequency;
  return rule;
}

void Set(YearMask* mask, std::int64_t day) {
  (*mask)[static_cast<std::size_t>(day / 64)] |= std::uint64_t{1} << (day % 64);
}

// The dates of `rule` from 1 January to `last` of the same year.
void Expand(icalrecurrencetype rule, const icaltimetype& last, YearMask* mask) {
  // Its default is to abort the process.
  icalerror_set_errors_are_fatal(0);
  rule.until = last;
  const std::int64_t first = DaysFromCivil({last.year, 1, 1});
  icalrecur_iterator* iterator = icalrecur_iterator_new(rule, DateOf(last.year, 1, 1));
  if (iterator == nullptr) {
    return;
  }
  for (icaltimetype date = icalrecur_iterator_next(iterator);
       icaltime_is_null_time(date) == 0 && date.year == last.year;
       date = icalrecur_iterator_next(iterator)) {
    Set(mask, DaysFromCivil({date.year, date.month, date.day}) - first);
  }
  icalrecur_iterator_free(iterator);
}

void And(YearMask* mask, const YearMask& other) {
  for (std::size_t i = 0; i < mask->size(); ++i) {
    (*mask)[i] &= other[i];
  }
}

// Asked for the first and the last day of each month, for a day costs microseconds.
YearMask ExpandMonths(std::uint32_t months, int year) {
  icalrecurrencetype rule = RuleOf(ICAL_MONTHLY_RECURRENCE);
  PartWriter by_month(rule.by_month);
  for (int month = 1; month <= 12; ++month) {
    if ((months >> month & 1) != 0) {
      by_month.Add(month);
    }
  }
  PartWriter by_month_day(rule.by_month_day);
  by_month_day.Add(1);
  by_month_day.Add(-1);
  YearMask ends{};
  Expand(rule, DateOf(year, 12, 31), &ends);
  YearMask mask{};
  bool inside = false;
  for (int day = 0; day < 366; ++day) {
    const bool is_end = (ends[static_cast<std::size_t>(day / 64)] >> (day % 64) & 1) != 0;
    if (is_end || inside) {
      Set(&mask, day);
    }
    inside = is_end != inside;
  }
  return mask;
}

YearMask ExpandMonthDays(std::uint32_t days, std::uint32_t days_from_end, int year) {
  YearMask mask{};
  // Of both signs there are more than its array holds.
  for (const int sign : {1, -1}) {
    const std::uint32_t set = sign > 0 ? days : days_from_end;
    if (set == 0) {
      continue;
    }
    icalrecurrencetype rule = RuleOf(ICAL_MONTHLY_RECURRENCE);
    PartWriter by_month_day(rule.by_month_day);
    for (int day = 1; day <= 31; ++day) {
      if ((set >> day & 1) != 0) {
        by_month_day.Add(sign * day);
      }
    }
    Expand(rule, DateOf(year, 12, 31), &mask);
  }
  return mask;
}

YearMask ExpandYearDays(const std::vector<int>& year_days, int year) {
  YearMask mask{};
  for (const int sign : {1, -1}) {
    icalrecurrencetype rule = RuleOf(ICAL_YEARLY_RECURRENCE);
    PartWriter by_year_day(rule.by_year_day);
    bool any = false;
    for (const int day : year_days) {
      if ((day < 0) == (sign < 0)) {
        by_year_day.Add(day);
        any = true;
      }
    }
    if (any) {
      Expand(rule, DateOf(year, 12, 31), &mask);
    }
  }
  return mask;
}

YearMask ExpandWeekdays(const std::vector<WeekdayPart>& weekdays, bool nth_in_month, int year) {
  YearMask mask{};
  icalrecurrencetype weekly = RuleOf(ICAL_WEEKLY_RECURRENCE);
  PartWriter by_day(weekly.by_day);
  icalrecurrencetype nth = RuleOf(nth_in_month ? ICAL_MONTHLY_RECURRENCE : ICAL_YEARLY_RECURRENCE);
  PartWriter by_nth_day(nth.by_day);
  // Weekly rules want the days in the order of a week that starts on Monday.
  std::uint32_t every = 0;
  bool any_nth = false;
  for (const WeekdayPart& part : weekdays) {
    if (part.nth == 0) {
      every |= 1U << ((part.weekday + 6) % 7);
    } else {
      by_nth_day.Add(LibicalDay(part));
      any_nth = true;
    }
  }
  for (int i = 0; i < 7; ++i) {
    if ((every >> i & 1) != 0) {
      by_day.Add(LibicalWeekday((i + 1) % 7));
    }
  }
  if (every != 0) {
    // The other weeks are like the first one.
    YearMask week{};
    Expand(weekly, DateOf(year, 1, 7), &week);
    for (int day = 0; day < 366; ++day) {
      if ((week[0] >> (day % 7) & 1) != 0) {
        Set(&mask, day);
      }
    }
  }
  if (any_nth) {
    Expand(nth, DateOf(year, 12, 31), &mask);
  }
  return mask;
}

}  // namespace

YearMask ExpandByLibical(const DateParts& parts, int year) {
  YearMask mask{};
  const int length = IsLeapYear(year) ? 366 : 365;
  for (int day = 0; day < length; ++day) {
    Set(&mask, day);
  }
  if (!parts.year_days.empty()) {
    And(&mask, ExpandYearDays(parts.year_days, year));
  }
  if ((parts.days | parts.days_from_end) != 0) {
    And(&mask, ExpandMonthDays(parts.days, parts.days_from_end, year));
  }
  if (!parts.weekdays.empty()) {
    And(&mask, ExpandWeekdays(parts.weekdays, parts.nth_in_month, year));
  }
  if (parts.months != 0 && parts.months != 0x1ffe) {
    And(&mask, ExpandMonths(parts.months, year));
  }
  return mask;
}

}  // namespace ratchet::calendar
