"""The thoughts that a reasoning model writes before its answer, and that are not part of it."""

import re

# Some templates put the opening tag into the prompt, so the answer has only the closing one.
_THOUGHTS = re.compile(
    r"\A.*</(?:think|thinking|reasoning)>|\A\s*<(?:think|thinking|reasoning)>.*\Z", re.DOTALL | re.IGNORECASE
)


def spoken(text: str) -> str:
    """The text without the thoughts that a reasoning model wrote before it."""
    return _THOUGHTS.sub("", text)
