"""One million pairs of texts, scored and decided by NoveltyIndex and by rouge_score: not one may differ.

    python benchmarks/novelty_exact.py [--pairs 1000000] [--corpus FILE]

Texts are random multisets of few words, edits of composed (or, with --corpus, of the file's) instructions, and edits of
sentences in ten scripts. rouge_score scores each pair with the project's tokens. The index, which grows between the
queries, must give every score (`top`), and the right neighbour at 0.7, at a random threshold, at one of the scores
itself and at the floating-point numbers beside it (`nearest`). Prints how many pairs and decisions were wrong; the exit
code is 1 where there were any.
"""

import argparse
import json
import math
import multiprocessing
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rouge_score.rouge_scorer import RougeScorer

from selfinstruct.pool.novelty import NoveltyIndex, tokens
from selfinstruct.records import Neighbor
from selfinstruct.simulated.world.tasks import compose

BATCH = 100  # texts known at the end of a round; as many queries, one after each
SENTENCES = (
    "列出三条河流的名字，并说明它们流经哪些国家。", "川の名前を三つ挙げ、その長さを比べてください。",
    "아프리카의 강 이름을 세 개 말하고 길이를 비교하세요.", "บอกชื่อแม่น้ำสามสายและเปรียบเทียบความยาว",
    "Назови три реки Африки и сравни их длину.", "तीन नदियों के नाम बताइए और उनकी लंबाई की तुलना कीजिए।",
    "اذكر ثلاثة أنهار في أفريقيا وقارن بين أطوالها.", "Πες τρία ποτάμια της Αφρικής και σύγκρινε το μήκος τους.",
    "ציין שלושה נהרות באפריקה והשווה את אורכם.", "မြစ်သုံးစင်းကို အမည်ပေးပြီး အရှည်ကို နှိုင်းယှဉ်ပါ",
)  # fmt: skip


class Tokenizer:
    """What RougeScorer asks for."""

    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--corpus", type=Path, help="a JSON list of objects with an instruction")
    options = parser.parse_args()
    given = [row["instruction"] for row in json.loads(options.corpus.read_text())] if options.corpus else []
    began, pairs, decisions, wrong = time.perf_counter(), 0, 0, 0
    rounds = math.ceil(options.pairs / (BATCH * (BATCH + 1) // 2))
    with multiprocessing.Pool() as pool:
        for n_pairs, n_decisions, n_wrong in pool.imap_unordered(partial(one_round, given), range(rounds)):
            pairs, decisions, wrong = pairs + n_pairs, decisions + n_decisions, wrong + n_wrong
    print(f"{pairs:,} pairs, {decisions:,} decisions in {time.perf_counter() - began:.0f} s: {wrong} wrong")
    sys.exit(wrong > 0)


def one_round(given: list[str], seed: int) -> tuple[int, int, int]:
    """Pairs, decisions, and how many of both are wrong, in an index that grows from 1 text to BATCH."""
    rng = random.Random(seed)
    write = (multisets, instructions, scripts)[seed % 3](given, rng)
    scorer = RougeScorer(["rougeL"], tokenizer=Tokenizer())
    index, known, pairs, decisions, wrong = NoveltyIndex(), [], 0, 0, 0
    for _ in range(BATCH):
        known.append(write())
        index.add(known[-1])
        text = write()
        scores = [scorer.score(other, text)["rougeL"].fmeasure for other in known]
        right = [Neighbor(i, scores[i]) for i in sorted(range(len(known)), key=lambda i: (-scores[i], i))]
        wrong += sum(one != other for one, other in zip(right, index.top(text, len(known)), strict=True))
        one = rng.choice(scores)
        for above in (0.7, rng.random(), one, math.nextafter(one, -1), math.nextafter(one, 2), -1.0):
            expected = right[0] if right[0].score > above else None
            wrong += index.nearest(text, above) != expected
            decisions += 1
        pairs += len(known)
    return pairs, decisions, wrong


def multisets(_: list[str], rng: random.Random) -> Callable[[], str]:
    """A few words of a small vocabulary, so that most are repeated."""
    words = "abcdefghijklmnop"[: rng.choice((2, 4, 8, 16))]
    return lambda: " ".join(rng.choices(words, k=rng.choice((0, 1, 2, 5, 7, 10, 13, 20))))


def instructions(given: list[str], rng: random.Random) -> Callable[[], str]:
    """Instructions that are edits of one another; most of them cut, as rouge_score takes quadratic time."""
    words = [(rng.choice(given) if given else compose(rng)).split()[: rng.choice((8, 10, 12, 40))] for _ in range(4)]
    return lambda: " ".join(edited(rng.choice(words), [word for row in words for word in row], rng))


def scripts(_: list[str], rng: random.Random) -> Callable[[], str]:
    """Sentences in one script or two, edited by word, or by character where there are no spaces."""
    characters = [list(text)[:24] if " " not in text else [f"{word} " for word in text.split()] for text in SENTENCES]
    chosen = rng.sample(characters, 2)
    return lambda: "".join(edited(rng.choice(chosen), chosen[0] + chosen[1], rng))


def edited(parts: list[str], others: list[str], rng: random.Random) -> list[str]:
    """The parts, some replaced, some left out, some moved."""
    parts = list(parts)
    for _ in range(rng.randrange(len(parts) + 1)):
        place = rng.randrange(len(parts) + 1)
        parts[place : place + 1] = rng.choice(([], [rng.choice(others)], [rng.choice(others)], parts[-1:]))
    return parts


if __name__ == "__main__":
    main()
