"""One `selfinstruct annotate`: a task and the rows of a file, asked of several teachers.

    annotate RUN --from rows.csv --task task.toml --model a --model b

The task, its examples and the rows are stored with the run, so that `annotate RUN` resumes it. Another task is another
run. A file with other rows may follow: what is the same is not asked again.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct.annotation import KEYS, STAGE
from selfinstruct.annotation.question import Asker, strategy_of
from selfinstruct.config.config import Config
from selfinstruct.engine.annotating import AnnotationProgress, Annotator
from selfinstruct.engine.answers import Answers
from selfinstruct.engine.requests import Requests
from selfinstruct.errors import Stopped, StoreError, UsageError
from selfinstruct.rows.writing import whole_file
from selfinstruct.runs.generate import session, stop_on_signals
from selfinstruct.runs.given import Given, Rounds, as_stored
from selfinstruct.runs.rounds import in_rounds
from selfinstruct.runs.run import Run, open_run
from selfinstruct.runs.trust import named
from selfinstruct.settings import did_you_mean
from selfinstruct.store import annotations
from selfinstruct.store.batches import Batches
from selfinstruct.store.store import Store
from selfinstruct.teachers.batch import IN_FLIGHT
from selfinstruct.teachers.scheduler import Scheduler
from selfinstruct.terminal import n_of

SAMPLE_ROWS = 20  # of a dry run


class Annotation(NamedTuple):
    """An opened run that asks about rows. `outdated`: rows that were changed since, so that their votes are gone."""

    run: Run
    asker: Asker
    samples: int
    rounds: Rounds | None
    outdated: int


def open_annotation(folder: Path, given: Given, config_file: Path | None, flags: dict[str, Any]) -> Annotation:
    """Begin the run in `folder`, or resume it. UsageError, before any money is spent, if it cannot be."""
    from selfinstruct.config.custom import settings_in

    for source, values in ((str(config_file), settings_in(config_file) if config_file else {}), ("", flags)):
        for key in values:
            if key not in KEYS:
                where = f"{source}: " if source else ""
                raise UsageError(f"{where}{key} has no effect on annotate; {did_you_mean(key, KEYS)} Leave it out.")
        if "completion" in named(values, "endpoint"):
            raise UsageError('annotate needs chat models. Set endpoint = "chat".')
    asker = Asker(given.task, given.examples)
    if given.rows is not None:
        problems = [asker.problem(row) for row in given.rows]
        if all(problems):
            raise UsageError(f"{given.source or 'rows'}: the template is empty for every row.")
    run = open_run(
        folder, config_file, {**flags, "strategy": strategy_of(asker, given.begun)}, None, annotates=True
    )  # fmt: skip
    try:
        _refuse_teachers(run.config, given.samples, flags.get("teacher", {}).get("model"))
        outdated = 0
        with run.store.transaction():
            if given.rows is not None:
                outdated = annotations.set_rows(run.store, list(zip(given.rows, problems, strict=True)))
            run.store.set_settings({"task": as_stored(given)})
    except BaseException:
        run.store.close()
        raise
    return Annotation(run, asker, given.samples, given.rounds, outdated)


async def annotate(
    opened: Annotation,
    is_sample: bool = False,
    on_start: Callable[[Scheduler], None] = stop_on_signals,
    show: bool = True,
) -> bool:
    """Ask what has no vote yet, and write RUN/annotations.jsonl; False if it was stopped before.

    A sample asks about the first rows only, and not by batches. `on_start`, `show`: as for `generate`.
    """
    run, store = opened.run, opened.run.store
    by_batches = run.config.running.batch and not is_sample
    if is_sample:
        Batches(store).refuse_under_way()
    store.settle_interrupted()
    progress = progress_of(store, opened)
    try:
        async with session(run, progress, by_batches, on_start, show) as (config, teachers, scheduler):
            answers = Answers(store, teachers, scheduler, progress)
            annotator = Annotator(
                store, config, opened.asker, requests=Requests(config, run.prompts), answers=answers,
                scheduler=scheduler, progress=progress,
            )  # fmt: skip
            in_flight = IN_FLIGHT if by_batches else config.running.concurrency
            ask = partial(annotator.run, opened.samples, in_flight=in_flight)
            rows = [row for row, problem in annotations.rows(store) if problem is None]
            if opened.rounds and not is_sample:
                finished = await in_rounds(store, opened.asker, rows, opened.rounds, seed=config.seed, ask=ask)
            else:
                finished = await ask(rows[:SAMPLE_ROWS] if is_sample else rows)
    except Stopped:
        finished = False
    except StoreError:
        raise  # nothing more can be written
    except BaseException:
        write_annotations(store)
        raise
    write_annotations(store)
    return finished


def progress_of(store: Store, opened: Annotation) -> AnnotationProgress:
    """The progress of the run before it is carried on."""
    from selfinstruct.report.annotations import annotation_status

    found = annotation_status(store)
    per_row = len(opened.run.config.choices(STAGE)) * len(opened.asker.keys(opened.samples))
    n = found.rows - sum(found.problems.values())
    progress = AnnotationProgress(
        target=per_row * (min(n, opened.rounds.n * opened.rounds.each) if opened.rounds else n)
    )
    progress.admitted = found.answers
    progress.rejected.update(found.rejected)
    progress.calls = sum(one.requests for one in found.usage)
    progress.tokens = sum(one.prompt_tokens + one.completion_tokens for one in found.usage)
    progress.cost_usd = sum(one.cost_usd or 0.0 for one in found.usage)
    return progress


def estimate(opened: Annotation) -> str:
    """What all rows will need, in words, from the answers so far: their mean for each model, times what is missing."""
    from selfinstruct.report.annotations import annotation_status
    from selfinstruct.teachers.budget import cost_usd

    found, config = annotation_status(opened.run.store), opened.run.config
    n_rows = found.rows - sum(found.problems.values())
    if opened.rounds:
        n_rows = min(n_rows, opened.rounds.n * opened.rounds.each)
    n = n_rows * len(opened.asker.keys(opened.samples))
    tokens, dollars, unpriced = 0.0, 0.0, []
    for one in found.usage:
        if one.stage == STAGE:
            share = n / one.requests
            tokens += share * (one.prompt_tokens + one.completion_tokens)
            price = config.prices.get(one.model)
            unpriced += [] if price else [one.model]
            dollars += share * (
                cost_usd(price, one.prompt_tokens, one.completion_tokens, config.running.batch) or 0.0
            )  # fmt: skip
    cost = f"no price for {', '.join(unpriced)} under [prices]" if unpriced else f"${dollars:,.2f}"
    calls = n_of(n * len(config.choices(STAGE)), "call")
    kept = "The answers so far are kept. To ask about the other rows, leave out --dry-run."
    return f"Estimate for all rows: {calls}, {tokens:,.0f} tokens, {cost}.\n{kept}"


def write_annotations(store: Store) -> Path:
    """Write RUN/annotations.jsonl: each row with its columns and all votes about it."""
    path = store.folder / "annotations.jsonl"
    of_row: dict[str, list[annotations.StoredVote]] = {}
    for vote in annotations.votes(store):
        of_row.setdefault(vote.row, []).append(vote)
    with whole_file(path, "RUN") as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for row, problem in annotations.rows(store):
            votes = [
                {
                    key: value for key, value in vote._asdict().items()
                    if key != "row" and value not in ("", None) and (key != "swapped" or value)
                }
                for vote in of_row.get(row.id, ())
            ]  # fmt: skip
            values: dict[str, Any] = {"id": json.loads(row.id), "row": dict(row.fields)}
            values |= {"gold": row.gold} if row.gold else {}
            values |= {"problem": problem} if problem else {}
            file.write(json.dumps({**values, "votes": votes}, ensure_ascii=False) + "\n")
    return path


def _refuse_teachers(config: Config, samples: int, named_now: str | None) -> None:
    models = [choice.teacher.model for choice in config.choices(STAGE)]
    if named_now and named_now not in models:
        raise UsageError(
            f"The model {named_now} would not be asked: [[{STAGE}.mix]] names {', '.join(models)}. "
            "Leave out one of the two, or choose another folder."
        )
    for choice in config.choices(STAGE):
        if choice.weight != 1:
            raise UsageError(
                f"[[{STAGE}.mix]] weight has no effect: every model is asked about every row. Leave it out."
            )
        if samples > 1 and choice.sampling.get("temperature") == 0:
            raise UsageError(
                f'{n_of(samples, "sample")} of "{choice.teacher.model}" would all be the same at a temperature of 0. '
                f"Set a higher one in sampling of [{STAGE}]; a run that has answers keeps its own."
            )
