r"""Backslashes of formulas that JSON took for escapes: \frac read as a form feed and "rac".

Models write formulas into JSON as they are, without doubling the backslash. \b and \f are escapes in JSON, but no text
means a backspace, nor a form feed before a letter; tabs and line ends are meant, unless what follows is the rest of a
command and no word: "ext{", "imes", "abla", "ight". `meant` looks at the JSON before it is decoded, where "\n" and a
line break still differ; `restored` at texts that were decoded already.

Paths of Windows suffer the same: C:\new\table. Those of a single name, D:\new, are left alone.

Not covered: commands whose rest is a word, such as \nexists and \reflectbox; "\\" for a line's end in a formula.
"""

import re

from selfinstruct.patterns import pattern

_LETTERS = r"(?![A-Za-z])"
_AFTER = {
    "t": r"(?:(?:ext(?:bf|it|rm|tt|sf|sc|color|style|normal)?|frac)\{"
    rf"|(?:heta|imes|ilde|riangle|herefore){_LETTERS})",
    "n": rf"(?:abla|eq|leq|geq|otin|subseteq|onumber|ewline|[Rr]ightarrow|[Ll]eftarrow){_LETTERS}",
    "r": rf"(?:ight(?:arrow)?|ho|angle|ceil|floor){_LETTERS}",
}
# Words and names too, where a line begins: only inside of one.
_SHORT = rf"(?<=[\w ${{}})^]\\)t(?:o|au|an|op|ag){_LETTERS}|(?<=[ $({{^_=]\\)n(?:u|e|eg|i){_LETTERS}"
_COMMANDS = "|".join(f"{sign}{rest}" for sign, rest in _AFTER.items())
_NOT_MEANT = rf"b|f(?=[A-Za-z])|{_COMMANDS}|{_SHORT}"
_MEANT = pattern(  # several in a row at once; one that the end cuts off may become one
    rf"(?P<meant>(?:\\(?:[\"\\/'\n\r]|(?!{_NOT_MEANT})[bfnrt]|u[0-9A-Fa-f]{{4}}|(?:u[0-9A-Fa-f]{{0,3}})?\Z))+)|\\"
)
# C:\new\table: a drive and names without spaces, unless it may be an option's letter with a line break behind it.
_PATH = pattern(r"(?<![A-Za-z\\])[C-Zc-z]:(?:\\(?!n[A-Z])[A-Za-z_.~$][\w.~$-]{2,}){2,}(?!\\?[\w\\:])")
_SURELY_PATH = pattern(r"\\[^\Wn]|\.\w{1,5}\Z")
_SIGN = {"\b": "b", "\f": "f", "\t": "t", "\n": "n", "\r": "r"}
# A form feed where a line begins is a page's end. Each alternative begins with its sign: `re` skips all other text.
_LOST = pattern(
    rf"\x08(?=[A-Za-z])|\f(?:(?<=[^\n]\f)(?=[A-Za-z])|(?=(?:rac|box)\{{|orall{_LETTERS}))"
    rf"|\t(?={_AFTER['t']})|\n(?={_AFTER['n']})(?<=[\w ${{}})]\n)|\r(?={_AFTER['r']})"
)


def meant(source: str) -> str:
    r"""JSON with a second backslash where one is no escape, or one that was not meant: \frac, \alpha, \( ."""
    if "\\" not in source:
        return source
    source = _PATH.sub(_with_backslashes, source)
    return _MEANT.sub(lambda found: found["meant"] or r"\\", source)


def _with_backslashes(path: re.Match[str]) -> str:
    found = path.group()
    return found.replace("\\", r"\\") if _SURELY_PATH.search(found) else found


def lost_command(text: str) -> re.Match[str] | None:
    """The first control character that was a formula's backslash; None if there is none."""
    return _LOST.search(text)


def restored(text: str) -> str:
    """The text with those backslashes again."""
    return _LOST.sub(lambda found: "\\" + _SIGN[found.group()], text)
