"""Classification without words of one's own: which of the possible answers does a model find the most likely?

That is the fair figure of a model that knows the answer, but has not learned to give it and nothing else. An answer's
likelihood is that of all its tokens and of the one that ends it, summed.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from finetune.data.encoding import encode
from finetune.evaluation.likelihood import losses_of_answers
from finetune.examples import Dialogue, Message
from finetune.inference.student import Student

MOST_CLASSES = 20
LONGEST = 60  # characters


def classes_of(dialogues: Sequence[Dialogue]) -> list[tuple[str, ...]]:
    """The answers that each dialogue's instruction has in these; none unless they are few, short, and come again.

    Dialogues without an instruction are grouped by their system prompt.
    """
    answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in dialogues:
        answers[_asked(one)][one.messages[-1]["content"].strip()] += 1
    classes = {asked: tuple(sorted(found)) for asked, found in answers.items() if _are_classes(found)}
    return [classes.get(_asked(one), ()) for one in dialogues]


def _asked(dialogue: Dialogue) -> str:
    system = "".join(message["content"] for message in dialogue.messages if message["role"] == "system")
    return system if dialogue.instruction is None else dialogue.instruction


def _are_classes(answers: Counter[str]) -> bool:
    few = 1 < len(answers) <= MOST_CLASSES and answers.total() >= 2 * len(answers)
    return few and max(map(len, answers)) <= LONGEST


def likeliest(student: Student, dialogues: Sequence[Dialogue], classes: Sequence[Sequence[str]]) -> list[str | None]:
    """For each dialogue, the likeliest of its classes in the place of its last answer; None if it has none."""
    found: list[str | None] = []
    for dialogue, answers in zip(dialogues, classes, strict=True):
        examples = [encode(student.tokenizer, _answered(dialogue, answer)) for answer in answers]
        each = zip(losses_of_answers(student.model, examples), answers, strict=True)
        found.append(min(each, default=(0.0, None))[1])
    return found


def _answered(dialogue: Dialogue, answer: str) -> Dialogue:
    return dialogue._replace(messages=[*dialogue.messages[:-1], Message(role="assistant", content=answer)])
