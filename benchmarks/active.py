"""Active labeling: is it worth choosing the rows that are labeled next?

    python benchmarks/active.py TRAIN.tsv TEST.tsv [--wrong 0.2] [--rounds 10] [--each 50] [--pool 3000] [--seeds 3]

Each line of a file: text, tab, label. The annotator is wrong for `--wrong` of the rows, at random. Printed: the
accuracy of the built-in linear model on the test file after each round, mean over the seeds.
"""

import argparse
from pathlib import Path

import numpy as np

from selfinstruct.labels import ACTIVE, active, linear


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--wrong", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--each", type=int, default=50)
    parser.add_argument("--pool", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    train, test = (
        [line.rpartition("\t")[::2] for line in path.read_text().splitlines()] for path in (asked.train, asked.test)
    )
    names = sorted({label for _, label in train})
    for how in ACTIVE:
        curves = [curve(train, test, names, how, asked=asked, seed=seed) for seed in range(asked.seeds)]
        print(f"{how:<18}" + " ".join(f"{share:.3f}" for share in np.mean(curves, axis=0)), flush=True)


def curve(train, test, names, how, *, asked, seed) -> list[float]:
    rng = np.random.default_rng(seed)
    pool = [train[at] for at in rng.permutation(len(train))[: asked.pool]]
    number = {name: at for at, name in enumerate(names)}
    gold = np.array([number[label] for _, label in pool])
    wrong = rng.random(len(gold)) < asked.wrong
    said = np.where(wrong, (gold + rng.integers(1, len(names), len(gold))) % len(names), gold)
    truth = np.array([number[label] for _, label in test])
    x = linear.features([text for text, _ in (*pool, *test)])
    of_pool, of_test = x[: len(pool)], x[len(pool) :]
    chosen: list[int] = []
    shares, probabilities = [], None
    for _ in range(asked.rounds):
        rest = np.setdiff1d(np.arange(len(pool)), chosen)
        chosen += active.pick(probabilities, rest, asked.each, how, (seed, len(chosen)))
        weights = linear.fit(of_pool[chosen], said[chosen], len(names))
        probabilities = linear.predict(of_pool, weights)
        shares.append(float((linear.predict(of_test, weights).argmax(axis=1) == truth).mean()))
    return shares


if __name__ == "__main__":
    main()
