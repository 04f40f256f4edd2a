"""Mutated answers through every parser and every rule of `check`: does any crash, or take long?

    python benchmarks/mutations.py [--texts 100000] [--seed 1] [--most 30000]

Answers of the simulated teacher, in words and in JSON, are cut, glued, repeated and strewn with marks, half of them to
10,000 characters and more. Then 100,000 characters of each mark alone, and 20,000 of each longer piece, between the
usual beginnings and ends. Times are of the processor. Exit code 1 where something crashes or takes too long.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from recovery import SHAPES, sound_answer

from selfinstruct.checks.checking import look_at
from selfinstruct.parsing.begun import whole_answer
from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.labels import read_label, read_rationale, read_score
from selfinstruct.parsing.lists import numbered_items
from selfinstruct.parsing.verdicts import is_refusal, says_no_input, yes_or_no
from selfinstruct.parsing.whole_tasks import whole_tasks
from selfinstruct.rows.files import Row
from selfinstruct.simulated.mind.structured import as_json

LONGEST_MS = 100
ONE_MARK_MS = 50  # for 100,000 characters of one mark
ONE = [*" \n\t\r\u3000\u2028\0\f\b*#_-`~=|><.:：1aé。[](){}\"'\\,!?/&“|"]
MARKS = [
    *ONE, "\r\n", " \n", "\n\n", "**", "###\n", "```\n", "\n1. a",
    "1. ", "- a\n", "a: ", "a:\n", "Input:", "Input: a\n", "\nOutput: a", "Example 1\n", "Class label: a\n", "</think>",
    "4. Instruction: a\n", "<think>", "a<think>", "[1] a\n", "Task 1: a\n", "1 - a\n", "yes ", "no ", "answer is ",
    "is not a classification ", '{"a":', '["a",', '"a", ', "{}", "\\f", "\\frac{", "analysis", "assistantfinal",
    "<|channel|>analysis<|message|>", "I'm sorry ", "无", "http://a.b ", "![](", "<img ", "{{a}}", "(( ", "&lt;",
    "let me know ", "\n\nInput: a\n\nOutput: a", "1. Input: a\n1. Output: b\n", "Confidence: 90 %\n", "<div class=",
    "<|a|>", "\n---", "Task: a\nExample 1\n",
]  # fmt: skip
BEGINNINGS = (
    "", "a", "Example 1\nInput: a\nOutput: b", "1. ", "Class label: x", "3. Instruction: x\n3. Output: y", '{"a": "',
)  # fmt: skip
ENDS = ("", "\nx", "\nOutput: x")


def checked(text: str) -> list[Any]:
    """Every rule about one row, for a text in each of its fields."""
    row = {"instruction": "Name it.", "input": "", "output": "Nine."}
    return [look_at(Row(1, {**row, field: text}), "alpaca") for field in row]


LABELS = ("yes", "no", "not urgent", "urgent", "a", "b", "1", "fear")
PARSERS: dict[str, Callable[[str], Any]] = {
    "input_first": lambda text: input_first(text, False),
    "output_first": lambda text: output_first(text, False),
    "numbered_items": lambda text: numbered_items(text, False),
    "whole_tasks": lambda text: whole_tasks(text, False),
    "begun": lambda text: numbered_items(whole_answer("9. ", text), True),
    "yes_or_no": yes_or_no,
    "is_refusal": is_refusal,
    "says_no_input": says_no_input,
    "read_label": lambda text: read_label(text, LABELS),
    "read_score": lambda text: read_score(text, 1, 5),
    "read_rationale": read_rationale,
    "check": checked,
}


def mutated(rng: Random, most: int) -> str:
    """One text: pieces of answers and marks, in any order; each second one is long."""
    least = 10_000 if rng.random() < 0.5 else 1
    wanted = rng.randint(least, most if least > 1 else 10_000)
    parts: list[str] = []
    size = 0
    while size < wanted:
        kind = rng.random()
        if kind < 0.5 or not parts:
            answer = sound_answer(rng.choice(SHAPES), rng)
            part = (as_json(answer, None) if rng.random() < 0.3 else answer).text
            if kind < 0.3:
                begin = rng.randrange(len(part))
                part = part[begin : begin + rng.randint(1, 400)]
        elif kind < 0.8:
            part = rng.choice(MARKS) * rng.choice((1, 1, 1, 2, 5, 50, 2000))
        else:
            part = rng.choice(parts) * rng.choice((1, 2, 20))
        parts.append(part[: wanted - size + 1])
        size += len(parts[-1])
    text = list("".join(parts))
    for _ in range(rng.choice((0, 3, 30))):
        text[rng.randrange(len(text))] = rng.choice(MARKS)
    return "".join(text)


def repeated(marks: list[str], length: int) -> Iterator[str]:
    """So many characters of each mark, between each beginning and end."""
    for mark in marks:
        for beginning in BEGINNINGS:
            for end in ENDS:
                yield beginning + mark * (length // len(mark)) + end


def measure(texts: Iterator[str], longest_ms: float) -> bool:
    """Print the slowest text of each parser; whether all went well."""
    slowest = dict.fromkeys(PARSERS, (0.0, ""))
    n = crashes = slow = 0
    for text in texts:
        n += 1
        for name, parse in PARSERS.items():
            begin = time.process_time()
            try:
                parse(text)
            except Exception as error:  # noqa: BLE001 - any of them is what is looked for
                crashes += 1
                print(f"  {name} crashed: {error!r} on {text[:80]!r} ...", flush=True)
            took = (time.process_time() - begin) * 1000 / (3 if name == "check" else 1)  # three texts
            slow += took > longest_ms
            slowest[name] = max(slowest[name], (took, text))
    print(f"{n:,} texts: {crashes} crashes, {slow} above {longest_ms:.0f} ms")
    for name, (took, text) in slowest.items():
        middle = text[len(text) // 2 :][:20]
        print(f"  {name:<16}{took:>8.1f} ms  {len(text):>7,} characters  {text[:30]!r} ... {middle!r}")
    return not crashes and not slow


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--most", type=int, default=30_000, help="characters of the longest mutated text")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = Random(args.seed)
    went_well = measure((mutated(rng, args.most) for _ in range(args.texts)), LONGEST_MS)
    went_well &= measure(repeated(ONE, 100_000), ONE_MARK_MS)
    went_well &= measure(repeated(MARKS, 20_000), LONGEST_MS)
    sys.exit(not went_well)


if __name__ == "__main__":
    main()
