#include "batch/bounds.h"

namespace ratchet::batch {
namespace {

std::string Parameter(int number) { return "$" + std::to_string(number); }

std::string Compare(const Key& key, int i, const std::string& operation, int first) {
  return key.column(i) + " " + operation + " " + Parameter(first + i);
}

// ROW(c1, c2) > ROW($1, $2)
std::string CompareRows(const Key& key, const std::string& operation, int first) {
  std::string columns;
  std::string bounds;
  for (int i = 0; i < key.size(); i++) {
    columns += (i == 0 ? "" : ", ") + key.column(i);
    bounds += (i == 0 ? "" : ", ") + Parameter(first + i);
  }
  return "ROW(" + columns + ") " + operation + " ROW(" + bounds + ")";
}

// A row comparison of one column, which a plain ROW(c1) would not be.
std::string CompareTwice(const Key& key, const std::string& operation, int first) {
  const std::string& column = key.column(0);
  const std::string bound = Parameter(first);
  return "ROW(" + column + ", " + column + ") " + operation + " ROW(" + bound + ", " + bound + ")";
}

// c1 > $1 OR (c1 = $1 AND (c2 > $2)), with the last comparison as given.
std::string CompareColumns(const Key& key, const std::string& (Key::*strict)(int) const,
                           const std::string& last, int first, int from = 0) {
  if (from == key.size() - 1) {
    return Compare(key, from, last, first);
  }
  return Compare(key, from, (key.*strict)(from), first) + " OR (" +
         Compare(key, from, key.equal(from), first) + " AND (" +
         CompareColumns(key, strict, last, first, from + 1) + "))";
}

bool HasOneOperator(const Key& key) {
  for (int i = 1; i < key.size(); i++) {
    if (key.behind(i) != key.behind(0) || key.not_behind(i) != key.not_behind(0)) {
      return false;
    }
  }
  return true;
}

std::string Behind(const Key& key, BoundsForm form, int first) {
  const bool rows = HasOneOperator(key) && form != BoundsForm::kColumns;
  if (key.size() == 1) {
    return Compare(key, 0, key.behind(0), first);
  }
  const std::string whole =
      rows ? CompareRows(key, key.behind(0), first)
           : "(" + CompareColumns(key, &Key::behind, key.behind(key.size() - 1), first) + ")";
  return rows && form != BoundsForm::kRowsBehindFirst
             ? whole
             : Compare(key, 0, key.not_before(0), first) + " AND " + whole;
}

// The end is part of it.
std::string UpTo(const Key& key, BoundsForm form, int first) {
  if (form == BoundsForm::kColumns) {
    // Alone, the comparison with the first column would be taken for the end of a range.
    const std::string last = Compare(key, key.size() - 1, key.equal(key.size() - 1), first);
    return key.size() == 1
               ? "(" + Compare(key, 0, key.before(0), first) + " OR " + last + ")"
               : "(" + CompareColumns(key, &Key::before, key.not_behind(key.size() - 1), first) +
                     ")";
  }
  if (key.size() == 1) {
    return form == BoundsForm::kRange ? Compare(key, 0, key.not_behind(0), first)
                                      : CompareTwice(key, key.not_behind(0), first);
  }
  const bool rows = HasOneOperator(key);
  const std::string whole =
      rows ? CompareRows(key, key.not_behind(0), first)
           : "(" + CompareColumns(key, &Key::before, key.not_behind(key.size() - 1), first) + ")";
  return rows && form != BoundsForm::kRowsBehindFirst
             ? whole
             : CompareTwice(key, key.not_behind(0), first) + " AND " + whole;
}

}  // namespace

std::string Bounds(const Key& key, BoundsForm form, bool lower, bool upper) {
  std::string where;
  if (lower) {
    where += " WHERE " + Behind(key, form, 1);
  }
  if (upper) {
    where += (lower ? " AND " : " WHERE ") + UpTo(key, form, lower ? key.size() + 1 : 1);
  }
  return where;
}

}  // namespace ratchet::batch
