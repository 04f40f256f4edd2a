"""Rows of a file as conversations to train on, and what makes two of them the same.

A row's other fields become part of its conversation: earlier turns, reasoning before the answer, tool calls, tools, and
turn weights. Rows that cannot be trained on raise an error that names them.
"""

import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from finetune.examples import Dialogue, Message
from selfinstruct.checks.findings import RULES
from selfinstruct.checks.rules import TEXT_RULES, turns
from selfinstruct.errors import UsageError
from selfinstruct.parsing.thoughts import begins_with_thoughts
from selfinstruct.records import user_message
from selfinstruct.rows import files, not_used
from selfinstruct.rows.files import File, Row
from selfinstruct.rows.formats import REQUIRED, Conversation, Format, Problem, Text, conversations, format_of
from selfinstruct.terminal import n_of

SHOWN = 5  # rows with faults that a message names
REFUSED = {
    "preference_pair": "a pair of a chosen and a rejected answer; to train on it, keep the chosen one as output",
    "not_read": "not read",
}
# `check --fix` keeps such rows in its copy.
_LEFT_BY_FIX = (*REFUSED.values(), RULES["media_task"].says)


def from_rows(file: File, notes: list[str]) -> list[Dialogue]:
    """The rows of a file or hub dataset as conversations; what was not used is added to `notes`."""
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
    unwanted: Counter[str] = Counter()
    faults: dict[int, list[str]] = defaultdict(list)
    for position, row in enumerate(file.rows):
        texts, problems = _look_at(row, known[0])
        faults[row.number] += [_in_words(problem) for problem in problems]
        if not problems:
            where = f"{file.path}, {file.unit} {row.number}"
            name = _task_name(file, position, known[0])
            read = [_dialogue(conversation, where, name, unwanted) for conversation in texts]
            of_row = [dialogue for dialogue in read if dialogue]
            found += _with_fields(of_row, row.value) if known[0] == "messages" else of_row
    _refuse(file, {number: said for number, said in faults.items() if said})
    if not found:
        raise UsageError(f"{file.path}: no row to train on ({', '.join(unwanted)}).")
    unused = not_used.count(row.value for row in file.rows)
    unused.update(file.beside)
    notes += [f"{file.path}: {what}: {n:,}" for what, n in unwanted.items()]
    notes += [f"{file.path}: {not_used.in_words(unused)}"] if unused else []
    return found


def _look_at(row: Row, format: Format) -> tuple[list[Conversation], list[Problem]]:
    """A row as conversations, and the problems that make it unusable for training."""
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
                evidence = TEXT_RULES[name](text, conversation.is_raw)
                # Only thoughts: what becomes of them is a setting, and says so where nothing is left of an answer.
                if evidence is not None and not begins_with_thoughts(evidence):
                    problems.append(Problem(name, text.field, evidence))
    return found, list(dict.fromkeys(problems))


def _in_words(problem: Problem) -> str:
    what = REFUSED.get(problem.rule, RULES[problem.rule].says)
    evidence = f" ({problem.evidence[:80]})" if problem.evidence else ""
    return (f"{problem.field}: " if problem.field else "") + what + evidence


def _refuse(file: File, faults: dict[int, list[str]]) -> None:
    if not faults:
        return
    shown = [f"  {file.unit} {number}: {'; '.join(said)}" for number, said in list(faults.items())[:SHOWN]]
    if len(faults) > SHOWN:
        shown.append(f"  and {len(faults) - SHOWN:,} more")
    mend = f"{_check_command(file)} --fix OUT writes a cleaned copy to train on."
    if all(any(what in "".join(said) for what in _LEFT_BY_FIX) for said in faults.values()):
        mend = "Remove those rows." if file.path.is_file() else "Save it as a file without those rows."
    rows = f"{len(faults):,} of {n_of(len(file.rows), 'row')} cannot be trained on"
    raise UsageError("\n".join([f"{file.path}: {rows}:", *shown, mend]))


def _check_command(file: File) -> str:
    """The command that lists the rows' problems; a hub dataset has to be saved as a file first."""
    return (
        f"selfinstruct check {file.path}"
        if file.path.is_file()
        else "once it is saved as FILE, selfinstruct check FILE"
    )


