"""Times as people write them: 2026-11-20, 14:02, yesterday, 2 weeks ago, monday (docs/query.md, "Times")."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from gitexp.errors import UsageError

# Patterns are compiled when a time is read: most lists have none.
_ISO = (
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})(?:[T ](?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)"
    r" ?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?)?)?"
)
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?"
_DAY = r"(last )?([a-z]+)(?: (\d{1,2}:\d{2}(?::\d{2})?))?"
_AGO = r"((?:(?:\d+(?:\.\d+)?|an?)[ .]?[a-z]+[ ,.]?)+?)[ .]?ago"
_AGO_PART = r"(\d+(?:\.\d+)?|an?)[ .]?([a-z]+)"
_EPOCH = r"@(\d{1,12})"
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86400),
    **dict.fromkeys(("w", "week", "weeks"), 604800),
}
_MONTHS = {**dict.fromkeys(("month", "months"), 1), **dict.fromkeys(("y", "year", "years"), 12)}
_HINT = "for example: 2026-11-20  '2026-11-20 14:02'  today  yesterday  '2 days ago'  monday"


class Span(NamedTuple):
    """What a text means, in milliseconds since the epoch: a whole day or minute, or a moment (both ends equal)."""

    start_ms: int
    end_ms: int  # the first millisecond that is not in it; of a moment the moment itself


def read(text: str, now_ms: int) -> Span:
    """Return the time that a text means, in the local zone where it names none; raises UsageError."""
    words = " ".join(text.split())
    try:
        found = _read(words, now_ms)
    except (ValueError, OverflowError, OSError) as error:  # the 31st of June, the year 0, out of the clock's range
        raise UsageError(f"{text[:60]!r} is no time: {error}", hint=_HINT) from error
    if found is None:
        raise UsageError(f"{text[:60]!r} is no time", hint=_HINT)
    return found


def _read(words: str, now_ms: int) -> Span | None:
    lowered = words.lower()
    if lowered == "now":
        return Span(now_ms, now_ms)
    if match := re.fullmatch(_ISO, words, re.ASCII | re.IGNORECASE):
        return _iso(match)
    if match := re.fullmatch(_EPOCH, words, re.ASCII):
        return Span(int(match[1]) * 1000, int(match[1]) * 1000 + 1000)
    if match := re.fullmatch(_AGO, lowered, re.ASCII):
        return _ago(match[1], now_ms)
    if match := re.fullmatch(_CLOCK, lowered, re.ASCII):
        return _at_clock(_today(now_ms), match[0])
    if match := re.fullmatch(_DAY, lowered, re.ASCII):
        return _on_day(match, now_ms)
    return None


def _iso(match: re.Match[str]) -> Span:
    year, month, day = int(match["year"]), int(match["month"] or 1), int(match["day"] or 1)
    first = datetime(year, month, day)
    if match["clock"]:
        return _at_clock(first, match["clock"], _zone(match["zone"]))
    if match["day"]:
        return _span(first, _next_day(first))
    return _span(first, _months(first, 1 if match["month"] else 12))


def _zone(written: str | None) -> timezone | None:
    if written is None:
        return None
    if written.upper() in ("Z", "UTC", "GMT"):
        return UTC
    hours, minutes = int(written[1:3]), int(written[-2:])
    if minutes > 59:
        raise ValueError(f"zone {written}")
    return timezone(timedelta(hours=hours, minutes=minutes) * (-1 if written[0] == "-" else 1))


def _at_clock(day: datetime, clock: str, zone: timezone | None = None) -> Span:
    match = re.fullmatch(_CLOCK, clock, re.ASCII)
    assert match is not None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    micros = int((match[4] or "0").ljust(6, "0"))
    moment = day.replace(hour=hour, minute=minute, second=second, microsecond=micros, tzinfo=zone)
    start = _ms(moment)
    return Span(start, start + (1 if match[4] else 1000 if match[3] else 60_000))


def _ago(amounts: str, now_ms: int) -> Span | None:
    seconds, months = 0.0, 0
    for count, unit in re.findall(_AGO_PART, amounts, re.ASCII):
        amount = 1.0 if count.startswith("a") else float(count)
        if unit in _UNITS:
            seconds += amount * _UNITS[unit]
        elif unit in _MONTHS and amount.is_integer():
            months += int(amount) * _MONTHS[unit]
        else:
            return None
    moment = datetime.fromtimestamp(now_ms / 1000)
    start = _ms(_months(moment, -months)) if months else now_ms
    start -= round(seconds * 1000)
    _ = datetime.fromtimestamp(start / 1000)  # raises where no calendar has it
    return Span(start, start)


def _on_day(match: re.Match[str], now_ms: int) -> Span | None:
    last, word, clock = match.groups()
    day = _day(word, _today(now_ms), before_today=bool(last))
    if day is None or (last and word in ("today", "yesterday")):
        return None
    return _at_clock(day, clock) if clock else _span(day, _next_day(day))


def _day(word: str, today: datetime, *, before_today: bool) -> datetime | None:
    """Return the day that a word means: the newest such weekday, today's too unless it is `last monday`."""
    if word in ("today", "yesterday"):
        return today - timedelta(days=word == "yesterday")
    named = [at for at, name in enumerate(_WEEKDAYS) if len(word) >= 3 and name.startswith(word)]
    if not named:
        return None
    back = (today.weekday() - named[0]) % 7
    return today - timedelta(days=back or 7 * before_today)


def _today(now_ms: int) -> datetime:
    return datetime.fromtimestamp(now_ms / 1000).replace(hour=0, minute=0, second=0, microsecond=0)


def _next_day(day: datetime) -> datetime:
    return day + timedelta(days=1)


def _months(moment: datetime, count: int) -> datetime:
    """Return a moment some months on; where the month is too short, its last day."""
    at = moment.year * 12 + moment.month - 1 + count
    first = moment.replace(year=at // 12, month=at % 12 + 1, day=1)
    following = first.replace(year=(at + 1) // 12, month=(at + 1) % 12 + 1)
    return first.replace(day=min(moment.day, (following - first).days))


def _span(start: datetime, end: datetime) -> Span:
    return Span(_ms(start), _ms(end))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
