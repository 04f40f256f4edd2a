"""What a run rejected by: read at once, for completion on the command line, without importing the rest of the store."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

FILE = "run.db"
DISTINCT = "SELECT DISTINCT {} FROM rejections ORDER BY 1"


def rejected_by(run: Path, column: Literal["stage", "reason"]) -> list[str]:
    """The distinct stages, or reasons, of a run's rejections, sorted; [] where there is no run that can be read."""
    if not (run / FILE).is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{(run / FILE).absolute().as_uri()}?mode=ro", uri=True)) as database:
            return [str(name) for (name,) in database.execute(DISTINCT.format(column))]
    except sqlite3.Error:
        return []
