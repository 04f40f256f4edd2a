"""The questions of a comparison, and existing answers, from files in any known format.

    {"instruction": "Reverse the list.", "input": "3, 1, 2"}                       a question
    {"prompt": "Reverse the list.\\n\\n3, 1, 2", "answer": "2, 1, 3"}                  the same, with an answer
    {"messages": [{"role": "user", ...}, {"role": "assistant", ...}]}              the same as messages

A question is everything before the last answer, so a multi-turn question includes earlier answers. Rows with the same
question are merged. A .txt file has one question per line.

Koala left out the prompts that had more than 20 % BLEU with its training data. Here a prompt is left out by the rules
of `selfinstruct.pool.contamination`: 13 consecutive words of a training row, or a question with ROUGE-L above 0.7.
"""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from finetune.examples import Message
from selfinstruct.errors import UsageError
from selfinstruct.pool.contamination import Overlap, TestSet
from selfinstruct.records import Line, content_id, user_message
from selfinstruct.rows import fields, not_used
from selfinstruct.rows.encodings import half_surrogate
from selfinstruct.rows.files import read, whole_row
from selfinstruct.rows.formats import Conversation, conversations, format_of
from selfinstruct.rows.reading import numbered_lines, read_text
from selfinstruct.terminal import tracked

KNOWN = (
    "Use the fields instruction and input, prompt, messages or conversations, with or without an answer (output, "
    "completion, answer, or the last turn)."
)


class Prompt(NamedTuple):
    """A question as `messages`, the last of which is the user's; `number` is its line or row."""

    messages: list[Message]
    number: int

    @property
    def id(self) -> str:
        """The hash of the question."""
        return prompt_id(self.messages)


class Asked(NamedTuple):
    """A question and its answer, None if there is none; `model`: the model that answered, if the row names it."""

    prompt: Prompt
    answer: str | None
    model: str = ""


class Dropped(NamedTuple):
    """A prompt that was left out, the row of the training data that it overlaps, and what they have in common."""

    text: str
    number: int
    train_number: int
    by: str
    shared: str
    score: float


def prompt_id(messages: list[Message]) -> str:
    """The hash of a question, without the white space around its texts."""
    return content_id("prompt", [[message["role"], message["content"].strip()] for message in messages])


