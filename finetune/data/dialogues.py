"""Conversations to train on: from a run, a file in any common format, or a dataset on the hub.

    >>> dialogues = read_dialogues("outputs/run") + read_dialogues("seeds/seeds.jsonl", weight=2)
    >>> train, held_out = split(dialogues, 0.05, seed=0)

Formats are those of `selfinstruct check`, recognized by the rows' fields; a file has one format. A run gives what
`export` would write, with people's decisions applied. Each instance of a self-instruct task is a conversation; a prompt
and completion that are plain texts are a question and an answer, without surrounding white space.

Nothing is left out silently: rows that cannot be trained on raise an error that names them; unwanted rows and answers,
and fields that are not used, are counted in the notes.

Not covered: images and audio, preference pairs, hub datasets with several splits or configurations.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finetune.data.rows import from_rows, normalised, question_of, said_in
from finetune.examples import Dialogue, Message
from selfinstruct.errors import UsageError
from selfinstruct.records import Record
from selfinstruct.rows import files
from selfinstruct.rows.fields import KNOWN
from selfinstruct.rows.files import File, Row
from selfinstruct.rows.writing import whole_file
from selfinstruct.store.store import Store
from selfinstruct.terminal import n_of
from selfinstruct.untrusted import say

__all__ = ["Split", "count_tasks", "normalised", "read_dialogues", "split", "write_dialogues"]

# Held out by default.
USUAL_SHARE, MOST_HELD_OUT, FEWEST_ROWS = 0.05, 500, 20


class Split(NamedTuple):
    """The trained and the held-out dialogues; no task and no text is in both."""

    train: list[Dialogue]
    held_out: list[Dialogue]


def read_dialogues(
    source: Path | str, weight: float = 1.0, seed: int = 0, notes: list[str] | None = None
) -> list[Dialogue]:
    """The conversations of a run's folder, a file, or a dataset on the hub, in their order, `weight` times each.

    Of a weight's fraction that share of rows is drawn, whole tasks at a time, by the seed: 2.5 is all rows twice, and
    half of them again. What was not used is added to `notes`, or printed on standard error.

    UsageError if there is nothing to read, the weight selects nothing, or a row cannot be trained on.
    """
    if weight <= 0:
        raise UsageError(f"{source}: weight = {weight:g}. Set it above 0, or leave the source out.")
    path = Path(source)
    said: list[str] = []
    if path.is_dir():
        found = _from_run(path, said)
    elif path.exists() or not _is_hub_name(str(source)):
        found = from_rows(files.read(path), said)
    else:
        found = from_rows(_on_hub(str(source)), said)
    if notes is None:
        for line in said:
            say(line, file=sys.stderr)
    else:
        notes += said
    times = int(weight)
    drawn = _draw(found, round((weight - times) * len(found)), seed)
    if not times and not drawn:
        least = min(Counter(dialogue.task for dialogue in found).values()) / len(found)
        raise UsageError(
            f"{source}: weight = {weight:g} selects none of its {len(found):,} rows, because tasks are kept "
            f"whole. Set it to {least:g} or more, or leave the source out."
        )
    return found * times + [dialogue for dialogue in found if dialogue.task in drawn]


def write_dialogues(dialogues: Iterable[Dialogue], path: Path) -> None:
    """Write dialogues as rows of messages; `read_dialogues` restores them, except for their sources."""
    with whole_file(path, "--out") as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for dialogue in dialogues:
            row = {name: value for name, value in dialogue._asdict().items() if name != "source" and value is not None}
            if dialogue.instruction is None:
                del row["task"]  # it follows from the messages
            file.write(files.to_line(row) + "\n")


def split(dialogues: Sequence[Dialogue], share: float | None = None, seed: int = 0) -> Split:
    """Hold out whole tasks. `share` below 1: that share of the rows; from 1 on: about that number of rows; 0: none.

    Default: 0.05, at most 500 rows, and none if there are fewer than 20 rows, or too few or too large tasks. Tasks that
    share a question count as one. A row that a weight repeats is held out once. UsageError if the tasks are too few or
    too large for a given share.
    """
    is_asked = share is not None
    if share is None:
        share = min(USUAL_SHARE, MOST_HELD_OUT / len(dialogues)) if len(dialogues) >= FEWEST_ROWS else 0
    if share < 0:
        raise UsageError(f"eval_share = {share:g} is not possible. Use a share between 0 and 1, or a number of rows.")
    same = _joined(dialogues)
    rows = [dialogue._replace(task=same[dialogue.task]) for dialogue in dialogues]
    wanted = max(round(share * len(rows) if share < 1 else share), 1) if share else 0
    drawn = _draw(rows, wanted, seed)
    n_tasks = len(set(same.values()))
    if is_asked and share and (not drawn or len(drawn) == n_tasks):
        raise UsageError(
            f"eval_share = {share:g}: cannot hold out {wanted:,} of {n_of(len(rows), 'row')}. They belong to "
            f"{n_of(n_tasks, 'task')} (rows with the same instruction), and tasks are never split. Set another "
            "eval_share in a TOML file for --config; 0 holds out none."
        )
    held_out: dict[str, Dialogue] = {}
    for dialogue in dialogues:
        if same[dialogue.task] in drawn:
            held_out.setdefault(said_in(dialogue.messages), dialogue)
    return Split([dialogue for dialogue in dialogues if same[dialogue.task] not in drawn], list(held_out.values()))


def count_tasks(dialogues: Iterable[Dialogue]) -> int:
    """How many tasks there are; those that share an instruction or a question count as one."""
    return len(set(_joined(dialogues).values()))


def _draw(dialogues: Sequence[Dialogue], wanted: int, seed: int) -> set[str]:
    """Tasks, shuffled by the seed, that have `wanted` rows together, or as close below that as possible."""
    rows = Counter(dialogue.task for dialogue in dialogues)
    drawn: set[str] = set()
    # By a hash, so that a task keeps its place when others are added or removed.
    for task in sorted(
        rows, key=lambda task: hashlib.sha256(f"{seed} {task}".encode("utf-8", "surrogatepass")).digest()
    ):
        if rows[task] <= wanted:
            drawn.add(task)
            wanted -= rows[task]
    return drawn


def _joined(dialogues: Iterable[Dialogue]) -> dict[str, str]:
    """The representative of each task: tasks that share an instruction or a question are one."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    tasks: list[str] = []
    for dialogue in dialogues:
        tasks.append(dialogue.task)
        texts = [question_of(dialogue.messages)]
        if dialogue.instruction and sum(message["role"] == "user" for message in dialogue.messages) == 1:
            texts.append(dialogue.instruction)  # after earlier turns it means little: "Make it shorter."
        for text in texts:
            parent[root(f"text {normalised(text)}")] = root(f"task {dialogue.task}")
    return {task: root(f"task {task}") for task in tasks}


