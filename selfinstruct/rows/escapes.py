r"""Backslashes of formulas that JSON took for escapes: \frac read as a form feed and "rac".

Models write formulas into JSON as they are, without doubling the backslash. \b and \f are escapes in JSON, but no text
means a backspace, nor a form feed before a letter; tabs and line ends are meant, unless what follows is the rest of a
command and no word: "ext{", "imes", "abla", "ight". `meant` looks at the JSON before it is decoded, where "\n" and a
line break still differ; `restored` at texts that were decoded already.

Not covered: commands whose rest is a word or a letter, such as \nu, \neg and \rm; "\\" for a line's end in a formula.
"""

import re

_LETTERS = r"(?![A-Za-z])"
_AFTER = {
    "t": rf"(?:ext(?:bf|it|rm|tt|sf|sc|color|style|normal)?|frac)\{{|(?:heta|imes|ilde|riangle|herefore){_LETTERS}",
    "n": rf"(?:abla|eq|leq|geq|otin|subseteq|onumber|ewline|[Rr]ightarrow|[Ll]eftarrow){_LETTERS}",
    "r": rf"(?:ight(?:arrow)?|ho|angle|ceil|floor){_LETTERS}",
}
_SHORT = rf"t(?:o|au|an|op|ag){_LETTERS}"  # may be a name in code behind a tab that indents it
_VALID = r"[\"\\/'\n\r]|u[0-9A-Fa-f]{4}|u[0-9A-Fa-f]{0,3}\Z|\Z"
_ESCAPE = re.compile(
    rf"\\(?:(?P<command>b|f(?=[A-Za-z])|{'|'.join(f'{sign}(?:{rest})' for sign, rest in _AFTER.items())}"
    rf"|(?<=[\w ${{}})^]\\){_SHORT})|(?P<valid>{_VALID}|[bfnrt])|)"
)
_SIGN = {"\b": "b", "\f": "f", "\t": "t", "\n": "n", "\r": "r"}
_LOST = re.compile(
    rf"\x08(?=[A-Za-z])|\f(?=[A-Za-z])|\t(?={_AFTER['t']})|(?<=[\w ${{}})])\n(?={_AFTER['n']})|\r(?={_AFTER['r']})"
)


def meant(source: str) -> str:
    r"""JSON with a second backslash where one is no escape, or one that was not meant: \frac, \alpha, \( ."""
    if "\\" not in source:
        return source
    return _ESCAPE.sub(lambda found: found.group() if found["valid"] is not None else "\\" + found.group(), source)


def lost_command(text: str) -> re.Match[str] | None:
    """The first control character that was a formula's backslash; None if there is none."""
    return _LOST.search(text)


def restored(text: str) -> str:
    """The text with those backslashes again."""
    return _LOST.sub(lambda found: "\\" + _SIGN[found.group()], text)
