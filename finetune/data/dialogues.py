"""Conversations to train on: from a run, a file in any common format, or a dataset on the hub.

    >>> dialogues = read_dialogues("outputs/run") + read_dialogues("seeds/seeds.jsonl", weight=2)
    >>> train, held_out = split(dialogues, 0.05, seed=0)

Formats are those of `selfinstruct check`, recognized by the rows' fields; a file has one format. A run gives what
`export` would give, with people's decisions applied. Each instance of a self-instruct task is a conversation; a prompt
and completion that are plain texts are a question and an answer, without surrounding white space.

Nothing is left out silently: rows that cannot be trained on are an error that names them.

Not covered: tool turns, pictures and sounds, several splits or configurations of a dataset on the hub.
"""

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finetune.examples import Dialogue, Message
from selfinstruct.checks.findings import RULES
from selfinstruct.checks.rules import TEXT_RULES, turns
from selfinstruct.errors import UsageError
from selfinstruct.records import Record, user_message
from selfinstruct.rows import files
from selfinstruct.rows.files import File, Row
from selfinstruct.rows.formats import FIELDS, REQUIRED, Conversation, Format, Problem, conversations, format_of
from selfinstruct.rows.writing import whole_file
from selfinstruct.store.store import Store

SHOWN = 5  # rows with faults that a message names
# The default share to hold out.
USUAL_SHARE, MOST_HELD_OUT, FEWEST_ROWS = 0.05, 500, 20


class Split(NamedTuple):
    """The trained and the held-out dialogues; no task and no text is in both."""

    train: list[Dialogue]
    held_out: list[Dialogue]


def read_dialogues(source: Path | str, weight: float = 1.0, seed: int = 0) -> list[Dialogue]:
    """The conversations of a run's folder, a file, or a dataset on the hub, in their order, `weight` times each.

    For the fraction of a weight, that share of rows is drawn with the seed, in whole tasks: 2.5 is all rows twice, and
    half of them again. UsageError if there is nothing to read, the weight selects nothing, or a row cannot be
    trained on.
    """
    if weight <= 0:
        raise UsageError(f"{source}: weight = {weight:g}. Set it above 0, or leave the source out.")
    path = Path(source)
    if path.is_dir():
        found = _from_run(path)
    elif path.exists() or not _is_hub_name(str(source)):
        found = _from_rows(files.read(path))
    else:
        found = _from_rows(_on_hub(str(source)))
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
            f"eval_share = {share:g}: cannot hold out {wanted:,} of {len(rows):,} rows. They belong to "
            f"{n_tasks:,} tasks (rows with the same instruction), and tasks are never split. Set another "
            "eval_share in a TOML file for --config; 0 holds out none."
        )
    held_out: dict[str, Dialogue] = {}
    for dialogue in dialogues:
        if same[dialogue.task] in drawn:
            held_out.setdefault(_said(dialogue.messages), dialogue)
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
        texts = [_question(dialogue.messages)] + ([dialogue.instruction] if dialogue.instruction else [])
        for text in texts:
            parent[root(f"text {normalised(text)}")] = root(f"task {dialogue.task}")
    return {task: root(f"task {task}") for task in tasks}


