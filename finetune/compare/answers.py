"""The answers to compare: from a student, from a file, or from a model behind a server.

    outputs/student                            a folder that transformers loads, or a name on the hub
    koala.jsonl                                existing answers
    outputs/student@answers.jsonl              those of one model in such a file: `evaluate --output` has several
    gpt-4.1-mini@https://api.openai.com/v1     a model and its server; the key is read from OPENAI_API_KEY

A student answers PART prompts at a time, which are stored when all of them are answered. If it was retrained meanwhile,
resuming is refused, as the answers would come from two models. A served model's answers are stored one by one; which
model is behind its name is up to the server. Not covered: multi-turn prompts for a served model.
"""

import importlib.util
import re
from pathlib import Path
from typing import NamedTuple

from finetune.compare.asking import Served, ask
from finetune.compare.prompts import read_answers
from finetune.compare.store import Side, Store
from finetune.examples import Message
from finetune.inference.sampling import check_gguf, is_gguf
from selfinstruct.errors import UsageError
from selfinstruct.records import Completion, Request, content_id
from selfinstruct.terminal import tracked

PART = 64  # prompts; a part's position is in the seed, so answers do not depend on what was answered before
NEEDED = ("torch", "transformers", "peft")
HUB_NAME = re.compile(r"\w[\w.-]*/[\w.-]+")
FILES = (".jsonl", ".json", ".parquet")


class Asking(NamedTuple):
    """How a model answers: maximum tokens of an answer, temperature (0: the likeliest token), seed."""

    max_tokens: int
    temperature: float
    seed: int


def served(source: str) -> Served | None:
    """The model and server in MODEL@URL; None for anything else."""
    found = re.fullmatch(r"(.+)@(https?://.+)", source)
    return Served(found[1], found[2], is_judge=False) if found else None


def answer_file(source: str) -> tuple[str, Path] | None:
    """The model (or "") and the file of answers in FILE or MODEL@FILE."""
    if is_gguf(source):
        return None
    model, _, name = ("", "", source) if _is_file(source) else source.rpartition("@")
    return (model, Path(name)) if _is_file(name) else None


def _is_file(name: str) -> bool:
    """Whether it is a file, or a pipe of the shell."""
    return Path(name).exists() and not Path(name).is_dir()


def check_source(source: str, questions: list[list[Message]]) -> None:
    """UsageError if it cannot answer these questions; raised before anything is loaded or paid for."""
    if asked := served(source):
        asked.check()
        several = sum(len(messages) > 1 + (messages[0]["role"] == "system") for messages in questions)
        if several:
            raise UsageError(
                f"{source}: {several:,} prompts have several turns, which served models do not support here. Pass "
                "a file of answers instead, or leave these prompts out."
            )
    elif not answer_file(source):
        path = Path(source)
        if is_gguf(source):
            check_gguf(source)
        elif not path.is_dir() and (path.suffix in FILES or not HUB_NAME.fullmatch(source)):
            raise UsageError(
                f"{source}: no such file or folder. Use a student's folder, a GGUF file, a file of answers, "
                "NAME/MODEL on the hub, or MODEL@http://SERVER/v1."
            )
        if missing := [name for name in NEEDED if not importlib.util.find_spec(name)]:
            raise UsageError(
                f"{source} needs {' and '.join(missing)}. Run: pip install 'selfinstruct[finetune]'. "
                "A file of answers needs neither."
            )
        if path.is_dir():
            from finetune.inference.student import check_folder

            check_folder(path)


def answer(store: Store, side: Side, source: str, asking: Asking) -> list[str]:
    """Get and store the missing answers; return why others have none.

    UsageError if the source cannot be used, or its file has none of them.
    """
    missing = store.unanswered(side)
    if not missing:
        return []
    if asked := served(source):
        return _of_server(store, side, asked, asking, missing)
    if file := answer_file(source):
        return _of_file(store, side, *file, missing)
    _of_student(store, side, source, asking, missing)
    return []


def _of_file(
    store: Store, side: Side, model: str, path: Path, missing: list[tuple[int, str, list[Message]]]
) -> list[str]:
    answers = read_answers(path, model)
    found = [(position, answers[name]) for position, name, _ in missing if name in answers]
    store.add_answers(side, found)
    lost = len(missing) - len(found)
    if side not in store.answered():
        raise UsageError(f"{path} has no answers to these prompts. Its prompts must match them word for word.")
    return [f"{path} has no answer to it"] * lost


def _of_server(
    store: Store, side: Side, asked: Served, asking: Asking, missing: list[tuple[int, str, list[Message]]]
) -> list[str]:
    sampling = asked.sampling(asking.max_tokens, asking.temperature) | {"seed": asking.seed}
    requests: dict[str, int] = {}
    some: list[Request] = []
    for position, _, messages in missing:
        system = messages[0]["content"] if len(messages) > 1 else ""
        user = messages[-1]["content"]
        some.append(Request("answer", "openai", asked.model, "chat", system, user, sampling))
        requests[some[-1].id] = position

    def keep(request: Request, completion: Completion) -> None:
        store.add_answers(side, [(requests[request.id], completion.text)])

    return ask(asked, some, keep, f"asking {asked.model}")


def _of_student(
    store: Store, side: Side, name: str, asking: Asking, missing: list[tuple[int, str, list[Message]]]
) -> None:
    from finetune.evaluation.asking import identity
    from finetune.inference.student import Student

    student = Student(name)
    known = f"identity_{side}"
    # Weights, end tokens and chat template: what an answer depends on besides the settings and the question.
    found = content_id("student", identity(student), student.tokenizer.chat_template)
    if side in store.answered() and store.settings()[known] != found:
        raise UsageError(
            f"{name} has changed since it gave the answers in {store.path.parent}. Restore it to resume, or "
            "choose another folder with --out for the new one."
        )
    store.set_settings({known: found})
    parts: dict[int, list[tuple[int, list[Message]]]] = {}
    for position, _, messages in missing:
        parts.setdefault(position // PART, []).append((position, messages))
    for n, part in tracked(list(parts.items()), f"asking {name}"):
        prompts = [messages for _, messages in part]
        said = student.answer(prompts, asking.max_tokens, asking.temperature, asking.seed + n * PART)
        store.add_answers(side, [(position, one.text) for (position, _), one in zip(part, said, strict=True)])
