"""How often the rules about texts speak up on a dataset that is known to be good, and what the parsers make of it.

    python benchmarks/false_alarms.py seeds/seeds.jsonl other.json --show

Every finding on such data is a false alarm until somebody has looked at it; --show prints them. For the parsers, each
row is written as the prompts ask for it, and read again: what comes back in other words is counted. Any file that
`check` reads will do.
"""

import argparse
from collections import Counter
from pathlib import Path

from selfinstruct.checks.checking import check
from selfinstruct.checks.findings import RULES
from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.lists import numbered_items
from selfinstruct.parsing.verdicts import is_refusal, says_no_input
from selfinstruct.parsing.whole_tasks import whole_tasks
from selfinstruct.rows.formats import Exchange, conversations, exchanges, format_of


def read_back(exchange: Exchange) -> list[str]:
    """The parsers that do not read an exchange as it was written."""
    asked = " ".join(exchange.asked.text.split())
    given = exchange.given.text.strip() if exchange.given else ""
    given = "" if says_no_input(given) else given
    answer = exchange.answer.text.strip()
    before = f"Input: {given}\n" if given else ""
    above = "Example 1\nOutput: One.\n\nExample 2\n"
    label = answer if "\n" not in answer else ""
    task = (
        f"3. Instruction: {asked}\n3. Input:\n{given or '<noinput>'}\n3. Output:\n{answer}\n###\n4. Instruction: Go on."
    )
    wrong = {
        "input_first": [pair[:2] for pair in input_first(f"{above}{before}Output: {answer}", False)[1:]]
        != [(given, answer)],
        "output_first": bool(label)
        and [pair[:1] for pair in output_first(f"Class label: {label}\n{before}", False)] != [(given,)],
        "whole_tasks": [one[1:3] for one in whole_tasks(task, False)[:1]] != [(given, answer)],
        "numbered_items": len(numbered_items(f"9. {asked}\n10. Name a lake.", False)) != 2,
        "is_refusal": is_refusal(answer),
    }
    return [name for name, is_wrong in wrong.items() if is_wrong]


def main() -> None:
    """Print the counts of each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--show", action="store_true", help="print each finding")
    args = parser.parse_args()
    for path in args.files:
        checked = check(path)
        n = len(checked.file.rows)
        found = Counter(finding.rule for finding in checked.findings)
        print(f"{path}: {n:,} rows")
        for rule in RULES:
            print(f"  {rule:<24}{found[rule]:>6}{found[rule] / n:>9.2%}")
        read: Counter[str] = Counter()
        for row in checked.file.rows:
            if (form := format_of(row.value)) is not None:
                for one in (e for c in conversations(row.value, form)[0] for e in exchanges(c)):
                    wrong = read_back(one) if one.answer.text.strip() else []
                    read.update(wrong)
                    if args.show and wrong:
                        print(f"    {row.number} {', '.join(wrong)}: {one.answer.text[:120]!r}")
        for name in ("input_first", "output_first", "whole_tasks", "numbered_items", "is_refusal"):
            print(f"  {name:<24}{read[name]:>6}{read[name] / n:>9.2%}")
        if args.show:
            for finding in checked.findings:
                print(f"    {finding.number} {finding.rule} {finding.field}: {finding.evidence!r}")


if __name__ == "__main__":
    main()
