"""A whole file through all rules, in the order of its rows."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct.checks.findings import EVIDENCE, RULES, Finding, Level, at_least
from selfinstruct.checks.repeats import Copies, common_lines, repeats
from selfinstruct.checks.rules import problems
from selfinstruct.errors import UsageError
from selfinstruct.rows import files, not_used
from selfinstruct.rows.fields import KNOWN
from selfinstruct.rows.files import File, Row
from selfinstruct.rows.formats import REQUIRED, Conversation, Format, Problem, conversations, format_of
from selfinstruct.terminal import tracked


class Checked(NamedTuple):
    """A file, the format of most of its rows, and the findings, ordered by row and rule.

    `not_used`: the fields that nothing reads, with the number of rows that have them.
    """

    file: File
    format: Format
    findings: list[Finding]
    not_used: dict[str, int]

    def __repr__(self) -> str:
        return f"<Checked {self.file.path}: rows {len(self.file.rows):,}, findings {len(self.findings):,}>"

    def worst(self, level: Level) -> list[Finding]:
        """The findings of this level or a more severe one."""
        levels = at_least(level)
        return [finding for finding in self.findings if finding.level in levels]

    def summary(self) -> dict[str, Any]:
        """The file and its counts as JSON values."""
        by_level = Counter(finding.level for finding in self.findings)
        return {
            "file": str(self.file.path), "kind": self.file.kind, "format": self.format, "rows": len(self.file.rows),
            "rows_with_findings": len({finding.number for finding in self.findings}),
            "errors": by_level["error"], "warnings": by_level["warning"], "advice": by_level["advice"],
            "not_used": self.not_used,
            "rules": dict(Counter(finding.rule for finding in self.findings).most_common()),
        }  # fmt: skip


def check(path: Path) -> Checked:
    """Check every row of a file; UsageError if it cannot be read, or no row has a known format."""
    file = files.read(path)
    format = _format(file)
    findings: list[Finding] = []
    rows: list[tuple[int, list[Conversation]]] = []
    for row in tracked(file.rows, "texts"):
        found, seen = look_at(row, format)
        rows.append((row.number, found))
        findings += [Finding(p.rule, row.number, p.field, shortened(p.evidence)) for p in seen]
    common = common_lines(found for _, found in rows)
    findings += repeats(tracked(rows, "repetitions"), common, Copies(file))
    order = {name: n for n, name in enumerate(RULES)}
    findings.sort(key=lambda finding: (finding.number, order[finding.rule]))
    unused = not_used.count(row.value for row in file.rows if not row.fault)
    return Checked(file, format, findings, {**unused, **file.beside})


def look_at(row: Row, format: Format) -> tuple[list[Conversation], list[Problem]]:
    """A row of a file of this format as conversations, and what is wrong with it by itself, each problem once."""
    if row.fault:
        return [], [Problem("unreadable", "", row.fault)]
    own = format_of(row.value)
    if own is None:
        return [], [_unknown(row.value, format)]
    found, seen = conversations(row.value, own)
    if own != format:
        seen.append(Problem("mixed_formats", "", f"{own}, not {format}"))
    seen += [problem for conversation in found for problem in problems(conversation)]
    return found, list(dict.fromkeys(seen))


def shortened(text: str) -> str:
    """Evidence of a length that fits a line or two."""
    return text if len(text) <= EVIDENCE else text[: EVIDENCE - 3] + "..."


def _format(file: File) -> Format:
    known = Counter(found for row in file.rows if not row.fault and (found := format_of(row.value)))
    if known:
        return known.most_common(1)[0][0]
    first = next(row for row in file.rows if not row.fault)
    has = f"has the fields {', '.join(first.value)}" if isinstance(first.value, dict) else "is not an object"
    wanted = "; ".join(f"{', '.join(fields)} ({name})" for name, fields in REQUIRED.items())
    raise UsageError(
        f"{file.path}: no row has a known format; {file.unit} {first.number} {has}. A row needs one of: {wanted}."
    )


def _unknown(value: Any, format: Format) -> Problem:
    if not isinstance(value, dict):
        return Problem("wrong_type", "", f"not an object: {shortened(str(value))}")
    missing = [name for name in REQUIRED[format] if value.get(name) is None]
    fields = ", ".join(map(str, value)) or "none"
    if len(missing) < len(REQUIRED[format]) or not KNOWN.intersection(value):
        return Problem("missing_field", missing[0], f"fields: {fields}")
    return Problem("mixed_formats", "", f"fields: {fields}")
