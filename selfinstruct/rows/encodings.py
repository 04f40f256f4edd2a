"""Texts that were decoded wrongly, or that hold characters which no text has; and the way back where there is one.

    >>> decoded("the cafÃ© on the corner")
    'the café on the corner'

Mojibake is UTF-8 that was read as Windows-1252 or Latin-1. Only what is valid UTF-8 again counts, and of that only what
no language writes: "Ã" or "Â" and a sign, "â" and two signs (dashes, quotes, arrows), "ðŸ" and two (emoji), or any two
letters in a row that were broken alike (Cyrillic, Greek, Arabic, Chinese ...). A French "café »" with its narrow space,
a German "Gruß“" and a Portuguese "NÃO" are none. Not covered: other code pages, and one broken letter of another script
by itself.
"""

import re

from selfinstruct.rows.escapes import lost_command, restored

_CONTINUATION = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_QUOTES = "«»‘’“”–—…"
_SEQUENCE = f"(?:[Â-ß][{_CONTINUATION}]|[à-ï][{_CONTINUATION}]{{2}}|[ð-ô][{_CONTINUATION}]{{3}})"
_BROKEN = re.compile(
    rf"{_SEQUENCE}{{2,}}"
    rf"|Ã(?:(?<![A-ZÀ-Þ]Ã)[{_QUOTES}]|(?![{_QUOTES}])[{_CONTINUATION}])|Â(?!\xa0?[»›])[\xa0-\xbf]"
    rf"|â(?!…[“”])[{_CONTINUATION}]{{2}}|ðŸ[{_CONTINUATION}]{{2}}|ï»¿|ï¿½"
)
# What is left of a dash or a quote whose last byte was lost.
_BEYOND_REPAIR = re.compile("â€")
# ANSI colours; C0 but tab, line feed, carriage return and form feed; DEL; C1.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f](?:(?<=\x1b)\[[0-9;]*[A-Za-z])?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_AROUND = 20  # characters of evidence on each side


def mojibake(text: str) -> str | None:
    """The first broken place with what stands around it; None if there is none."""
    if text.isascii():
        return None
    for found in _BROKEN.finditer(text):
        if _again(found) != found.group():
            return _with_surroundings(text, found)
    found_rest = _BEYOND_REPAIR.search(text)
    return _with_surroundings(text, found_rest) if found_rest else None


def decoded(text: str) -> str:
    """The text with every broken place decoded, also what was broken twice; what does not decode stays as it is."""
    for _ in range(3):
        before, text = text, _BROKEN.sub(_again, text)
        if text == before:
            break
    return text


def control_character(text: str) -> str | None:
    """The first control character but tab, line ends and form feed, or a formula's backslash; None if there is none."""
    found = _CONTROL.search(text) or lost_command(text)
    return _with_surroundings(text, found) if found else None


def without_control_characters(text: str) -> str:
    """The text without them; those from 0x80 on become what Windows-1252 has there, and formulas are restored."""
    return _CONTROL.sub(lambda found: _windows(found.group()), restored(text))


def half_surrogate(text: str) -> str | None:
    """The first half of a surrogate pair, which is no character; None if there is none."""
    found = None if text.isascii() else _SURROGATE.search(text)
    return _with_surroundings(text, found) if found else None


def replacement_character(text: str) -> str | None:
    """The first U+FFFD, which stands where a decoder gave up; None if there is none."""
    at = text.find("\ufffd")
    return None if at < 0 else text[max(0, at - _AROUND) : at + _AROUND]


def _again(found: re.Match[str]) -> str:
    try:
        return b"".join(map(_byte, found.group())).decode("utf-8")
    except UnicodeDecodeError:
        return found.group()


def _byte(character: str) -> bytes:
    """The byte that was read as this character."""
    return character.encode("latin-1") if character <= "\xff" else character.encode("cp1252")


def _windows(control: str) -> str:
    return control.encode("latin-1").decode("cp1252", "ignore") if "\x80" <= control <= "\x9f" else ""


def _with_surroundings(text: str, found: re.Match[str]) -> str:
    return text[max(0, found.start() - _AROUND) : found.end() + _AROUND]
