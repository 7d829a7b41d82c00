"""Which days does a date literal of SOQL mean? Weeks start on Sunday; days are those of UTC."""

from __future__ import annotations

from datetime import date, timedelta


def _months(day: date, count: int) -> date:
    """The first day of the month that is so many months away."""
    number = day.year * 12 + day.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def _named(word: str, unit: str, today: date) -> tuple[date, date]:
    step = {"last": -1, "this": 0, "next": 1}[word]
    if unit == "week":
        start = today - timedelta(days=(today.weekday() + 1) % 7) + timedelta(days=7 * step)
        return start, start + timedelta(days=7)
    size = {"month": 1, "quarter": 3, "year": 12}[unit]
    first = _months(today, -((today.month - 1) % size))
    return _months(first, step * size), _months(first, (step + 1) * size)


def period(literal: str, today: date) -> tuple[date, date]:
    """First day, and the day after the last."""
    word, _, count = literal.lower().partition(":")
    days = {"today": 0, "yesterday": -1, "tomorrow": 1}
    if word in days:
        start = today + timedelta(days=days[word])
        return start, start + timedelta(days=1)
    if word in ("last_90_days", "next_90_days"):
        word, count = word.replace("90", "n"), "90"
    if not count:
        which, _, unit = word.partition("_")
        return _named(which, unit, today)
    amount = int(count)
    unit = word.removeprefix("last_n_").removeprefix("next_n_").removeprefix("n_").removesuffix("_ago")
    if word.endswith("_ago"):
        start = today - timedelta(days=amount * {"days": 1, "weeks": 7, "months": 30}[unit])
        return start, start + timedelta(days=1)
    if unit == "days":
        return (today - timedelta(days=amount), today + timedelta(days=1)) if word.startswith("last") else (
            today + timedelta(days=1), today + timedelta(days=amount + 1))  # fmt: skip
    last = word.startswith("last")
    first, after = _named("this", unit.removesuffix("s"), today)
    size = {"weeks": 7, "months": 1, "years": 12}[unit]
    if unit == "weeks":
        span = timedelta(days=7 * amount)
        return (first - span, first) if last else (after, after + span)
    return (_months(first, -size * amount), first) if last else (after, _months(after, size * amount))
