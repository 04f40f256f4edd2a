"""Tasks about dates and clock times. Dates are written "14 March 1987", times "16:05".

For example "which weekday was 4 March 2021?" needs no input and is answered by "Thursday".
"""

import re
from datetime import date, timedelta
from random import Random

from selfinstruct.simulated.world.grammar import Family, Parameters
from selfinstruct.simulated.world.vocabulary import MONTHS, WEEKDAYS

_DATE = re.compile("([0-9]{1,2}) ([A-Z][a-z]+) ([1-8][0-9]{3})")
_TIME = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])")
_TWELVE = re.compile("(1[0-2]|[1-9]):([0-5][0-9]) (am|pm)")


def read_date(text: str) -> date | None:
    """Read "14 March 1987", years 1000 to 8999; None for anything else and for days that do not exist."""
    found = _DATE.fullmatch(text)
    if found is None or found[2] not in MONTHS:
        return None
    try:
        return date(int(found[3]), MONTHS.index(found[2]) + 1, int(found[1]))
    except ValueError:
        return None


def write_date(day: date) -> str:
    """Write a date as "14 March 1987"."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def some_date(rng: Random) -> date:
    """Draw a day of the years 1900 to 2099."""
    return date(1900, 1, 1) + timedelta(days=rng.randrange(73000))


def _any_date(_: Parameters, rng: Random, label: str) -> str:
    return write_date(some_date(rng))


def _weekday(parameters: Parameters, _: str) -> str | None:
    day = read_date(f"{parameters['day']} {parameters['month']} {parameters['year']}")
    return WEEKDAYS[day.weekday()] if day else None


def _two_dates(_: Parameters, rng: Random, label: str) -> str:
    first = some_date(rng)
    return f"{write_date(first)} and {write_date(first + timedelta(days=rng.randint(3, 400)))}"


def _days_between(_: Parameters, text: str) -> str | None:
    first, _and, second = text.partition(" and ")
    start, end = read_date(first), read_date(second)
    return str(abs((end - start).days)) if start and end else None


def _days_later(parameters: Parameters, text: str) -> str | None:
    day = read_date(text)
    return write_date(day + timedelta(days=int(parameters["days"]))) if day else None


def _minutes_later(parameters: Parameters, text: str) -> str | None:
    clock = _TIME.fullmatch(text)
    if clock is None:
        return None
    minutes = int(clock[1]) * 60 + int(clock[2]) + int(parameters["minutes"])
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def _twelve_hours(_: Parameters, rng: Random, label: str) -> str:
    return f"{rng.randint(1, 12)}:{rng.randrange(60):02} {rng.choice(('am', 'pm'))}"


def _twenty_four_hours(_: Parameters, text: str) -> str | None:
    clock = _TWELVE.fullmatch(text.lower())
    return f"{int(clock[1]) % 12 + 12 * (clock[3] == 'pm'):02}:{clock[2]}" if clock else None


DATE_FAMILIES: tuple[Family, ...] = (
    Family(
        name="weekday_of_date",
        orders=(
            "name the weekday of {day} {month} {year}",
            "find out on which day of the week {day} {month} {year} falls",
            "work out the day of the week for {day} {month} {year}",
            "say which weekday belongs to {day} {month} {year}",
        ),
        questions=(
            "which weekday is {day} {month} {year} in the calendar",
            "on which day of the week does {day} {month} {year} fall",
        ),
        slots={"day": range(1, 29), "month": MONTHS, "year": range(1901, 2100)},
        solve=_weekday,
    ),
    Family(
        name="days_between",
        orders=(
            "count the days between {dates}",
            "calculate how many days lie from the first to the second of {dates}",
            "give the distance in days between {dates}",
        ),
        questions=("how many days apart are {dates}", "what is the number of days between {dates}"),
        make=_two_dates,
        solve=_days_between,
    ),
    Family(
        name="days_later",
        orders=(
            "add {days} days to {date} and keep the notation",
            "find the calendar day that comes {days} days after {date}, in the same notation",
            "move {date} forward by {days} days, writing the new one the same way",
        ),
        questions=("which day comes {days} days after {date}, in the same notation",),
        slots={"days": range(3, 121)},
        make=_any_date,
        solve=_days_later,
    ),
    Family(
        name="iso_date",
        orders=(
            "rewrite {date} in the form YYYY-MM-DD",
            "convert {date} to ISO notation, YYYY-MM-DD",
            "put {date} into the format YYYY-MM-DD",
        ),
        questions=("how is {date} written as YYYY-MM-DD", "what is {date} in the form YYYY-MM-DD"),
        make=_any_date,
        solve=lambda _, text: day.isoformat() if (day := read_date(text)) else None,
    ),
    Family(
        name="minutes_later",
        orders=(
            "add {minutes} minutes to {clock}, keeping the 24-hour notation",
            "move {clock} forward by {minutes} minutes on a 24-hour clock",
            "tell what a 24-hour clock shows {minutes} minutes after {clock}",
        ),
        questions=("what time is it {minutes} minutes after {clock} on a 24-hour clock",),
        slots={"minutes": range(5, 180)},
        make=lambda _, rng, label: f"{rng.randrange(24):02}:{rng.randrange(60):02}",
        solve=_minutes_later,
    ),
    Family(
        name="to_24_hours",
        orders=(
            "convert {clock} from the 12-hour to the 24-hour notation HH:MM",
            "rewrite {clock} without am or pm as HH:MM on the 24-hour clock",
            "express {clock} in the 24-hour form HH:MM",
        ),
        questions=("how does a 24-hour clock show {clock} in the form HH:MM",),
        make=_twelve_hours,
        solve=_twenty_four_hours,
    ),
)
