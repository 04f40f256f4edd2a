"""Is the corrected error rate right? Labels with known errors, a second opinion, 100 checked rows.

    python benchmarks/disagreement.py FILE.tsv... [--rows 3000] [--checked 50] [--few 16]

Each line of a file: text, tab, label (gzip or not). Three kinds of errors are planted: 10 % and 30 % of the labels at
random, and a teacher that was trained on few examples of each class by character sequences, which errs systematically.
Printed: the true rate, how often the model disagrees, the rate after 50 agreeing and 50 disagreeing rows were checked,
whether its interval has the true rate (in 40 draws), and how well suspicion finds the wrong rows (AUC).
"""

import argparse
import gzip
from pathlib import Path

import numpy as np

from selfinstruct.labels import errors, linear
from selfinstruct.labels.models import ABSTAINED

DRAWS = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--checked", type=int, default=50)
    parser.add_argument("--few", type=int, default=16)
    asked = parser.parse_args()
    print(f"{'':<26} true rate  disagrees  corrected  interval       covers  AUC")
    for path in asked.files:
        texts, gold, n_classes = read(path, asked.rows)
        for name, labels in planted(texts, gold, n_classes, asked.few):
            print(f"{path.name[:9]} {name:<17}", line(texts, labels, gold, n_classes, n=asked.checked))


def read(path: Path, n: int) -> tuple[list[str], np.ndarray, int]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [line.rpartition("\t")[::2] for line in content.decode().splitlines()]
    rows = [row for row in rows if row[0]]
    names = {name: at for at, name in enumerate(sorted({label for _, label in rows}))}
    drawn = np.random.default_rng(0).permutation(len(rows))[: n + 2000]
    return [rows[at][0] for at in drawn], np.array([names[rows[at][1]] for at in drawn]), len(names)


def planted(texts: list[str], gold: np.ndarray, n_classes: int, few: int):
    rng = np.random.default_rng(1)
    for share in (0.1, 0.3):
        wrong = rng.random(len(gold)) < share
        yield f"random {share:.0%}", np.where(wrong, (gold + rng.integers(1, n_classes, len(gold))) % n_classes, gold)
    spelled = [" ".join(text[at : at + 3].replace(" ", "_") for at in range(len(text))) for text in texts]
    x = linear.features(spelled)
    shown = np.concatenate([np.flatnonzero(gold == one)[:few] for one in range(n_classes)])
    yield "few-shot teacher", linear.predict(x, linear.fit(x[shown], gold[shown], n_classes)).argmax(axis=1)


def line(texts: list[str], labels: np.ndarray, gold: np.ndarray, n_classes: int, *, n: int) -> str:
    found = linear.out_of_sample(texts, labels, n_classes)
    scores = errors.suspicion(found, labels)
    disagrees, wrong = scores > 0, labels != gold
    rng, covered, rates = np.random.default_rng(2), 0, []
    for _ in range(DRAWS):
        known = np.full_like(gold, ABSTAINED)
        for kind in (disagrees, ~disagrees):
            drawn = rng.permutation(np.flatnonzero(kind))[:n]
            known[drawn] = gold[drawn]
        rate = errors.error_rate(disagrees, labels, known)
        rates.append(rate)
        covered += rate.low <= wrong.mean() <= rate.high
    order = scores.argsort().argsort()
    auc = (order[wrong].sum() - wrong.sum() * (wrong.sum() - 1) / 2) / (wrong.sum() * (~wrong).sum())
    first = rates[0]
    return (
        f"{wrong.mean():>9.3f} {disagrees.mean():>10.3f} {first.share:>10.3f}  "
        f"{first.low:.3f} to {first.high:.3f} {covered / DRAWS:>7.2f} {auc:>5.3f}"
    )


if __name__ == "__main__":
    main()