def _task_name(file: File, position: int, format: Format) -> str | None:
    """The task that a row names; None if its format has no such field."""
    name = {"records": "task", "self-instruct": "id"}.get(format)
    row = files.whole_row(file, position) if name else {}
    return f"{file.path}, task {row[name]}" if name in not_used.ours(row, format) else None


def _with_fields(dialogues: list[Dialogue], row: Any) -> list[Dialogue]:
    """The dialogues with the fields that `write_dialogues` adds to the messages."""
    if not not_used.is_dialogue(row):
        return dialogues
    fields = {name: row[name] for name in ("task", "instruction", "input") if isinstance(row.get(name), str)}
    return [dialogue._replace(**fields) for dialogue in dialogues]


def _dialogue(conversation: Conversation, source: str, task: str | None, unwanted: Counter[str]) -> Dialogue | None:
    """The conversation up to its last trained answer; None if it has none, which is counted in `unwanted`."""
    if conversation.is_unwanted:
        unwanted["rows marked as unwanted answers, left out"] += 1
        return None
    messages = _messages(conversation)
    trained = [n for n, one in enumerate(messages) if one["role"] == "assistant" and one.get("weight", 1)]
    if n := sum(message.get("weight") == 0 for message in messages):
        unwanted["answers marked as not to be trained on"] += n
    if not trained:
        unwanted["rows without an answer to train on, left out"] += 1
        return None
    messages = messages[: trained[-1] + 1]
    by_kind = {text.kind: text.text for text in conversation.texts}
    instruction = by_kind.get("instruction")
    is_alone = sum(message["role"] == "user" for message in messages) == 1
    task = task or normalised(instruction if instruction and is_alone else question_of(messages))
    tools = json.loads(by_kind["tools"]) if "tools" in by_kind else None
    given = None if instruction is None else by_kind.get("input", "")
    return Dialogue(messages, task, source, instruction, given, tools)


def _messages(conversation: Conversation) -> list[Message]:
    """The turns, with a single system turn, and with reasoning and tool calls inside the answers they belong to."""
    texts = conversation.texts
    system = "\n\n".join(text.text for text in texts if text.kind == "system" and text.text.strip())
    messages = [Message(role="system", content=system)] if system else []
    thought = ""
    for before, text in zip([None, *texts], texts, strict=False):
        # Prompt and completion include the white space that joins them; a template adds its own.
        content = text.text.strip() if conversation.is_raw else text.text
        if text.kind == "input":
            messages[-1]["content"] = user_message(messages[-1]["content"], content)
        elif text.kind == "thought":
            thought += f"<think>\n{content.strip()}\n</think>\n\n" if content.strip() else ""
        elif text.kind == "call":
            if before is None or not before.is_answer or not _is_one_turn(before, text):
                messages.append(Message(role="assistant", content=thought))
            calls = [{"type": "function", "function": call} for call in json.loads(text.text)]
            messages[-1]["tool_calls"] = calls
        elif text.kind in ("instruction", "user", "assistant", "tool"):
            role = "user" if text.kind == "instruction" else text.kind
            messages.append(Message(role=role, content=thought + content if role == "assistant" else content))
        if text.kind in ("assistant", "call"):
            thought = ""
            if not text.trained:
                messages[-1]["weight"] = 0
    return messages


def _is_one_turn(one: Text, other: Text) -> bool:
    return one.field.rpartition(".")[0] == other.field.rpartition(".")[0] != ""


def normalised(text: str) -> str:
    """The text normalized for comparison: case folded, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def question_of(messages: Sequence[Message]) -> str:
    """The text that identifies a conversation: the user turn if there is only one, otherwise all turns."""
    asked = [message["content"] for message in messages if message["role"] == "user"]
    return asked[0] if len(asked) == 1 else said_in(messages)


def said_in(messages: Sequence[Message]) -> str:
    """All turns as one text, including tool calls."""
    turns = [f"{message['role']}: {message['content']}{_calls(message)}" for message in messages]
    return "\n\n".join(turns)


def _calls(message: Message) -> str:
    return json.dumps(message["tool_calls"], ensure_ascii=False) if "tool_calls" in message else ""
