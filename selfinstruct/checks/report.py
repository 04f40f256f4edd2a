"""What `check` found, as text."""

from collections import defaultdict

from selfinstruct.checks.checking import Checked
from selfinstruct.checks.findings import RULES, Finding
from selfinstruct.checks.fixing import Fixed, removed_path
from selfinstruct.rows.not_used import in_words
from selfinstruct.terminal import n_of

EXAMPLES = 2  # of each rule
WIDTH = 100  # of an example


def render(checked: Checked, fixed: Fixed | None) -> str:
    """The counts by rule, worst first, each with its first examples, and the sums at the end."""
    file, format, findings, not_used = checked
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_rule[finding.rule].append(finding)
    lines = [f"{file.path}: {n_of(len(file.rows), 'row')}, {file.kind}, format {format}"]
    for name, rule in RULES.items():
        if found := by_rule.get(name):
            lines.append(f"  {rule.level:<8}{len(found):>7,}  {name}: {rule.says}")
            lines += [f"{'':19}{_example(finding, file.unit)}" for finding in found[:EXAMPLES]]
    lines += [f"  {in_words(not_used)}"] if not_used else []
    lines.append(_sums(checked))
    if fixed:
        lines.append(
            f"{fixed.out}: {n_of(fixed.kept, 'row')}, {fixed.changed:,} of them changed; {fixed.removed:,} removed"
        )
        lines.append(f"{removed_path(fixed.out)}: the original of each changed or removed row, and why")
    return "\n".join(lines)


def _example(finding: Finding, unit: str) -> str:
    said = " ".join(finding.evidence.split())
    text = " ".join(part for part in (f"{unit} {finding.number}", finding.field) if part) + (
        f": {said}" if said else ""
    )
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def _sums(checked: Checked) -> str:
    counts = checked.summary()
    if not checked.findings:
        return "No problems found in the fields that are used." if checked.not_used else "No problems found."
    shown = "; --json lists all" if len(checked.findings) > EXAMPLES else ""
    return (
        f"errors: {counts['errors']:,}, warnings: {counts['warnings']:,}, advice: {counts['advice']:,}; "
        f"in {counts['rows_with_findings']:,} of {n_of(counts['rows'], 'row')}{shown}"
    )
