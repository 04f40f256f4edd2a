"""How much of malformed answers the parsers recover: of what a person could still read, what comes out, by kind.

    python benchmarks/recovery.py [--answers 300] [--seed 1]

The simulated teacher writes sound answers of each shape, and one after the other in each malformed way that fits the
shape. An item counts as recovered where a parsed item has the same texts (white space apart); what comes out and was
not there counts as invented, and stands behind a plus sign. Exit code 1 where less than 98 % are recovered over all.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.lists import numbered_items
from selfinstruct.parsing.verdicts import is_refusal, yes_or_no
from selfinstruct.parsing.whole_tasks import whole_tasks
from selfinstruct.simulated.mind.answering import respond
from selfinstruct.simulated.mind.answers import Answer, Item, Shape
from selfinstruct.simulated.mind.malformed import kinds_for, malform
from selfinstruct.simulated.mind.structured import as_json
from selfinstruct.simulated.mind.understanding import Ask
from selfinstruct.simulated.settings import MALFORMED_KINDS, SimulatedSettings
from selfinstruct.simulated.world import tasks

SHAPES: tuple[Shape, ...] = ("tasks", "verdict", "examples", "labelled", "whole")


class Row(NamedTuple):
    answers: int
    readable: int
    recovered: int
    invented: int


def sound_answer(shape: Shape, rng: Random) -> Answer:
    """An answer of the given shape, as the simulated teacher gives it."""
    task = tasks.compose(rng)
    match shape:
        case "tasks":
            ask = Ask("propose", shown=(task,), first=rng.choice((1, 9)), count=8)
        case "verdict":
            ask = Ask("classify", task)
        case "examples":
            ask = Ask("input_first", task)
        case "labelled":
            while not tasks.recognise(task).labels:
                task = tasks.compose(rng)
            ask = Ask("output_first", task)
        case _:
            ask = Ask("whole", shown=(task,), first=1, count=5)
    return respond(ask, SimulatedSettings(repeat_share=0, forbidden_share=0), rng)


def parsed(shape: Shape, text: str, cut: bool) -> list[tuple[str, ...]]:
    """What the parser of this shape reads, without an item that was cut off."""
    if is_refusal(text):  # looked at before anything is read
        return []
    match shape:
        case "tasks":
            return [(item.text,) for item in numbered_items(text, cut) if not item.cut]
        case "verdict":
            verdict = yes_or_no(text)
            return [] if verdict is None else [("Yes" if verdict else "No",)]
        case "examples":
            return [found[:2] for found in input_first(text, cut) if not found.cut]
        case "labelled":
            return [found[:2] for found in output_first(text, cut) if not found.cut]
        case _:
            return [found[:3] for found in whole_tasks(text, cut) if not found.cut]


def expected(shape: Shape, item: Item) -> tuple[str, ...]:
    match shape:
        case "tasks":
            return (item.instruction,)
        case "verdict":
            return (item.output,)
        case "whole":
            return (item.instruction, item.input, item.output)
        case _:
            return (item.input, item.output)


def measure(shape: Shape, kind: str, in_json: bool, n_answers: int, rng: Random, *, show: bool = False) -> Row:
    """Counts over `n_answers` answers of one shape and kind."""
    readable = recovered = invented = answers = 0
    while answers < n_answers:
        answer = sound_answer(shape, rng)
        if in_json:
            answer = as_json(answer, None)
        if kind != "sound" and kind not in kinds_for(answer):
            continue
        answers += 1
        text, finish_reason, items = (
            (answer.text, "stop", answer.items) if kind == "sound" else malform(kind, answer, rng)
        )
        there = Counter(_tidy(expected(shape, item)) for item in items)
        came = Counter(_tidy(found) for found in parsed(shape, text, finish_reason == "length"))
        readable += there.total()
        recovered += (there & came).total()
        invented += (came - there).total()
        if show and there != came:
            print(f"--- {shape} {kind}\n{text}\n>>> missing {list(there - came)}\n>>> invented {list(came - there)}")
    return Row(answers, readable, recovered, invented)


def _tidy(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(" ".join(text.split()) for text in texts)


def kinds_of(shape: Shape, in_json: bool) -> Iterator[str]:
    """The kinds that fit some answer of this shape."""
    rng = Random(1)
    fitting = set()
    for _ in range(40):
        answer = sound_answer(shape, rng)
        fitting |= set(kinds_for(as_json(answer, None) if in_json else answer))
    yield "sound"
    if shape == "verdict":
        fitting.discard("cut_off")  # half a yes is no shape of its own
    yield from (kind for kind in MALFORMED_KINDS if kind in fitting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--answers", type=int, default=300, help="answers of each shape and kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print the answers that were not read as a person would")
    arguments = parser.parse_args()
    columns = [(shape, in_json) for in_json in (False, True) for shape in SHAPES]
    kinds = {column: set(kinds_of(*column)) for column in columns}
    totals: list[Row] = []
    print(f"{'share recovered, %':<20} {'as text':<40} in JSON")
    print(f"{'':<20}" + "".join(f"{shape:>9}" for shape, _ in columns))
    for kind in ("sound", *MALFORMED_KINDS):
        cells = []
        for shape, in_json in columns:
            cell = ""
            if kind in kinds[shape, in_json]:
                rng = Random(f"{arguments.seed}/{shape}/{kind}/{in_json}")
                row = measure(shape, kind, in_json, arguments.answers, rng, show=arguments.show)
                totals.append(row)
                cell = f"{100 * row.recovered / row.readable:.1f}" if row.readable else "nothing"
                cell += f"+{row.invented}" if row.invented else ""
            cells.append(f"{cell:>9}")
        print(f"{kind:<20}" + "".join(cells))
    readable, recovered = sum(row.readable for row in totals), sum(row.recovered for row in totals)
    invented = sum(row.invented for row in totals)
    print(f"all: {recovered / readable:.2%} of {readable:,} readable items recovered, {invented:,} invented")
    sys.exit(0 if recovered >= 0.98 * readable else 1)


if __name__ == "__main__":
    main()