def normalised(text: str) -> str:
    """The text in the form that is compared: without case, and with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _question(messages: Sequence[Message]) -> str:
    """The text by which conversations are compared: the only user turn, or all turns if there are several."""
    asked = [message["content"] for message in messages if message["role"] == "user"]
    return asked[0] if len(asked) == 1 else _said(messages)


def _said(messages: Sequence[Message]) -> str:
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)


def _from_run(folder: Path) -> list[Dialogue]:
    records = folder / "records.jsonl"
    if not (folder / "run.db").exists() and records.exists():
        return _from_rows(files.read(records))
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


def _from_rows(file: File) -> list[Dialogue]:
    """The rows of a file, or of a dataset, as conversations."""
    formats = Counter(format_of(row.value) for row in file.rows if not row.fault)
    known = [format for format in formats if format]
    if not known:
        wanted = "; ".join(f"{', '.join(fields)} ({name})" for name, fields in REQUIRED.items())
        raise UsageError(f"{file.path}: no row has a known format. A row needs one of: {wanted}.")
    if len(known) > 1:
        counts = ", ".join(f"{formats[format]:,} {format}" for format in known)
        raise UsageError(
            f"{file.path}: has rows in several formats ({counts}). Split it into one file per format and pass "
            f"them all; {_check_command(file)} lists the rows."
        )
    found: list[Dialogue] = []
    faults: dict[int, list[str]] = defaultdict(list)
    for position, row in enumerate(file.rows):
        texts, problems = _look_at(row, known[0])
        faults[row.number] += [_in_words(problem) for problem in problems]
        if not problems:
            where = f"{file.path}, {file.unit} {row.number}"
            name = _task_name(file, position, known[0])
            of_row = [_dialogue(conversation, where, name) for conversation in texts]
            found += _with_fields(of_row, row.value) if known[0] == "messages" else of_row
    _refuse(file, {number: said for number, said in faults.items() if said})
    return found


def _look_at(row: Row, format: Format) -> tuple[list[Conversation], list[Problem]]:
    """A row as conversations, and the reasons why it cannot be trained on."""
    if row.fault:
        return [], [Problem("unreadable", "", row.fault)]
    if format_of(row.value) is None:
        fields = ", ".join(map(str, row.value)) if isinstance(row.value, dict) else "no object"
        return [], [Problem("missing_field", REQUIRED[format][0], f"the row has: {fields}")]
    found, problems = conversations(row.value, format)
    for conversation in found:
        problems += turns(conversation)
        for text in conversation.texts:
            for name in ("empty_turn", "empty_output", "half_surrogate"):
                if (evidence := TEXT_RULES[name](text, conversation.is_raw)) is not None:
                    problems.append(Problem(name, text.field, evidence))
            if text.kind == "tool" or text.text == "(calls a tool)":
                problems.append(Problem("tool", text.field, ""))
    return found, list(dict.fromkeys(problems))


def _in_words(problem: Problem) -> str:
    what = "tools cannot be trained" if problem.rule == "tool" else RULES[problem.rule].says
    evidence = f" ({problem.evidence[:80]})" if problem.evidence else ""
    return (f"{problem.field}: " if problem.field else "") + what + evidence


def _refuse(file: File, faults: dict[int, list[str]]) -> None:
    if not faults:
        return
    shown = [f"  {file.unit} {number}: {'; '.join(said)}" for number, said in list(faults.items())[:SHOWN]]
    if len(faults) > SHOWN:
        shown.append(f"  and {len(faults) - SHOWN:,} more")
    mend = f"{_check_command(file)} --fix OUT writes a cleaned copy to train on."
    if all("tools cannot" in "".join(said) for said in faults.values()):
        mend = "Remove those rows." if file.path.is_file() else "Save it as a file without those rows."
    rows = f"{len(faults):,} of {len(file.rows):,} rows cannot be trained on"
    raise UsageError("\n".join([f"{file.path}: {rows}:", *shown, mend]))


def _check_command(file: File) -> str:
    """How to inspect the rows; a dataset from the hub has to be saved as a file first."""
    return (
        f"selfinstruct check {file.path}"
        if file.path.is_file()
        else "once it is saved as FILE, selfinstruct check FILE"
    )


def _task_name(file: File, position: int, format: Format) -> str | None:
    """The task that a row names; None if rows of its format do not name one."""
    name = {"records": "task", "self-instruct": "id"}.get(format)
    named = files.whole_row(file, position).get(name) if name else None
    return None if named is None else f"{file.path}, task {named}"


def _with_fields(dialogues: list[Dialogue], row: Any) -> list[Dialogue]:
    """The fields that `write_dialogues` adds to the messages."""
    fields = {name: row[name] for name in ("task", "instruction", "input") if isinstance(row.get(name), str)}
    return [dialogue._replace(**fields) for dialogue in dialogues]


def _dialogue(conversation: Conversation, source: str, task: str | None) -> Dialogue:
    texts = conversation.texts
    by_kind = {text.kind: text.text for text in texts}
    system = "\n\n".join(text.text for text in texts if text.kind == "system" and text.text.strip())
    messages = [Message(role="system", content=system)] if system else []
    instruction, given = by_kind.get("instruction"), by_kind.get("input", "")
    if instruction is not None:
        messages.append(Message(role="user", content=user_message(instruction, given)))
    for text in texts:
        if text.kind in ("user", "assistant"):
            # Prompt and completion include the white space that joins them, which the template adds itself.
            messages.append(Message(role=text.kind, content=text.text.strip() if conversation.is_raw else text.text))
    task = task or normalised(instruction or _question(messages))
    return Dialogue(messages, task, source, instruction, None if instruction is None else given)


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
            f"{name}: no such file or folder, and the hub has no dataset of that name ({reason})."
        ) from None
    assert isinstance(found, DatasetDict)
    if "train" not in found and len(found) > 1:
        raise UsageError(f"{name}: no train split, only {', '.join(found)}. Save the split you want as a file.")
    data = found["train"] if "train" in found else next(iter(found.values()))
    kept = data.select_columns([column for column in data.column_names if column in (*FIELDS, "task", "id")])
    return File(Path(name), "Parquet", [Row(number, row) for number, row in enumerate(kept, start=1)])
