"""`--fix OUT`: what can be mended is mended, rows with an error that is left go, and both stand in OUT.removed.jsonl.

Mended are texts: a spelled-out "no input" becomes "", mojibake that decodes is decoded, control characters and control
tokens at the end go, and so does white space around a text; a user's turns behind the last answer are cut off. A row of
which an error is left, also a later copy of a row, is removed. Warnings and advice that cannot be mended stay.
"""

import copy
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct.checks.checking import Checked, look_at, shortened
from selfinstruct.checks.findings import RULES, Finding
from selfinstruct.checks.repeats import Copies
from selfinstruct.checks.rules import pseudo_empty_input, special_tokens, trimmed, without_special_tokens
from selfinstruct.errors import UsageError
from selfinstruct.records import user_message
from selfinstruct.rows import files
from selfinstruct.rows.encodings import decoded, without_control_characters
from selfinstruct.rows.fields import CONVERSATIONS, INPUT, INSTRUCTION, MESSAGES, OUTPUT, key_of, value_of
from selfinstruct.rows.files import File
from selfinstruct.rows.formats import Format, Text, conversations, format_of
from selfinstruct.rows.turns import Path as Steps
from selfinstruct.rows.writing import refuse_ending, whole_file
from selfinstruct.terminal import tracked


class Fixed(NamedTuple):
    """How many rows were written to `out`, how many of them changed, and how many were not written."""

    out: Path
    kept: int
    changed: int
    removed: int

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {**self._asdict(), "out": str(self.out)}


def removed_path(out: Path) -> Path:
    """Where the rows that went or were changed are written."""
    return out.with_name(f"{out.name}.removed.jsonl")


def refuse_existing(out: Path) -> None:
    """UsageError if one of the two files to write already exists."""
    for path in (out, removed_path(out)):
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} already exists and is not overwritten. Choose another name for --fix.")


def fix(checked: Checked, out: Path) -> Fixed:
    """Write the cleaned rows to `out`, as the same kind of file; UsageError if it exists or cannot be written."""
    refuse_existing(out)
    file, format = checked.file, checked.format
    if out.suffix.lower() != file.path.suffix.lower():
        refuse_ending(out, file.kind, "--fix writes the file type that it reads, here")
    by_number: dict[int, list[Finding]] = defaultdict(list)
    for finding in checked.findings:
        by_number[finding.number].append(finding)
    keep: list[int] = []
    mended: dict[int, Any] = {}
    lines: list[str] = []
    copies = Copies(file)
    for i, row in enumerate(tracked(file.rows, "fix")):
        if row.fault or format_of(row.value) != format:
            lines.append(_removed(file, i, by_number[row.number]))
            continue
        value = mend(row.value, format)
        found, left = look_at(row._replace(value=value), format)
        errors = [
            Finding(p.rule, row.number, p.field, shortened(p.evidence)) for p in left if RULES[p.rule].level == "error"
        ]
        if not errors and (original := copies.original(i, found)):
            errors = [Finding("exact_copy", row.number, "", f"of {original}")]
        if errors:
            lines.append(_removed(file, i, errors))
            continue
        keep.append(i)
        if value != row.value:
            mended[i] = value
            still = {(p.rule, p.field) for p in left}
            gone = [f for f in by_number[row.number] if (f.rule, f.field) not in still and f.rule in _MENDABLE]
            lines.append(_entry(file, i, "changed", gone, became=value))
    with ExitStack() as stack:  # the log is moved to its place last entered, first left: before OUT
        part = stack.enter_context(whole_file(out, "--fix"))
        log = stack.enter_context(whole_file(removed_path(out), "--fix"))
        files.write(file, part, keep, mended)
        log.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return Fixed(out, len(keep), len(mended), len(file.rows) - len(keep))


_MENDABLE = {
    "pseudo_empty_input", "mojibake", "control_characters", "special_tokens", "surrounding_space", "no_answer_at_end",
}  # fmt: skip


def mend(value: dict[str, Any], format: Format) -> dict[str, Any]:
    """A row with its texts mended; the row itself where nothing is to be done."""
    found, _ = conversations(value, format)
    changes = {
        text.path: new
        for conversation in found
        for text in conversation.texts
        if text.path and (new := _mended(text, conversation.is_raw)) != text.text
    }
    row = dict(value)
    for path, new in changes.items():
        row = _with(row, path, new)
    if format in ("messages", "sharegpt"):
        _end_with_answer(row, format)
    if format == "records" and value_of(value, MESSAGES) == _messages(value):
        row[str(key_of(row, MESSAGES))] = _messages(row)
    return row


def _with(holder: Any, path: Steps, new: str) -> Any:
    """A copy with a new text at the path; all else is shared."""
    if not path:
        return new
    changed = copy.copy(holder)
    changed[path[0]] = _with(holder[path[0]], path[1:], new)
    return changed


def _mended(text: Text, is_raw: bool) -> str:
    new = text.text
    while (cleaner := without_control_characters(decoded(new))) != new:
        new = cleaner  # what is left without control characters may be mojibake too
    if special_tokens(text._replace(text=new), is_raw):
        new = without_special_tokens(new)
    if pseudo_empty_input(text._replace(text=new), is_raw):
        return ""
    return new if is_raw else trimmed(new)


def _end_with_answer(row: dict[str, Any], format: Format) -> None:
    """Cut off a user's turns behind the last answer, where there is one."""
    name = key_of(row, MESSAGES) or key_of(row, CONVERSATIONS)
    turns = row[str(name)]
    (found,), problems = conversations(row, format)
    kinds = [text.kind for text in found.texts if text.path and text.path[0] == name]
    if problems or len(kinds) != len(turns) or "assistant" not in kinds:
        return
    while kinds[-1] == "user":
        kinds.pop()
    row[str(name)] = turns[: len(kinds)]


def _messages(row: dict[str, Any]) -> list[dict[str, Any]]:
    """A record's messages, as they follow from its fields."""
    asked = user_message(value_of(row, INSTRUCTION), value_of(row, INPUT) or "")
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": value_of(row, OUTPUT)}]


def _removed(file: File, position: int, because: list[Finding]) -> str:
    return _entry(file, position, "removed", because)


def _entry(file: File, position: int, action: str, because: list[Finding], **more: Any) -> str:
    said = {
        file.unit: file.rows[position].number, "action": action,
        "findings": [finding.as_dict(file.unit) for finding in because],
        "was": files.whole_row(file, position), **more,
    }  # fmt: skip
    return files.to_line(said)
