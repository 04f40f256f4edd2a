"""What a small student learns in minutes: the demos with three seeds, the tiny one also with all task families.

    python benchmarks/student.py [--students pretrained demo all] [--seeds 0 1 2]

Each run is `python -m finetune.demo` in a folder of its own under --out; what was run before is not run again. The
tables (Markdown) have the mean share of right answers over the seeds and, in brackets, the lowest and the highest; of
the model before and after, and of a guess: what the corpus answers most often in the family. For the pretrained model,
also of the answer that it finds most likely among the family's, before training.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from finetune.demo.graded import Kind, Score, kinds_of, share
from finetune.demo.steps import FAMILIES, Recipe, Result, run, with_pretrained
from selfinstruct.simulated.world import tasks

STUDENTS = ("pretrained", "demo", "all")


def recipe(student: str, seed: int) -> Recipe:
    if student == "pretrained":
        return with_pretrained(seed)
    most_tokens, families = (32, FAMILIES) if student == "demo" else (64, tasks.families())
    return Recipe(families=families, most_tokens=most_tokens, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", choices=STUDENTS, nargs="+", default=STUDENTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("outputs/student"), help="where the runs go")
    asked = parser.parse_args()
    tables = []
    for name in asked.students:
        results = [run(asked.out / f"{name}-{seed}", recipe(name, seed)) for seed in asked.seeds]
        tables.append(table(name, results))
    print("\n\n".join(["", *tables]))


def table(name: str, results: Sequence[Result]) -> str:
    """The families, best first, as a Markdown table."""

    def cell(family: str, model: str, kind: Kind) -> str:
        of_family = [[one for one in result.scores if family in (one.family, "all of them")] for result in results]
        if not any(one.kind == kind for one in of_family[0]):
            return "no input"
        return _spread(of_family, model, kind)

    def rank(family: str) -> float:
        return -sum(_after(result.scores, family) for result in results)

    families = sorted(dict.fromkeys(score.family for score in results[0].scores), key=rank)
    columns = [(kind, model) for kind in kinds_of(results[0].scores) for model in results[0].scores[0].right]
    questions = results[0].scores[0].questions
    seconds = ", ".join(f"{result.seconds / 60:.1f}" for result in results)
    lines = [
        f"Student: {name}. {questions} questions a family, kind and seed; minutes (0 where run before): {seconds}.",
        "",
        "| family | " + " | ".join(f"{kind}, {model}" for kind, model in columns) + " |",
        "|---" * (1 + len(columns)) + "|",
    ]
    for family in (*families, "all of them"):
        cells = (cell(family, model, kind) for kind, model in columns)
        lines.append(f"| {family} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _after(scores: Sequence[Score], family: str) -> float:
    return share([one for one in scores if one.family == family], "after", "new wordings")


def _spread(of_seeds: Sequence[Sequence[Score]], model: str, kind: Kind) -> str:
    shares = [share(scores, model, kind) for scores in of_seeds]
    mean = sum(shares) / len(shares)
    return f"{mean:.0%} ({min(shares):.0%} to {max(shares):.0%})" if max(shares) > min(shares) else f"{mean:.0%}"


if __name__ == "__main__":
    sys.exit(main())
