"""Judges of preferences, asked in both orders, on pairs with a known better text.

    python benchmarks/judges.py PAIRS.jsonl VERDICTS.csv --judges A,B,C [--gold 20]

PAIRS.jsonl: id, set, label (1 or 2: the better text), output_1, output_2. VERDICTS.csv: pair, judge, winner,
winner_when_swapped (the winner's number in the pair, whatever the order). The files of LLMBar (Zeng et al. 2023) have
this form once they are unpacked and joined.

For each set: how often a judge is right in one order, and where both orders agree; how often they do; the baseline "the
longer text is better". Then the judges combined, with `--gold` gold rows drawn 200 times: the share of draws in which
the report recommends the combination, and how often it is right.
"""

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from selfinstruct.labels.combining import combine
from selfinstruct.labels.models import ABSTAINED
from selfinstruct.labels.votes import Votes

DRAWS = 200
METHODS = ("majority", "dawid-skene")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("verdicts", type=Path)
    parser.add_argument("--judges", required=True)
    parser.add_argument("--gold", type=int, default=20)
    asked = parser.parse_args()
    pairs = {row["id"]: row for row in map(json.loads, asked.pairs.read_text().splitlines())}
    verdicts: dict[tuple[str, str], tuple[str, str]] = {}
    with asked.verdicts.open(newline="") as file:
        for row in csv.DictReader(file):
            verdicts[row["judge"], row["pair"]] = (row["winner"], row["winner_when_swapped"])
    judges = asked.judges.split(",")
    sets: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        sets[pairs[pair]["set"]].append(pair)
    for name, members in sets.items():
        there = [judge for judge in judges if any((judge, pair) in verdicts for pair in members)]
        longer = [
            (len(pairs[p]["output_1"]) > len(pairs[p]["output_2"])) == (str(pairs[p]["label"]) == "1") for p in members
        ]
        print(f"{name}: {len(members)} pairs; the longer text is better in {np.mean(longer):.3f}")
        for judge in there:
            print(f"  {judge:<28} {line(judge, members, pairs, verdicts)}")
        if len(there) > 1:
            combined(there, members, pairs, verdicts, asked.gold)


def line(judge: str, members: list[str], pairs: dict, verdicts: dict) -> str:
    own = [(*verdicts[judge, pair], str(pairs[pair]["label"])) for pair in members if (judge, pair) in verdicts]
    one = np.mean([first == gold for first, _, gold in own])
    same = [(first, gold) for first, second, gold in own if first == second and first in ("1", "2")]
    both = np.mean([first == gold for first, gold in same]) if same else float("nan")
    return f"one order {one:.3f}; both orders agree in {len(same) / len(own):.3f}, and are right in {both:.3f} of these"


def combined(judges: list[str], members: list[str], pairs: dict, verdicts: dict, n_gold: int) -> None:
    number = {"1": 0, "2": 1}
    cast = np.full((len(members), len(judges)), ABSTAINED, dtype=np.int64)
    for at, pair in enumerate(members):
        for column, judge in enumerate(judges):
            first, _ = verdicts.get((judge, pair), ("", ""))
            cast[at, column] = number.get(first, ABSTAINED)
    truth = np.array([number[str(pairs[pair]["label"])] for pair in members], dtype=np.int64)
    rng = np.random.default_rng(0)
    for method in METHODS:
        share = float(
            (combine(Votes(members, tuple(judges), ("1", "2"), cast, truth, {}), method).winners == truth).mean()
        )
        advised = 0
        for _ in range(DRAWS):
            gold = np.full_like(truth, ABSTAINED)
            drawn = rng.choice(len(truth), min(n_gold, len(truth)), replace=False)
            gold[drawn] = truth[drawn]
            found = combine(Votes(members, tuple(judges), ("1", "2"), cast, gold, {}), method)
            advised += bool(found.is_better)
        print(f"  combined by {method:<15} right {share:.3f}; recommended in {advised / DRAWS:.3f} of the draws")


if __name__ == "__main__":
    main()
