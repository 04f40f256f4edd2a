"""Regular expressions that are compiled at their first use.

The parsers and filters know the words of many languages. Compiling all their patterns takes a tenth of a second, which
commands that parse nothing need not wait for.
"""

import re
from typing import Any, cast


class _Uncompiled:
    """Stands for a compiled pattern, whose attributes it takes over as they are used."""

    def __init__(self, text: str, flags: int):
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, value)
        return value


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """The pattern; if `text` is invalid, its first use raises re.error."""
    return cast("re.Pattern[str]", _Uncompiled(text, flags))