def _from_run(folder: Path, notes: list[str]) -> list[Dialogue]:
    records = folder / "records.jsonl"
    if not (folder / "run.db").exists() and records.exists():
        return from_rows(files.read(records), notes)
    with Store.read(folder) as store:
        found = [_of_record(record, folder) for record in store.records()]
    if not found:
        raise UsageError(f"{folder}: the run has no records yet. Resume it with selfinstruct generate {folder}")
    return found


def _of_record(record: Record, folder: Path) -> Dialogue:
    messages = [Message(role=m["role"], content=m["content"]) for m in record.messages]
    return Dialogue(
        messages, f"{folder}, task {record.task}", f"{folder}, record {record.id}", record.instruction, record.input
    )


def _is_hub_name(name: str) -> bool:
    """Whether it may be the name of a dataset on the hub, such as tatsu-lab/alpaca, and not a missing path."""
    owner, _, rest = name.rpartition("/")
    looks_like_file = rest.endswith((".json", ".jsonl", ".parquet", ".db", ".csv", ".txt", ".toml"))
    return bool(rest) and "/" not in owner and not looks_like_file and not name.startswith((".", "/", "~"))


def _on_hub(name: str) -> File:
    """The dataset's rows: of its split "train", or its only split."""
    from datasets import DatasetDict, load_dataset

    try:
        found: Any = load_dataset(name)
    except (OSError, ValueError) as error:  # no such dataset, no network, no rows
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"{name}: no such file or folder, and no such dataset could be loaded from the hub ({reason})."
        ) from None
    assert isinstance(found, DatasetDict)
    if "train" not in found and len(found) > 1:
        raise UsageError(f"{name}: no train split, only {', '.join(found)}. Save the split you want as a file.")
    data = found["train"] if "train" in found else next(iter(found.values()))
    known = [column for column in data.column_names if column.lower() in KNOWN]
    rows = [Row(number, row) for number, row in enumerate(data.select_columns(known), start=1)]
    return File(
        Path(name), "Parquet", rows, beside={name: len(rows) for name in data.column_names if name not in known}
    )
