"""Tests a student of the simulated teacher on new questions, and grades the answers by task family.

    >>> questions = held_out(read_dialogues("outputs/run"), ("parity", "topic"), n=25, seed=0)
    >>> score(questions, {"before": [False] * 100, "after": [True] * 100})[0]
    Score(family='parity', kind='new inputs', questions=25, right={'before': 0, 'after': 25})

There are two kinds of questions, none of which is in the corpus. New inputs: an instruction from the corpus with
another input. New wordings: an instruction that is not in the corpus, with a new input. Families that need no input
have only new wordings.

A family counts as learned only above the score of a guess: always giving its most frequent answer in the corpus
(`guesses`).

An answer is right if the simulated world says so (selfinstruct.simulated.world.tasks.grade), and if the model ended it.

Not covered: corpora of other teachers, for whose tasks the right answers are unknown (use `selfinstruct evaluate`).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Literal, NamedTuple, get_args

from finetune.examples import Dialogue, Message
from selfinstruct.records import user_message
from selfinstruct.rows.writing import whole_file
from selfinstruct.simulated.world import tasks

Kind = Literal["new inputs", "new wordings"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_TRIES = 100


class Question(NamedTuple):
    """A question of a family, with its right answer."""

    kind: Kind
    family: str
    instruction: str
    input: str
    output: str

    @property
    def text(self) -> str:
        """The user's turn."""
        return user_message(self.instruction, self.input)

    @property
    def messages(self) -> list[Message]:
        """The conversation up to the answer."""
        return [Message(role="user", content=self.text)]


class Reply(NamedTuple):
    """The answer to a question, and whether it is right."""

    text: str
    is_right: bool


class Score(NamedTuple):
    """The number of questions of a family and kind, and how many of them each model, by name, answered correctly."""

    family: str
    kind: Kind
    questions: int
    right: dict[str, int]


def held_out(corpus: Sequence[Dialogue], families: Sequence[str], n: int, seed: int) -> list[Question]:
    """Make `n` questions of each family and kind that are not in `corpus`; no new inputs if it has no such task."""
    asked = {dialogue.messages[0]["content"] for dialogue in corpus}
    instructions = dict.fromkeys(dialogue.instruction for dialogue in corpus if dialogue.instruction)
    known: dict[str, list[str]] = {family: [] for family in families}
    for instruction in instructions:
        task = tasks.recognise(instruction)
        if task and task.needs_input and task.family in known:
            known[task.family].append(instruction)
    rng = Random(f"questions {seed}")
    questions: list[Question] = []
    for family in families:
        for _ in range(n if known[family] else 0):
            questions.append(_new_input(family, known[family], asked, rng))
        for _ in range(n):
            questions.append(_new_wording(family, instructions, rng))
    leaked = [question.text for question in questions if question.text in asked]
    if leaked:
        raise RuntimeError(f"{len(leaked)} questions are in the corpus, such as: {leaked[0]}")
    return questions


def _new_input(family: str, instructions: Sequence[str], asked: set[str], rng: Random) -> Question:
    for _ in range(_TRIES):
        instruction = rng.choice(instructions)
        task = tasks.recognise(instruction)
        assert task
        question = Question("new inputs", family, instruction, *tasks.make_instance(task, rng))
        if question.text not in asked:
            return question
    raise RuntimeError(f"{family}: {_TRIES} inputs in a row are already in the corpus")


def _new_wording(family: str, instructions: Mapping[str, Any], rng: Random) -> Question:
    instruction, task = tasks.compose_task(family, rng)
    while instruction in instructions:
        instruction, task = tasks.compose_task(family, rng)
    return Question("new wordings", family, instruction, *tasks.make_instance(task, rng))


def replies(model: Path, questions: Sequence[Question], most_tokens: int, file: Path) -> list[Reply]:
    """The answers of `model` (greedy, with a maximum number of tokens), stored in `file` and not generated again."""
    if not file.exists():
        from finetune.inference.student import Student

        answers = Student(str(model)).answer([one.messages for one in questions], most_tokens, batch_size=64)
        with whole_file(file) as part, part.open("w", encoding="utf-8") as lines:
            for question, answer in zip(questions, answers, strict=True):
                grade = tasks.grade(question.instruction, question.input, answer.text) if answer.stopped else "cut off"
                row = {"prompt": question.text, "answer": answer.text, "grade": grade}
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    if [row["prompt"] for row in rows] != [question.text for question in questions]:
        raise RuntimeError(f"{file} has answers to other questions. Delete it.")
    return [Reply(row["answer"], row["grade"] == "right") for row in rows]


def score(questions: Sequence[Question], right: Mapping[str, Sequence[bool]]) -> list[Score]:
    """Count the right answers by family and kind; `right` has for each model whether each answer is right."""
    places: dict[tuple[str, Kind], list[int]] = {}
    for place, question in enumerate(questions):
        places.setdefault((question.family, question.kind), []).append(place)
    return [
        Score(family, kind, len(at), {model: sum(is_right[place] for place in at) for model, is_right in right.items()})
        for (family, kind), at in places.items()
    ]


def answers_of(corpus: Sequence[Dialogue]) -> dict[str, Counter[str]]:
    """How often each family has each answer in `corpus`."""
    families = {
        instruction: task.family
        for instruction in {dialogue.instruction for dialogue in corpus if dialogue.instruction}
        if (task := tasks.recognise(instruction))
    }
    said: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for dialogue in corpus:
        if dialogue.instruction in families:
            said[families[dialogue.instruction]][dialogue.messages[-1]["content"]] += 1
    return said


def guesses(corpus: Sequence[Dialogue], questions: Sequence[Question]) -> list[bool]:
    """Whether the most frequent answer in `corpus` for its family is right for each question."""
    commonest = {family: answers.most_common(1)[0][0] for family, answers in answers_of(corpus).items()}
    return [tasks.grade(one.instruction, one.input, commonest.get(one.family, "")) == "right" for one in questions]


def share(scores: Sequence[Score], model: str, kind: Kind) -> float:
    """The share of right answers of `model` to questions of a kind, over all `scores`; 0 if there are none."""
    some = [one for one in scores if one.kind == kind]
    return sum(one.right[model] for one in some) / max(1, sum(one.questions for one in some))


def kinds_of(scores: Sequence[Score]) -> list[Kind]:
    """The kinds of questions that were asked."""
    return [kind for kind in KINDS if any(one.kind == kind for one in scores)]


def table(scores: Sequence[Score]) -> str:
    """The scores as text: one line per family, best first, with the share of every scored model for each kind."""
    families = sorted({one.family for one in scores}, key=lambda family: (-_after(scores, family), family))
    models, kinds = list(scores[0].right), kinds_of(scores)
    titles = "".join(f"{kind:^{8 * len(models) + 4}}" for kind in kinds)
    lines = [f"{'':20}{titles}", f"{'family':20}" + ("".join(f"{model:>8}" for model in models) + "    ") * len(kinds)]
    for name in (*families, "all of them"):
        some = [one for one in scores if name in (one.family, "all of them")]
        cells = ("".join(f"{_cell(some, model, kind):>8}" for model in models) for kind in kinds)
        lines.append(f"{name:20}" + "    ".join(cells))
    return "\n".join(line.rstrip() for line in lines)


def _cell(scores: Sequence[Score], model: str, kind: Kind) -> str:
    return f"{share(scores, model, kind):.0%}" if any(one.kind == kind for one in scores) else "-"


def _after(scores: Sequence[Score], family: str) -> float:
    return share([one for one in scores if one.family == family], "after", "new wordings")
