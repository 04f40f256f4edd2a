"""The datasheet of an exported dataset: a README.md beside the data, with the Hugging Face Hub's header.

It says what was asked of whom, how, what was thrown away and why, and what the data is not good for (Gebru et al.,
Datasheets for Datasets, arXiv 1803.09010; the header's fields: huggingface.co/docs/hub/datasets-cards). It holds
figures and settings only: no key, no text of a model, no server's address, and of a path its last part. The license is
the user's to choose: what he writes into the header stays when the card is written again.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from selfinstruct.asking.prompts import shipped
from selfinstruct.asking.stages import PROBE
from selfinstruct.config.config import Config
from selfinstruct.config.stored import config_of
from selfinstruct.custom import Custom
from selfinstruct.errors import UsageError
from selfinstruct.export.formats import format_named
from selfinstruct.filters.instruction import word_count
from selfinstruct.records import IMPORTED, canonical_json
from selfinstruct.report.diversity import Diversity, Nearest
from selfinstruct.report.figures import Lengths, day, lengths_of
from selfinstruct.report.status import Status, describe_values, status
from selfinstruct.report.verbs import is_english
from selfinstruct.rows.seeds import read_seeds
from selfinstruct.rows.writing import whole_file
from selfinstruct.store import counts
from selfinstruct.store.answers import is_simulated, period
from selfinstruct.store.declared import custom_parts
from selfinstruct.store.store import Store
from selfinstruct.teachers.settings import SAMPLING
from selfinstruct.terminal import n_of

MARK = "<!-- This card was written by selfinstruct export --card. -->"
LICENSE = """\
# "other" stands for: not chosen yet. The choice is yours; the teacher's terms of use may limit it.
license: other"""
ENGLISH_SHARE = 0.95  # of the instructions, from which the language is sure enough to be named


def card_path(data: Path) -> Path:
    """Where the card of a data file stands; UsageError if a README.md that is no card of ours is in its way."""
    path = data.parent / "README.md"
    if data.name == path.name:
        raise UsageError(f"{data}: the card is written to this name. Choose another one for the data with --output.")
    if MARK not in _read(path) and path.exists():
        raise UsageError(f"{path} exists and was not written by selfinstruct. Choose another folder with --output.")
    return path


def write_card(store: Store, format: str, data: Path, rows: int, varied: Diversity) -> Path:
    """Write the card of `data`, the run's `rows` rows in `format`, and give its path; UsageError if it cannot be."""
    path = card_path(data)
    with store.snapshot():
        text = card(store, format, data.name, rows, varied, license=license_of(_read(path)))
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def license_of(card: str) -> str:
    """The lines about the license in the header of an earlier card; without one, those of a license not chosen."""
    header = card.split("\n---", 1)[0]
    lines = re.findall(r"^(?:license\w*:.*|# \"other\" stands for.*)$", header, re.MULTILINE)
    return "\n".join(lines) or LICENSE


def card(store: Store, format: str, file_name: str, rows: int, varied: Diversity, *, license: str = LICENSE) -> str:
    """The card as Markdown under a header in YAML."""
    found = status(store, graded=False)
    config = config_of(store)
    name = store.folder.resolve().name
    simulated = is_simulated(store)
    blocks = [
        _header(store, name, file_name, rows, license),
        f"{MARK}\n\n# {_plain(name)}",
        f"{n_of(rows, 'row')} with {n_of(found.records, 'record')} of "
        f"{n_of(found.generated - found.without_records, 'task')}. "
        + (
            "A language model wrote all of them"
            if _called_a_model(found)
            else "They are another tool's answers, or an existing dataset"
        )
        + f"; selfinstruct {_version(store)} selected them by rules; {_reviewed(store)}.",
        *(["**Simulated teacher: do not train a real model on it.**"] if simulated else []),
        f"## The data\n\nEach row is {format_named(format).words}.",
        _sizes(store, found),
        "## How it was generated",
        *_making(store, config, found),
        *_selection(store, config, found),
        "## How varied it is",
        _variety(varied),
        "## Limits",
        _limits(simulated),
        "## How to reproduce it",
        _repeat(store, found),
    ]
    return "\n\n".join(blocks) + "\n"


def _header(store: Store, name: str, file_name: str, rows: int, license: str) -> str:
    instructions = [task.instruction for task in store.tasks()]
    english = sum(map(is_english, instructions)) >= ENGLISH_SHARE * len(instructions) > 0
    return "\n".join([
        "---",
        license,
        *(["language:", "- en"] if english else []),
        f"pretty_name: {json.dumps(name)}",
        "size_categories:",
        f"- {size_category(rows)}",
        "task_categories:",
        "- text-generation",
        "tags:",
        "- synthetic",
        "- instruction-tuning",
        "- self-instruct",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f"    path: {json.dumps(file_name)}",
        "---",
    ])  # fmt: skip


