"""How many records have an earlier near-duplicate, what does LSH miss, and what does looking cost?

    python benchmarks/near_duplicates.py [--corpus FILE] [--records 82000] [--examples 1]

The corpus is an Alpaca JSON file, or made of the simulated world: three instances of each task that needs an input, one
of the others. Each task's records are looked up before any of them is added, so that `other task` counts records like
an earlier one of another task; `same task` counts those like an earlier one of their own, by brute force. The recall is
that of copies in which 0 to 16 words were replaced, among --sample records, against brute force over all of them.
"""

import argparse
import json
import random
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from selfinstruct.pool.near_duplicates import ROWS, NearDuplicates
from selfinstruct.pool.novelty import tokens
from selfinstruct.simulated.world.tasks import compose_task, make_instance, pick_family

THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
Pair = tuple[float, str, str]


def read(path: Path) -> Iterator[list[str]]:
    """Each row of an Alpaca file as a task of its own."""
    for row in json.loads(path.read_text()):
        yield ["\n".join((row["instruction"], row["input"], row["output"]))]


def make(n: int) -> Iterator[list[str]]:
    """The records of simulated tasks, n or a few more in all."""
    rng = random.Random(1)
    while n > 0:
        instruction, task = compose_task(pick_family(rng), rng)
        instances = [make_instance(task, rng) for _ in range(3 if task.needs_input else 1)]
        yield ["\n".join((instruction, *instance)) for instance in instances]
        n -= len(instances)


def shingles(text: str) -> set[tuple[str, ...]]:
    """Written down once more, without hashes."""
    words = tokens(text)
    size = 3 if len(words) >= 3 else 1
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}


def jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0


def count(tasks: list[list[str]], examples: int) -> None:
    """Print how many records have an earlier near-duplicate at each threshold, pairs to read, and the cost."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    index, began = NearDuplicates(0.7), time.perf_counter()
    for task in tasks:
        for text in task:
            index.nearest(text)
        for text in task:
            index.add(text)
    n, seconds = len(index), time.perf_counter() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{n:,} records, threshold 0.7: {1e6 * seconds / n:.0f} µs a record to look up and add, {grown:.0f} MB")
    index, known = NearDuplicates(THRESHOLDS[0]), [text for task in tasks for text in task]
    across: list[Pair] = []
    within: list[Pair] = []
    for task in tasks:
        near = [(index.nearest(text), text) for text in task]
        across += [(neighbor.score, known[neighbor.index], text) for neighbor, text in near if neighbor]
        sets = [shingles(text) for text in task]
        within += [max((jaccard(sets[j], sets[i]), task[j], task[i]) for j in range(i)) for i in range(1, len(task))]
        for text in task:
            index.add(text)
    print("at least   other task   same task")
    for threshold in THRESHOLDS:
        print(f"{threshold:8}{above(across, threshold):13,}{above(within, threshold):12,}")
    rng = random.Random(0)
    for title, pairs in (("other task", across), ("same task", within)):
        for low in THRESHOLDS if examples else ():
            level = [pair for pair in pairs if low <= pair[0] < low + 0.05]
            for score, one, other in rng.sample(level, min(examples, len(level))):
                print(f"--- {title}, {score:.2f}\n{one}\n  and\n{other}")


def above(pairs: list[Pair], threshold: float) -> int:
    return sum(pair[0] >= threshold for pair in pairs)


def recall(texts: list[str]) -> None:
    """Print the share of edited copies that are found, by their similarity to the most similar text (brute force)."""
    rng = random.Random(0)
    vocabulary = sorted({word for text in texts for word in text.split()})
    having = defaultdict(list)
    sets = [shingles(text) for text in texts]
    for i, some in enumerate(sets):
        for shingle in some:
            having[shingle].append(i)
    copies = []
    for text in texts:
        for changes in range(17):
            words = text.split()
            for place in rng.sample(range(len(words)), min(changes, len(words))):
                words[place] = rng.choice(vocabulary)
            copy = " ".join(words)
            some = shingles(copy)
            shared = Counter(i for shingle in some for i in having.get(shingle, ()))
            best = max((n / (len(some) + len(sets[i]) - n) for i, n in shared.items()), default=0.0)
            copies.append((copy, best))
    print(f"found of {len(copies):,} edited copies of {len(texts):,} records, by their exact similarity")
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9):
        index = NearDuplicates(threshold)
        for text in texts:
            index.add(text)
        cells, wrong = [], 0
        tally: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for copy, best in copies:
            neighbor = index.nearest(copy)
            wrong += neighbor is not None and (best < threshold or neighbor.score > best)
            if best >= threshold:
                level = tally[int((best - threshold) / 0.05 + 1e-9)]
                level[0] += neighbor is not None
                level[1] += 1
        for k, (found, of) in sorted(tally.items())[:3]:
            cells.append(f"{threshold + 0.05 * k:.2f}+ {found:,} of {of:,} ({found / of:.2%})")
        found, of = map(sum, zip(*tally.values(), strict=True))
        print(f"{threshold}: all {found / of:.2%}; {'; '.join(cells)}; wrongly found {wrong}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="an Alpaca JSON file instead of the simulated world")
    parser.add_argument("--records", type=int, default=82_000, help="how many to make of the simulated world")
    parser.add_argument("--examples", type=int, default=1, help="pairs to print at each level")
    parser.add_argument("--sample", type=int, default=1_000, help="records whose copies measure the recall")
    options = parser.parse_args()
    tasks = list(read(options.corpus) if options.corpus else make(options.records))
    count(tasks, options.examples)
    print(f"{ROWS} rows a band")
    recall([task[0] for task in random.Random(2).sample(tasks, min(options.sample, len(tasks)))])


if __name__ == "__main__":
    main()
