"""A dataset checked; a student fine-tuned, and opened."""

from typing import TYPE_CHECKING, Any

from selfinstruct.api.runs import Run
from selfinstruct.api.settings import FilePath, file_path

if TYPE_CHECKING:
    from finetune.inference.student import Student
    from selfinstruct.checks.checking import Checked


def check(file: Run | FilePath) -> "Checked":
    """Find what is wrong with the rows of an instruction dataset in any common format: see `findings` and `summary()`.

    `file`: a JSON list, JSON Lines or Parquet; or a run, whose records are checked.
    """
    from selfinstruct.checks.checking import check

    return check(file.folder / "records.jsonl" if isinstance(file, Run) else file_path("file", file))


def finetune(data: "Run | FilePath | list[Run | FilePath]", *, model: str, out: FilePath, **settings: Any) -> "Student":
    """Fine-tune `model` (a folder, or a name on the hub) on runs and files, and give the student in the folder `out`.

    `settings`: the fine-tuning reference, such as `method="lora"`, `epochs=3`. Needs selfinstruct[finetune]. Ctrl-C
    leaves a checkpoint and raises KeyboardInterrupt; the same call resumes the training.
    """
    from finetune.cli import check_installed

    check_installed()
    from finetune.inference.student import Student
    from finetune.training.settings import named_settings, parse_settings
    from finetune.training.train import train

    sources = data if isinstance(data, list | tuple) else [data]
    paths = [{"path": str(one.folder if isinstance(one, Run) else file_path("data", one))} for one in sources]
    named = named_settings(None, settings.pop("preset", None), {"data": paths, "model": model, **settings})
    place = file_path("out", out)
    if not train(parse_settings(named), place):
        raise KeyboardInterrupt(f"{place} has a checkpoint; the same call resumes the training.")
    return Student(str(place))


def student(folder: FilePath) -> "Student":
    """A fine-tuned student, loaded from its folder: `si.student("outputs/student").chat("Why is the sky blue?")`.

    Needs selfinstruct[finetune].
    """
    from finetune.cli import check_installed

    check_installed()
    from finetune.inference.student import Student, check_folder

    place = file_path("folder", folder)
    check_folder(place)
    return Student(str(place))