def size_category(rows: int) -> str:
    """The hub's name for a dataset of so many rows, such as 1K<n<10K."""
    ends = ((1000, "1K"), (10_000, "10K"), (100_000, "100K"), (10**6, "1M"), (10**7, "10M"), (10**8, "100M"))
    if rows < 1000:
        return "n<1K"
    below = [name for end, name in ends if rows >= end][-1]
    above = next((name for end, name in ends if rows < end), "1B")
    return f"{below}<n<{above}"


def _sizes(store: Store, found: Status) -> str:
    instructions, inputs, outputs = [], [], []
    for _, group in groupby(store.records(), key=lambda record: record.task):
        of_task = list(group)
        instructions.append(word_count(of_task[0].instruction))
        inputs += [word_count(record.input) for record in of_task]
        outputs += [word_count(record.output) for record in of_task]

    def row(name: str, lengths: Lengths) -> list[str]:
        figures = (f"{lengths.median:g}", f"{lengths.mean:.1f}", f"{lengths.longest:,}")
        return [name, f"{lengths.texts:,}", f"{lengths.empty:,}", *figures]

    each = (("instruction", instructions), ("input", inputs), ("output", outputs))
    table = _table(
        ("words", "texts", "empty", "median", "mean", "longest"),
        [row(name, lengths_of(counts)) for name, counts in each],
    )
    asked = {usage.stage for usage in found.usage}
    classes = [
        f" {found.counted[one.key]:,} of the tasks are {one.words}, by the teacher's own judgment."
        for stage, one in found.declared.counted.items() if stage in asked
    ]  # fmt: skip
    classes += [
        f" The field {_code(name)} has {_code(describe_values(values))}." for name, values in found.fields.items()
    ]
    return f"{table}\n\nIn scripts without spaces, characters are counted." + "".join(classes)


def _making(store: Store, config: Config, found: Status) -> Iterable[str]:
    settings, seeds = store.settings(), store.seeds()
    if settings.get("imported"):
        yield f"Another tool's answers were imported from a file (SHA-256 `{settings['imported']}`)."
    if _called_a_model(found):
        shown = f"{config.seed_demonstrations} seed tasks and {config.generated_demonstrations} generated ones"
        # What a custom strategy shows is its own affair.
        showed = "" if isinstance(config.strategy, Custom) else f" Each request for tasks showed {shown}."
        yield f"A teacher was {_plain(config.asks.summary)}.{showed}"
    if seeds:
        said = [[seed.id, seed.instruction, [[i.input, i.output] for i in seed.instances]] for seed in seeds]
        origin = "those shipped with selfinstruct" if _are_shipped(seeds) else "a file supplied by the user"
        yield f"Seed tasks: {len(seeds):,}, {origin} (`{_digest(canonical_json(said))}`)."
    rows = [
        [
            usage.stage, _code(usage.model), *_asked(config, usage.stage, usage.model), f"{usage.requests:,}",
            f"{usage.prompt_tokens:,}", f"{usage.completion_tokens:,}",
        ]
        for usage in found.usage if usage.stage != PROBE
    ]  # fmt: skip
    if rows:
        yield _table(("stage", "model", "endpoint", "sampling", "requests", "tokens in", "tokens out"), rows)
    began, latest = period(store)
    if began is not None:
        yield f"Stored from {day(began)} to {day(latest)} (UTC)."
    yield from _custom(store)
    if _called_a_model(found):
        prompts = ", ".join(f"{_code(name)} `{_digest(text)}`" for name, text in sorted(settings["prompts"].items()))
        yield f"Prompts, with the first digits of their SHA-256: {prompts}."


def _custom(store: Store) -> Iterable[str]:
    """Which code of the user's own had a say in it."""
    parts = {name: part["sha256"] for room in custom_parts(store).values() for name, part in room.items()}
    if parts:
        each = [f"{_code(name)} {', then '.join(f'`{one[:12]}`' for one in of)}" for name, of in sorted(parts.items())]
        yield f"Custom code, with the first digits of its SHA-256: {', '.join(each)}."


def _reviewed(store: Store) -> str:
    """What people have decided about them."""
    words = {"ban": "banned", "rescue": "rescued", "edit": "edited"}
    found = counts.decisions(store)
    decided = [f"{found[action]:,} {word}" for action, word in words.items() if action in found]
    return (
        f"by hand, {', '.join(decided)}; the rest has not been reviewed" if decided else "no person has reviewed them"
    )