def in_words(messages: list[Message]) -> str:
    """A question as one text: as it is, or with the speakers' names if there are several turns."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"{message['role'].capitalize()}: {message['content']}" for message in messages)


def read_prompts(path: Path) -> list[Prompt]:
    """The questions of a file, each once, in its order; UsageError if it has none or cannot be read."""
    found: dict[str, Prompt] = {}
    for asked in read_asked(path):
        found.setdefault(asked.prompt.id, asked.prompt)
    return list(found.values())


def read_answers(path: Path, model: str = "") -> dict[str, str]:
    """The answers of a file, or those of `model` in it, by their questions' ids; the last if there are several.

    UsageError if there are none, or if there are several models and none is named.
    """
    rows = [row for row in read_asked(path) if row.answer is not None]
    if not rows:
        raise UsageError(f"{path}: no row has an answer. {KNOWN}")
    models = sorted({row.model for row in rows})
    if model not in models and (model or len(models) > 1):
        names = " or ".join(f"{name}@{path}" for name in models if name) or str(path)
        raise UsageError(f"{path}: name one model whose answers to use: {names}.")
    return {row.prompt.id: row.answer for row in rows if row.answer is not None and model in ("", row.model)}


def read_asked(path: Path) -> list[Asked]:
    """The questions of a file, with their answers; UsageError, with the place, for a row without a question."""
    if path.suffix.lower() == ".txt":
        lines = numbered_lines(read_text(path))
        if not lines:
            raise UsageError(f"{path} is empty.")
        return [Asked(Prompt([Message(role="user", content=line.strip())], n), None) for n, line in lines]
    file = read(path)
    found: list[Asked] = []
    unused: Counter[str] = Counter()
    for i, row in enumerate(file.rows):
        where = f"{path}, {file.unit} {row.number}"
        if row.fault:
            raise UsageError(f"{where}: {row.fault}. Correct or remove it.")
        value, has_answer = _with_answer(whole_row(file, i))
        unused.update(sorted(not_used.not_used(value) - {"model"}))
        found += _asked(value, has_answer, row.number, where)
    not_used.tell(path, unused)
    return found


def _with_answer(value: Any) -> tuple[Any, bool]:
    """The row, and whether it has an answer; a question alone gets an empty one, so that it has a format."""
    row: Any = {"prompt": value} if isinstance(value, str) else value
    if format_of(row) or not isinstance(row, dict):
        return row, True
    return {**row, ("completion" if "prompt" in row else "output"): ""}, False


def _asked(row: Any, has_answer: bool, number: int, where: str) -> list[Asked]:
    model = row["model"] if isinstance(row, dict) and isinstance(row.get("model"), str) else ""
    kind = format_of(row)
    if not kind:
        raise UsageError(f"{where}: no question found. {KNOWN}")
    read_as, problems = conversations(row, kind)
    # Of two answers it is not known which one is to be compared: such rows have questions only.
    is_pair = any(problem.rule == "preference_pair" for problem in problems)
    has_answer = has_answer and not is_pair and not fields.is_unwanted(row)
    problems = [problem for problem in problems if problem.rule != "preference_pair"]
    if problems:
        problem = problems[0]
        raise UsageError(f"{where}: {problem.field}: {problem.rule} {problem.evidence}".rstrip() + f". {KNOWN}")
    found = [_before_last_answer(one, number, where) for one in read_as]
    return [Asked(prompt, answer if has_answer else None, model) for prompt, answer, _ in found]


def _before_last_answer(conversation: Conversation, number: int, where: str) -> Asked:
    messages: list[Message] = []
    for text in conversation.texts:
        if text.kind in ("thought", "rejected"):
            continue  # answers are compared without their reasoning
        if text.kind in ("tool", "tools", "call", "unknown"):
            raise UsageError(f"{where}: {text.field}: role {text.kind}; use system, user and assistant.")
        if found := half_surrogate(text.text):
            around = found.encode("ascii", "backslashreplace").decode()
            raise UsageError(f"{where}: {text.field}: half a surrogate pair, which is not a character, in “{around}”.")
        if text.kind == "input":
            messages[-1]["content"] = user_message(messages[-1]["content"], text.text)
        elif text.kind in ("instruction", "user"):
            messages.append(Message(role="user", content=text.text))
        else:
            messages.append(Message(role=text.kind, content=text.text))
    answer = messages.pop()["content"] if messages and messages[-1]["role"] == "assistant" else None
    if not messages or messages[-1]["role"] != "user" or not messages[-1]["content"].strip():
        raise UsageError(f"{where}: no question before the last answer. {KNOWN}")
    return Asked(Prompt(messages, number), answer)


def without_overlap(prompts: list[Prompt], train: Path) -> tuple[list[Prompt], list[Dropped]]:
    """The prompts that do not overlap the training data (a file or a run's folder), and the others."""
    rows = read_asked(train / "records.jsonl" if train.is_dir() else train)
    texts = [(row, in_words(row.prompt.messages), row.answer or "") for row in rows]
    dropped: dict[int, Dropped] = {}
    # A look-up returns only the line that a row overlaps most. Rows that overlap a line are looked up again without it,
    # until no row overlaps any.
    while texts:
        left = [i for i in range(len(prompts)) if i not in dropped]
        tests = TestSet([Line("", i, in_words(prompts[i].messages)) for i in left])
        found: list[tuple[Any, Overlap]] = []
        for text in tracked(texts, "looking for the prompts in the training data"):
            row, question, answer = text
            if overlap := tests.overlap(f"{question}\n{answer}", question):
                found.append((text, overlap))
                i = overlap.line.number
                dropped[i] = Dropped(
                    overlap.line.text, prompts[i].number, row.prompt.number, overlap.by, overlap.shared, overlap.score
                )
        texts = [text for text, _ in found]
    kept = [prompt for i, prompt in enumerate(prompts) if i not in dropped]
    if not kept:
        raise UsageError(
            f"All {len(prompts):,} prompts overlap {train}. Use prompts that are not in the training data."
        )
    return kept, [dropped[i] for i in sorted(dropped)]
