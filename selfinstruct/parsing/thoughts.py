"""What a reasoning model thought aloud before its answer, which is no part of it."""

import re

# Some templates put the opening tag into the prompt, so that only the closing one is said.
_THOUGHTS = re.compile(
    r"\A.*</(?:think|thinking|reasoning)>|\A\s*<(?:think|thinking|reasoning)>.*\Z", re.DOTALL | re.IGNORECASE
)


def spoken(text: str) -> str:
    """The text without what a reasoning model thought aloud before it."""
    return _THOUGHTS.sub("", text)