def _asked(config: Config, stage: str, model: str) -> tuple[str, str]:
    """The endpoint and the sampling settings of a stage; nothing is known of what was recorded elsewhere."""
    if model == IMPORTED or stage not in config.known_stages:
        return "unknown", "unknown"
    choices = {choice.teacher.model: choice for choice in config.choices(stage)}
    if model not in choices:
        return "unknown", "unknown"
    teacher, sampling, _ = choices[model]
    # A user may put anything there.
    known = [f"{key} {json.dumps(value, ensure_ascii=False)}" for key, value in sampling.items() if key in SAMPLING]
    others = [key for key in sampling if key not in SAMPLING]
    return teacher.endpoint, ", ".join(map(_code, [*known, *(f"{key} (not shown)" for key in others)]))


def _selection(store: Store, config: Config, found: Status) -> Iterable[str]:
    rules = config.filters
    thresholds = [
        (field.description or name, _value(getattr(rules, name))) for name, field in type(rules).model_fields.items()
    ]
    judged = found.candidates - found.pending
    yield f"## What was rejected\n\nOf {judged:,} candidates, {found.tasks:,} were admitted, under these rules:"
    yield _table(("rule", "threshold"), [[rule, _code(value)] for rule, value in thresholds])
    if found.rejected:
        means = found.declared.reasons
        rows = [[stage, reason, _plain(means.get(reason, "")), f"{n:,}"] for stage, reason, n in found.rejected]
        yield _table(("stage", "reason", "what it means", "rejected"), rows)
    files = counts.test_files(store)
    if files:
        names = ", ".join(f"{_code(file)} ({n_of(n, 'question')})" for file, n in files)
        yield (
            f"Decontamination against {names}. Whatever shares 13 consecutive words with a question, or has a "
            f"ROUGE-L above {rules.rouge_threshold:g} with it, was rejected."
        )
    else:
        yield "Decontamination: none. The data may contain questions of public test sets."


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _variety(varied: Diversity) -> str:
    def near(nearest: Nearest | None) -> str:
        return f"mean {nearest.mean:.2f}, median {nearest.median:.2f}" if nearest else "unknown"

    rows = [
        ["ROUGE-L F1 with the nearest seed", near(varied.to_seeds)],
        ["ROUGE-L F1 with the nearest other instruction", near(varied.to_pool)],
        ["distinct words, bigrams, trigrams", ", ".join(f"{share:.2f}" for share in varied.distinct)],
        ["Vendi score", f"{varied.vendi:.0f} of {varied.vendi_sampled}"],
    ]
    return f"Of {varied.sampled:,} of {varied.instructions:,} instructions.\n\n{_table(('figure', 'value'), rows)}"


def _limits(simulated: bool) -> str:
    limits = [
        "Outputs may be wrong, biased or made up. No person has checked them.",
        "The tasks are those that the teacher came up with; what it cannot do, or avoids, is missing.",
        "Duplicates were detected by words, not by meaning.",
        "This card does not say which uses of the answers the teacher's provider allows.",
    ]
    if simulated:
        limits.insert(0, "A simulated teacher composed it from a grammar, for experiments: not for training a model.")
    return "\n".join(f"- {limit}" for limit in limits)


def _repeat(store: Store, found: Status) -> str:
    settings = store.settings()
    if settings.get("imported"):
        command = "selfinstruct import RUN --config config.toml ..."
    else:
        seeds = "" if _are_shipped(store.seeds()) else " --seeds SEEDS.jsonl"
        command = f"selfinstruct generate RUN --target {found.target or found.tasks} --config config.toml{seeds}"
    return (
        f"With selfinstruct {_version(store)} and the run's `config.toml` (random seed "
        f"{config_of(store).seed}):\n\n```sh\n{command}\n```\n\n"
        "The same settings, seeds and answers give the same records. A teacher on a server may answer differently."
    )


def _version(store: Store) -> str:
    return str(store.settings().get("version", "of an earlier version"))


def _called_a_model(found: Status) -> bool:
    return any(usage.model != IMPORTED for usage in found.usage)


def _are_shipped(seeds: Iterable[Any]) -> bool:
    return tuple(seeds) == read_seeds(shipped("seeds") / "seeds.jsonl")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [[re.sub(r"(?<!\\)\|", r"\|", cell) for cell in row] for row in (head, *rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    """The text as inline code, which nothing in it ends; of a path the last part, because the rest names people."""
    if re.match(r"[/~.\\]|\w:[\\/]|file:", text):
        text = re.split(r"[\\/]", text.rstrip("\\/"))[-1]
    inner = _printable(text).replace("`", "'")
    return f"`{inner}`"


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", _printable(text))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
