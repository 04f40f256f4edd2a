"""Code blocks inside an output, in which "Input:" or "# Example 1" is a part of the code and no field."""

import re

from selfinstruct.parsing.names import any_of
from selfinstruct.patterns import pattern

_MASK = "\ue000"  # of Unicode's private use: no mark of a field begins with it
_FENCE = pattern(r"[ \t]{0,8}(?P<ticks>`{3,9}|~{3,9})[ \t]{0,3}(?P<language>[\w+#.-]{0,20})[ \t]{0,9}\Z")
_PLAIN = ("", "text", "txt", "plaintext", "plain", "markdown", "md", "json", "output", "input", "example")
_OPENS_OUTPUT = pattern(
    rf"[ \t*_#>-]{{0,8}}{any_of('output')}[*_ \t]{{0,4}}[:：][*_ \t]{{0,4}}(?P<rest>[^\n]*)\Z", re.IGNORECASE
)


def masked(text: str) -> str:
    """The text with each line inside of a code block marked, so that no field is found in it; `unmasked` undoes that.

    A block is code if it has the name of a language, or is what stands below "Output:". Others may hold whole examples.

    >>> masked("Output:\\n```yaml\\ninput: a\\n```").count(_MASK)
    1
    """
    if "```" not in text and "~~~" not in text:
        return text
    found: list[str] = []
    closing, above = "", ""
    for line in text.split("\n"):
        if closing and line.strip().startswith(closing):
            closing = ""
            found.append(line)
        elif closing:
            found.append(_MASK + line)
        else:
            found.append(line)
            output = _OPENS_OUTPUT.match(line)
            fence = _FENCE.match(output["rest"] if output else line)
            before = output or _OPENS_OUTPUT.match(above)
            is_below = before is not None and (output is not None or not before["rest"])
            if fence and (is_below or fence["language"].lower() not in _PLAIN):
                closing = fence["ticks"]
        above = line if line.strip() else above
    return "\n".join(found)


def is_masked(text: str) -> bool:
    """Whether the text has a code block with a line that `masked` has marked."""
    return _MASK in text


def unmasked(text: str) -> str:
    """The text as it was before `masked`."""
    return text.replace(_MASK, "")
