"""The novelty rule three ways, in one run: the rouge_score loop, rapidfuzz over the whole pool, and NoveltyIndex.

    python benchmarks/novelty.py [--corpus templates | --corpus FILE] [--sizes 1000 10000] [--plot docs/novelty.svg]

Half of the candidates are new, half are members of the pool with one to three words changed; each is asked for its
nearest neighbour above 0.7. `rouge_score` is a pre-built scorer, called for each known text as in the published code,
measured on a sample of pairs and multiplied by the size of the pool. `cdist` is one call of rapidfuzz for all known
texts, encoded beforehand, with the threshold as cut-off. Each size has a process of its own; memory is what its peak
grows by while the index is built, where that is more than noise.

Corpora: "generated" is composed by the simulated teacher's world; "templates" are 20 beginnings of 12 words, each with
eight words out of 50 for their place; a FILE is a JSON list or JSONL with "instruction", repeated with half of the
words replaced by others of the file.

Last, a run grows from 175 to 52,000 instructions while half of the candidates are rejected.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Indel
from rouge_score.rouge_scorer import RougeScorer

from selfinstruct.pool.novelty import NoveltyIndex, tokens
from selfinstruct.simulated.world.tasks import compose

SIZES = (1_000, 10_000, 52_000, 200_000, 1_000_000)
THRESHOLD = 0.7
COLUMNS = ("rouge_score", "cdist", "index", "p99", "above -1", "p99")  # ms a candidate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="generated", help="generated, templates, or a file")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--grow-to", type=int, default=52_000)
    parser.add_argument("--quick", action="store_true", help="a small run that shows that everything works")
    parser.add_argument("--plot", type=Path, help="write the plot there (needs matplotlib)")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.candidates, options.grow_to = (500, 2_000), 40, 1_000
    if options.measure:
        task, size = options.measure.split()
        print(json.dumps(TASKS[task](options.corpus, int(size), options.candidates)))
        return
    print(f"Corpus: {Path(options.corpus).name}. Milliseconds a candidate.\n")
    print(
        f"{'known':>9}"
        + "".join(f"{name:>13}" for name in COLUMNS)
        + f"{'times faster than':>22}{'build s':>9}{'bytes':>7}"
    )
    rows = []
    for size in options.sizes:
        row = measured("compare", size, options)
        rows.append(row)
        faster = f"{row['ms'][0] / row['ms'][2]:,.0f} / {row['ms'][1] / row['ms'][2]:,.1f}"
        print(
            f"{size:>9,}" + "".join(f"{ms:>13,.3f}" for ms in row["ms"])
            + f"{faster:>22}{row['build_s']:>9.1f}{row['bytes']:>7}", flush=True,
        )  # fmt: skip
    row = measured("grow", options.grow_to, options)
    print(
        f"\nGrowing to {options.grow_to:,}: {row['candidates']:,} candidates, {row['rejected']:,} rejected; "
        f"the index {row['cpu_s']:.1f} s of CPU, the rouge_score loop {row['loop_s'] / 3600:,.1f} hours (extrapolated)"
    )
    if options.plot:
        plot(rows, options.plot)


def measured(task: str, size: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run a task in a process of its own."""
    command = [sys.executable, __file__, "--corpus", options.corpus, "--candidates", str(options.candidates)]
    done = subprocess.run([*command, "--measure", f"{task} {size}"], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def compare(corpus: str, size: int, n_candidates: int) -> dict[str, Any]:
    """Build the index of `size` texts and ask all three for the same candidates' nearest."""
    rng = random.Random(size)
    fresh = CORPORA.get(corpus, from_file)(rng, corpus)
    index, build_s, before = NoveltyIndex(), 0.0, 0
    for text in islice(fresh, size):  # no text is kept, so that the memory is the index's
        before = before or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        index.add(text)
        build_s += time.perf_counter() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    known = list(islice(CORPORA.get(corpus, from_file)(random.Random(size), corpus), size))
    candidates = list(islice(fresh, n_candidates // 2))
    candidates += [edited(rng.choice(known), rng) for _ in range(n_candidates // 2)]
    rng.shuffle(candidates)

    found, ms = timed(lambda text: index.nearest(text, THRESHOLD), candidates)
    _, ms_any = timed(lambda text: index.nearest(text, -1.0), candidates)

    characters: dict[str, str] = {}
    pool = [encode(text, characters) for text in known]
    few = candidates[: max(3, min(len(candidates), 2_000_000 // size))]

    def whole_pool(text: str) -> bool:
        query = encode(text, characters)
        alike = process.cdist(
            [query], pool, scorer=Indel.normalized_similarity, score_cutoff=THRESHOLD, dtype=np.float32
        )
        return bool(alike.max() > THRESHOLD + 1e-6)

    decisions, ms_pool = timed(whole_pool, few)
    for text, near, other in zip(few, found, decisions, strict=False):
        if (near is not None and near.score > THRESHOLD + 1e-5) != other:
            sys.exit(f"The index and cdist disagree about {text!r}.")
    ms_loop = seconds_a_pair(known, candidates, rng) * size * 1000
    quantiles = [np.median(ms), np.quantile(ms, 0.99), np.median(ms_any), np.quantile(ms_any, 0.99)]
    return {
        "size": size,
        "ms": [ms_loop, float(np.median(ms_pool)), *map(float, quantiles)],
        "build_s": build_s,
        "bytes": f"{grown * 1024 / size:.0f}" if size >= 10_000 else "-",
    }


def grow(corpus: str, size: int, n_candidates: int) -> dict[str, Any]:
    """Let a run grow to `size`: the index's CPU seconds, and what the loop over rouge_score would take."""
    rng = random.Random(0)
    fresh = CORPORA.get(corpus, from_file)(rng, corpus)
    known = list(islice(fresh, 175))
    index = NoveltyIndex()
    for text in known:
        index.add(text)
    cpu_s, pairs, n, rejected, sample = 0.0, 0, 0, 0, []
    while len(known) < size:
        # New texts, as long as at most half of all candidates are rejected.
        text = next(fresh) if 2 * rejected >= n else edited(rng.choice(known), rng)
        n, pairs = n + 1, pairs + len(known)
        began = time.process_time()
        near = index.nearest(text, THRESHOLD)
        if near is None:
            index.add(text)
        cpu_s += time.process_time() - began
        if near is None:
            known.append(text)
        rejected += near is not None
        if n % 1000 == 0:
            sample.append(text)
    loop_s = pairs * seconds_a_pair(known, sample or known[:1], rng)
    return {"candidates": n, "rejected": rejected, "cpu_s": cpu_s, "loop_s": loop_s}


def timed(ask: Callable[[str], Any], texts: list[str]) -> tuple[list[Any], list[float]]:
    """The answers, and the milliseconds that each took."""
    answers, ms = [], []
    for text in texts:
        began = time.perf_counter()
        answers.append(ask(text))
        ms.append(1000 * (time.perf_counter() - began))
    return answers, ms


def seconds_a_pair(known: list[str], candidates: list[str], rng: random.Random) -> float:
    """What a pre-built scorer of rouge_score takes for one pair: the mean of 2,000."""
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    pairs = [(rng.choice(known), rng.choice(candidates)) for _ in range(2000)]
    began = time.perf_counter()
    for one, other in pairs:
        scorer.score(one, other)
    return (time.perf_counter() - began) / len(pairs)


def encode(text: str, characters: dict[str, str]) -> str:
    """One character per token."""
    return "".join([characters.setdefault(word, chr(0x10000 + len(characters))) for word in tokens(text)])


def edited(text: str, rng: random.Random) -> str:
    """The text with one to three of its words replaced by another, or left out."""
    words = text.split()
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(words))
        words[place : place + 1] = rng.choice((["seven"], ["violet"], [rng.choice(words)], []))
        words = words or ["seven"]
    return " ".join(words)


def generated(rng: random.Random, _: str) -> Iterator[str]:
    while True:
        yield compose(rng)


def templates(rng: random.Random, _: str) -> Iterator[str]:
    words = sorted({word for _ in range(3000) for word in tokens(compose(rng))})
    people = rng.sample(words, 20)
    places = [rng.sample(words, 50) for _ in range(8)]
    while True:
        rest = " ".join(rng.choice(place) for place in places)
        yield f"Write a short polite e-mail to your {rng.choice(people)} in which you {rest}"


def from_file(rng: random.Random, name: str) -> Iterator[str]:
    text = Path(name).read_text(encoding="utf-8")
    rows = json.loads(text) if text.lstrip().startswith("[") else map(json.loads, text.splitlines())
    known = [row["instruction"].split() for row in rows if row["instruction"].strip()]
    words = [word for row in known for word in row]
    while True:
        row = list(rng.choice(known))
        for _ in range(len(row) // 2):
            row[rng.randrange(len(row))] = rng.choice(words)
        yield " ".join(row)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Milliseconds a candidate against the size of the pool; the same bytes for the same figures."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"svg.hashsalt": "novelty", "svg.fonttype": "none", "font.size": 11})
    figure, axes = pyplot.subplots(figsize=(6.4, 4), layout="constrained")
    sizes, middle = [row["size"] for row in rows], len(rows) // 2
    lines = (
        (0, "rouge_score loop", "#b2182b"),
        (1, "rapidfuzz, whole pool", "#8c6d1f"),
        (2, "NoveltyIndex", "#2166ac"),
    )
    for place, name, color in lines:
        ms = [row["ms"][place] for row in rows]
        axes.plot(sizes, ms, "o-", color=color, markersize=4)
        axes.annotate(name, (sizes[middle], ms[middle]), (8, -16), textcoords="offset points", color=color)
    axes.fill_between(
        sizes, [row["ms"][2] for row in rows], [row["ms"][3] for row in rows], color="#2166ac", alpha=0.2, lw=0
    )
    axes.set(xscale="log", yscale="log", xlabel="known instructions", ylabel="ms per candidate")
    axes.set_title("Is it novel? Median of NoveltyIndex, shaded up to p99", fontsize=11)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


CORPORA: dict[str, Callable[[random.Random, str], Iterator[str]]] = {"generated": generated, "templates": templates}
TASKS = {"compare": compare, "grow": grow}

if __name__ == "__main__":
    main()
