"""How wide is the simulated world? Admit instructions by ROUGE-L novelty and report how many draws still pass.

    python benchmarks/simulated_width.py --admit 60000

A draw is admitted when its ROUGE-L F1 with every instruction admitted before is at most the threshold. Words are
interned to characters, so that ROUGE-L F1 is the normalised Indel similarity of two short strings.
"""

import argparse
import random
import re
import time

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Indel

from selfinstruct.simulated.world.tasks import compose

BATCH = 256
MARKS = (1_000, 5_000, 10_000, 20_000, 40_000, 52_000, 60_000)


class Interner:
    """Turns an instruction into a string with one character per word."""

    def __init__(self) -> None:
        self.characters: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        words = re.findall("[a-z0-9]+", text.lower())
        return "".join(self.characters.setdefault(word, chr(0x4E00 + len(self.characters))) for word in words)


def admit(wanted: int, threshold: float, workers: int, seed: int) -> None:
    """Draw until `wanted` instructions are admitted; print the acceptance rate around every mark."""
    rng, intern, started = random.Random(seed), Interner(), time.perf_counter()
    pool: list[str] = []
    draws = 0
    recent: list[tuple[int, int]] = []  # (drawn, passed) per batch, since the last mark
    print("admitted    draws  acceptance since the last mark  of the last 2000 draws  seconds")
    while len(pool) < wanted:
        batch = [intern(compose(rng)) for _ in range(BATCH)]
        near = np.zeros(BATCH)
        for begin in range(0, len(pool), 8192):
            alike = process.cdist(
                batch, pool[begin : begin + 8192], scorer=Indel.normalized_similarity, score_cutoff=threshold + 1e-9,
                workers=workers, dtype=np.float32,
            )  # fmt: skip
            near = np.maximum(near, alike.max(axis=1))
        before = len(pool)
        for row, far in zip(batch, near == 0, strict=True):
            if far and not process.extractOne(
                row, pool[before:], scorer=Indel.normalized_similarity, score_cutoff=threshold + 1e-9
            ):
                pool.append(row)
        draws += BATCH
        recent.append((BATCH, len(pool) - before))
        for mark in (*MARKS, wanted):
            if before < mark <= len(pool):
                drawn, passed = map(sum, zip(*recent, strict=True))
                late = sum(got for _, got in recent[-8:]) / (BATCH * len(recent[-8:]))
                print(
                    f"{len(pool):8} {draws:8}  {passed / drawn:30.1%}"
                    f"  {late:22.1%}  {time.perf_counter() - started:7.0f}",
                    flush=True,
                )
                recent = recent[-8:] if mark == wanted else []
                break
    print(f"{len(pool)} admitted of {draws} drawn; {len(intern.characters)} different words")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--admit", type=int, default=5_000, help="how many instructions to admit")
    parser.add_argument("--threshold", type=float, default=0.7, help="the highest ROUGE-L F1 that still passes")
    parser.add_argument("--workers", type=int, default=1, help="threads for the comparisons")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    admit(options.admit, options.threshold, options.workers, options.seed)
