"""Label models on files of votes with gold labels: is a combination better than its voters?

    python benchmarks/label_models.py FILE.csv... --columns A,B,C --gold gold [--labels X,Y]

For each file, the share of right rows: the best voter (which needs all gold labels to be known), the voter chosen by 20
gold rows (mean of 200 draws), and each label model, none of which sees a gold label but `weighted`, which sees 20 (mean
of 20 draws, on the other rows). Columns that a file lacks are left out.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from selfinstruct.errors import UsageError
from selfinstruct.labels import NAMES
from selfinstruct.labels.combining import METHODS, combine
from selfinstruct.labels.models import ABSTAINED
from selfinstruct.labels.votes import Votes, read_votes

FEW = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--columns", required=True)
    parser.add_argument("--gold", default="gold")
    parser.add_argument("--labels", default="")
    asked = parser.parse_args()
    names = ("best voter", f"by {FEW} gold rows", *NAMES)
    print(f"{'':<28} rows voters " + " ".join(f"{name:>16}" for name in names) + "   seconds")
    table = []
    for path in asked.files:
        votes = read(path, asked.columns.split(","), asked.gold, tuple(filter(None, asked.labels.split(","))))
        began = time.perf_counter()
        shares = measure(votes)
        seconds = time.perf_counter() - began
        table.append(shares)
        print(line(path.stem[:28], shares, f"{len(votes.ids):>5,} {len(votes.voters):>6}") + f" {seconds:>9.1f}")
    print(line("mean", np.mean(table, axis=0), " " * 12))


def line(name: str, shares: list[float], middle: str) -> str:
    return f"{name:<28}{middle} " + " ".join(f"{share:>16.3f}" for share in shares)


def read(path: Path, columns: list[str], gold: str, labels: tuple[str, ...]) -> Votes:
    there = []
    for column in columns:
        try:
            read_votes(path, [column, gold])
        except UsageError:
            continue
        there.append(column)
    return read_votes(path, there, gold=gold, labels=labels)


def measure(votes: Votes) -> list[float]:
    rng = np.random.default_rng(0)
    known = np.flatnonzero(votes.gold != ABSTAINED)
    right = votes.cast[known] == votes.gold[known, None]
    few = [rng.choice(len(known), FEW, replace=False) for _ in range(200)]
    chosen = np.mean([right[:, right[rows].mean(axis=0).argmax()].mean() for rows in few])
    shares = [right.mean(axis=0).max(), chosen]
    for name in METHODS:
        score = combine(votes, name).score
        assert score
        shares.append(score.right / len(known))
    weighted = []
    for rows in few[:20]:
        gold = np.full(len(votes.gold), ABSTAINED)
        gold[known[rows]] = votes.gold[known[rows]]
        winners = combine(votes._replace(gold=gold), NAMES[-1]).winners
        others = np.setdiff1d(known, known[rows])
        weighted.append((winners[others] == votes.gold[others]).mean())
    return [*map(float, shares), float(np.mean(weighted))]


if __name__ == "__main__":
    main()
