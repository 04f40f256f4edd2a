"""Checks a dataset and compares it with a test set; fine-tunes and loads students."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfinstruct.api.runs import Run
from selfinstruct.api.settings import FilePath, as_text, file_path, whole_number

if TYPE_CHECKING:
    from finetune.inference.student import Student
    from selfinstruct.checks.checking import Checked
    from selfinstruct.pool.contamination import Overlaps


def check(file: Run | FilePath) -> "Checked":
    """Find defects in an instruction dataset in any common format. The result has `findings` and `summary()`.

    `file`: a JSON list, JSON Lines or Parquet; or a run, whose records are checked. Raises UsageError if it cannot be
    read, or no row has a known format.
    """
    from selfinstruct.checks.checking import check

    return check(_rows_of("file", file))


def overlap(file: Run | FilePath, test_set: FilePath) -> "Overlaps":
    """Find the rows that overlap a test question.

    They share 13 consecutive words (or contain all of a question of 8 to 12), or their questions have ROUGE-L F1 above
    0.7.

    `file`: as for `check`. `test_set`: .txt with one question per line, or .jsonl or .json. The result has `found`:
    each overlapping row with the question; and `rows` and `lines`: how many rows and questions were compared.
    """
    from selfinstruct.pool.contamination import overlaps
    from selfinstruct.rows.questions import read_lines, read_pairs

    lines = read_lines(file_path("test_set", test_set))
    return overlaps(read_pairs(_rows_of("file", file)), lines)


def select(
    file: Run | FilePath,
    keep: int | None = None,
    by: str = "score",
    *,
    output: FilePath,
    at_least: float | None = None,
    column: str = "",
    seed: int = 0,
) -> str:
    """Select at most `keep` rows of a file, or those with a score of `at_least`; write them, and return a report.

    `by`: "score", "least", "diverse", "coverage" or "random". `column`: of numbers; default: score, or confidence.
    `output`: JSON Lines.
    """
    from selfinstruct.runs import selecting

    n, draw = None if keep is None else whole_number("keep", keep), whole_number("seed", seed, least=0)
    found = selecting.select(_rows_of("file", file), by, n, column, seed=draw, at_least=at_least)
    selecting.write(found, file_path("output", output))
    return selecting.render(found)


def _rows_of(what: str, file: Run | FilePath) -> Path:
    from selfinstruct.rows.files import of_run

    return of_run(file.folder if isinstance(file, Run) else file_path(what, file))


def finetune(
    data: "Run | FilePath | list[Run | FilePath]", *, model: FilePath, out: FilePath, **settings: Any
) -> "Student":
    """Fine-tune `model` (a folder or a name on the hub) on runs and files; save the student in `out` and return it.

    `settings`: training settings, such as `method="lora"`, `epochs=3`. Requires selfinstruct[finetune]. Ctrl-C saves a
    checkpoint and raises KeyboardInterrupt; the same call resumes the training.
    """
    from finetune.cli import check_installed

    check_installed()
    from finetune.inference.student import Student
    from finetune.training.settings import named_settings, parse_settings
    from finetune.training.train import train

    sources = data if isinstance(data, list | tuple) else [data]
    paths = [{"path": str(one.folder if isinstance(one, Run) else file_path("data", one))} for one in sources]
    named = named_settings(None, settings.pop("preset", None), {"data": paths, "model": as_text(model), **settings})
    place = file_path("out", out)
    if not train(parse_settings(named), place):
        raise KeyboardInterrupt(f"{place} has a checkpoint; the same call resumes the training.")
    return Student(str(place))


def student(folder: FilePath) -> "Student":
    """Load a fine-tuned student from its folder: `si.student("outputs/student").chat("Why is the sky blue?")`.

    Requires selfinstruct[finetune].
    """
    from finetune.cli import check_installed

    check_installed()
    from finetune.inference.student import Student, check_folder

    place = file_path("folder", folder)
    check_folder(place)
    return Student(str(place))
