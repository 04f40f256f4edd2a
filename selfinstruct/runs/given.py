"""What `annotate` is given: a task with its examples, and rows; from files, or from a run that was begun with it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct.annotation import MOST_SAMPLES
from selfinstruct.annotation.examples import Example, read_examples
from selfinstruct.annotation.rows import Row, as_rows, as_text, read_rows, refuse_columns
from selfinstruct.annotation.task import AnnotationTask, read_task
from selfinstruct.errors import StoreError, UsageError
from selfinstruct.labels import ACTIVE, Select
from selfinstruct.parsing.labels import read_label, read_score
from selfinstruct.settings import parse_as
from selfinstruct.store.store import Store


class Rounds(NamedTuple):
    """Active labeling: `n` rounds of `each` rows, chosen by a method of `labels.active`."""

    n: int
    each: int
    select: Select


class Given(NamedTuple):
    """What a user brings: a task with its examples, and the rows.

    `source`: the file of the rows. `begun`: the samples that the run was begun with, which its temperature suits.
    """

    task: AnnotationTask
    examples: tuple[Example, ...]
    rows: list[Row] | None
    source: str
    id: str
    gold: str
    samples: int
    begun: int
    rounds: Rounds | None = None


def read_given(
    folder: Path, task: Path | Mapping[str, Any] | None, source: Path | Sequence[Mapping[str, Any]] | None, *,
    id: str = "", gold: str = "", samples: int | None = None, rounds: Rounds | None = None,
) -> Given:  # fmt: skip
    """Read the files, or what the run in `folder` has of them; a task and rows may be values as well.

    UsageError for what cannot be used, before anything is asked.
    """
    stored = _stored(folder) if Store.exists(folder) else None
    if task is None and stored is None:
        raise UsageError(f"Name the task (--task FILE): what is asked about each row. {folder} holds no run to resume.")
    if source is None and stored is None:
        raise UsageError("Name the file of the rows (--from FILE).")
    if source is None and (id or gold):
        raise UsageError("id and gold (--id, --gold) are columns of a file. Name the file, too (--from FILE).")
    if task is None:
        assert stored is not None
        asked, examples = stored.task, stored.examples
    else:
        asked = read_task(task) if isinstance(task, Path) else parse_as(AnnotationTask, dict(task), "task")
        examples = _examples(asked)
    if stored and (problem := _difference(stored, asked, examples)):
        raise UsageError(f"{folder} was started with another task ({problem} differs). Choose another folder.")
    rows = None
    if source is not None:
        id, gold = id or (stored.id if stored else ""), gold or (stored.gold if stored else "")
        name = source if isinstance(source, Path) else Path("rows")
        rows = read_rows(source, id, gold) if isinstance(source, Path) else as_rows(name, source, id, gold)
        refuse_columns(name, (asked.template, *asked.options), rows, gold)
        _refuse_gold(name, asked, rows)
    n = samples or (stored.samples if stored else 1)
    where = os.fsencode(source).decode("utf-8", "replace") if isinstance(source, Path) else ""
    if stored and source is None:
        where, id, gold = stored.source, stored.id, stored.gold
    begun = stored.begun if stored else n
    return Given(asked, examples, rows, where, id, gold, n, begun, _rounds(folder, asked, stored, rounds))


def _rounds(folder: Path, task: AnnotationTask, stored: Given | None, now: Rounds | None) -> Rounds | None:
    """The rounds of now, or those that the run was begun with; more of them may follow, but not others."""
    if now and task.ask != "label":
        raise UsageError(f'rounds (--rounds) need labels, and the task asks for "{task.ask}". Leave them out.')
    before = stored.rounds if stored else None
    if now and stored and (before is None or before._replace(n=now.n) != now):
        was = f"with {before.each} rows each, by {before.select}" if before else "without rounds"
        raise UsageError(f"{folder} was started {was}. Only the number of rounds may change.")
    return now or before


def _examples(task: AnnotationTask) -> tuple[Example, ...]:
    if task.examples is None:
        return ()
    path = Path(task.examples.file)
    found = read_examples(path, task.template, task.examples.answer)
    if task.ask == "label":  # the models see a label as the task spells it
        found = tuple(one._replace(answer=read_label(one.answer, task.choices) or one.answer) for one in found)
    for one in found:
        if task.ask == "label" and one.answer not in task.choices:
            raise UsageError(f"{path}: the answer {one.answer!r:.60} is not one of the labels.")
        if task.ask == "score" and read_score(one.answer, *task.scale) is None:
            raise UsageError(f"{path}: the answer {one.answer!r:.60} is not a number on the scale.")
    return found


def _refuse_gold(path: Path, task: AnnotationTask, rows: Sequence[Row]) -> None:
    """UsageError for gold answers that no vote can equal."""
    known = [row for row in rows if row.gold is not None]
    if task.choices and (strange := {row.gold or "" for row in known} - {*task.choices}):
        raise UsageError(
            f"{path}: gold answers that are not among {', '.join(task.choices)}: "
            f"{', '.join(map(repr, sorted(strange)[:5]))}."
        )
    if task.ask == "score":
        for row in known:
            if read_score(row.gold or "", *task.scale) is None:
                raise UsageError(f"{path}, row {row.id}: the gold answer {row.gold!r:.40} is not on the scale.")


def as_stored(given: Given) -> dict[str, Any]:
    """What a run keeps of it: all but the rows."""
    return {
        "task": given.task.model_dump(mode="json", exclude_defaults=True),
        "examples": [list(one) for one in given.examples],
        "source": given.source, "id": given.id, "gold": given.gold, "samples": given.samples, "begun": given.begun,
        "rounds": list(given.rounds) if given.rounds else None,
    }  # fmt: skip


def _stored(folder: Path) -> Given:
    with Store.read(folder) as store:
        return given_of(store)


def given_of(store: Store) -> Given:
    """What the run was begun with, without its rows."""
    values = store.settings().get("task")
    if values is None:
        raise UsageError(f"{store.folder} holds a run that was not started by annotate. Choose another folder.")
    try:
        task = parse_as(AnnotationTask, values["task"], str(store.path))
        examples = tuple(Example(as_text(one[0]), as_text(one[1])) for one in values["examples"])
        texts = [str(values[key]) for key in ("source", "id", "gold")]
        rounds = values.get("rounds")
        kept = Rounds(int(rounds[0]), int(rounds[1]), ACTIVE[ACTIVE.index(rounds[2])]) if rounds else None
        samples = [min(max(1, int(values.get(key, values["samples"]))), MOST_SAMPLES) for key in ("samples", "begun")]
        return Given(task, examples, None, texts[0], texts[1], texts[2], samples[0], samples[1], kept)
    except (KeyError, TypeError, ValueError, IndexError, UsageError):
        raise StoreError(f"{store.path}: its task is damaged. Restore a copy.") from None


def _difference(stored: Given, task: AnnotationTask, examples: tuple[Example, ...]) -> str:
    """The first key of the task that is not as the run has it; "" if all is the same."""
    before, now = stored.task.model_dump(mode="json"), task.model_dump(mode="json")
    for values in (before, now):  # the file may have moved
        values["examples"] = {**(values["examples"] or {}), "file": ""}
    if stored.examples != examples:
        return "the content of examples"
    return next((key for key in now if now[key] != before.get(key)), "")
