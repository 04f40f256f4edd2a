"""What is wrong with a file of seed tasks, and what would make it better: `selfinstruct seeds check FILE`.

Errors keep a run from beginning. Warnings are about single tasks: near-duplicates, tasks that the filters would reject
if a teacher proposed them, instances that teach something wrong. Advice is about the whole: what a teacher invents
resembles what it is shown, so what the seeds lack, the dataset will lack.
"""

import statistics
from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

from selfinstruct.filters.instruction import INSTRUCTION_FILTERS, word_count
from selfinstruct.filters.verdicts import FilterSettings, verdicts_on_instances
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.pool.novelty import NoveltyIndex
from selfinstruct.pool.pool import Pool
from selfinstruct.records import Candidate, SeedTask
from selfinstruct.rows.not_used import in_words
from selfinstruct.rows.seeds import parse_seeds
from selfinstruct.store.reasons import all_reasons
from selfinstruct.terminal import n_of

NEAR_DUPLICATE = 0.6  # ROUGE-L F1; stricter than for generated tasks, since seeds are shown again and again
ENOUGH = 40
LABEL_WORDS = 8  # a label is hardly longer
CLOSED_ANSWERS = {"yes", "no", "true", "false"}


class Finding(NamedTuple):
    """One thing to look at; `line` is None if it is about the whole file."""

    level: Literal["error", "warning", "advice"]
    line: int | None
    message: str


def check_seeds(path: Path) -> tuple[str, list[Finding]]:
    """One line that says what the file holds, and the findings: errors, then warnings by line, then advice.

    UsageError if the file cannot be read at all.
    """
    seeds, problems, unused = parse_seeds(path)
    findings = [Finding("error", line, problem) for line, problem in problems]
    findings += [Finding("warning", line, message) for line, message in _about_tasks(seeds)]
    findings += [Finding("advice", None, message) for message in _about_all(list(seeds.values()))]
    findings += [Finding("advice", None, f"{in_words(unused)}. Seed tasks do not use them.")] if unused else []
    n_instances = sum(len(seed.instances) for seed in seeds.values())
    n_classes = sum(seed.is_classification for seed in seeds.values())
    n_free = sum(not any(i.input for i in seed.instances) for seed in seeds.values())
    summary = f"{n_of(len(seeds), 'task')} with {n_of(n_instances, 'instance')}; "
    summary += f"{n_classes} classification, {n_free} without input"
    return summary, findings


def _about_tasks(seeds: dict[int, SeedTask]) -> list[tuple[int, str]]:
    found = []
    rules = FilterSettings()
    nobody = Pool((), rules)
    index = NoveltyIndex()
    lines = list(seeds)
    for line, seed in seeds.items():
        for rule in INSTRUCTION_FILTERS:
            if rejection := rule(Candidate("", 0, seed.instruction), nobody):
                said = ", ".join(str(value) for value in rejection.evidence.values())
                reason = all_reasons()[rejection.reason] + (f": {said}" if said else "")
                found.append((line, f"field instruction: would be rejected as a new task ({reason})"))
        near = index.nearest(seed.instruction, NEAR_DUPLICATE)
        if near:
            other = lines[near.index]
            found.append(
                (line, f"field instruction: ROUGE-L {near.score:.2f} to line {other}: {seeds[other].instruction}")
            )
        index.add(seed.instruction)
        parsed = [ParsedInstance(i.input, i.output, False) for i in seed.instances]
        for n, verdict in enumerate(
            verdicts_on_instances(parsed, rules.model_copy(update={"max_instances": len(parsed)}))
        ):
            if verdict:
                found.append((line, f"field instances.{n}: {all_reasons()[verdict.reason]}"))
        found += [(line, message) for message in _about_class(seed)]
    return found


def _about_class(seed: SeedTask) -> list[str]:
    outputs = [" ".join(i.output.split()).rstrip(".").lower() for i in seed.instances]
    if seed.is_classification:
        long = [output for output in outputs if word_count(output) > LABEL_WORDS]
        if long:
            return [f"field is_classification: true, but an output is not a label: {long[0][:60]}"]
        if len(outputs) > 1 and len(set(outputs)) == 1:
            return [f"field instances: all have the label {outputs[0]!r}; show different ones"]
    elif set(outputs) <= CLOSED_ANSWERS:
        return ["field is_classification: false, but every output is yes, no, true or false"]
    return []


def _about_all(seeds: list[SeedTask]) -> list[str]:
    if not seeds:
        return []
    advice = []
    n = len(seeds)
    if n < ENOUGH:
        advice.append(f"only {n_of(n, 'task')}; with fewer than {ENOUGH}, the same ones appear in prompt after prompt.")
    n_classes = sum(seed.is_classification for seed in seeds)
    if n_classes < 0.1 * n:
        share = f"only {n_classes}" if n_classes else "none"
        advice.append(
            f"Of {n_of(n, 'task')} {share} {'are' if n_classes > 1 else 'is'} classification. Few will be proposed."
        )
    elif n_classes > 0.6 * n:
        advice.append(f"{n_classes} of {n_of(n, 'task is', 'tasks are')} classification. Few others will be proposed.")
    n_free = sum(not any(i.input for i in seed.instances) for seed in seeds)
    if n_free == 0:
        advice.append("All tasks have an input. Add some without, such as questions.")
    elif n_free == n:
        advice.append("No task has an input. Add some that work on a text, a list or code.")
    if n >= 10:
        word, times = Counter(seed.instruction.split()[0].lower() for seed in seeds).most_common(1)[0]
        if times > 0.25 * n:
            advice.append(
                f"{times} of {n} instructions begin with {word!r}. Vary the verbs and the kinds of sentences."
            )
        lengths = [word_count(seed.instruction) for seed in seeds]
        if statistics.quantiles(lengths, n=10)[-1] < 12:
            advice.append("Nearly all instructions have fewer than 12 words. Longer ones lead to more varied tasks.")
    return advice
