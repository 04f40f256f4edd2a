"""How well accuracies are estimated without gold labels: three voters of 70 to 85 %, independent errors.

    python benchmarks/voters.py [--draws 40]

For each number of rows and labels: the largest error of the three estimates (mean and 90th percentile of the draws),
how much more often the combination is right than the best voter (mean and worst draw), and the share of draws with a
false warning of common errors.
"""

import argparse

import numpy as np

from selfinstruct.labels.combining import combine
from selfinstruct.labels.votes import Votes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=40)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    print(" rows labels  off by  90th pct  better by   worst  false warnings")
    for n in (200, 600, 2000):
        for n_labels in (2, 3, 4):
            found = np.array([draw(rng, n, n_labels) for _ in range(asked.draws)])
            off, better, warned = found.T
            print(
                f"{n:>5} {n_labels:>6} {off.mean():>7.3f} {np.quantile(off, 0.9):>9.3f} {better.mean():>10.3f} "
                f"{better.min():>7.3f} {warned.mean():>15.2f}"
            )


def draw(rng: np.random.Generator, n: int, n_labels: int) -> tuple[float, float, float]:
    accuracies, gold = rng.uniform(0.7, 0.85, 3), rng.integers(0, n_labels, n)
    wrong = [(gold + rng.integers(1, n_labels, n)) % n_labels for _ in accuracies]
    cast = np.stack([np.where(rng.random(n) < p, gold, w) for p, w in zip(accuracies, wrong, strict=True)], axis=1)
    found = combine(Votes(list(range(n)), ("a", "b", "c"), tuple(map(str, range(n_labels))), cast, gold, {}))
    right = (cast == gold[:, None]).mean(axis=0)
    off = float(np.abs(np.array(found.estimated) - right).max())
    return off, found.score.share - float(right.max()), float(found.is_overconfident)


if __name__ == "__main__":
    main()
