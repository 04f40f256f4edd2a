"""TOML files that users bring: settings."""

import tomllib
from pathlib import Path
from typing import Any

from selfinstruct.errors import UsageError
from selfinstruct.rows.reading import read_text


def read_toml(path: Path) -> dict[str, Any]:
    """The TOML file's values; UsageError if it cannot be read."""
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}.") from None
