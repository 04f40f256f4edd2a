"""What the report shows of a run, as figures: one reading of the store, in one consistent view of it.

Nothing here asks a clock or draws at random without a fixed seed, so the same store gives the same figures.
"""

import random
import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

from selfinstruct.config.stored import config_of
from selfinstruct.filters.instruction import word_count
from selfinstruct.records import Record
from selfinstruct.report.diversity import Diversity, measure, tenths
from selfinstruct.report.status import Status, status
from selfinstruct.report.verbs import Root, is_english, roots
from selfinstruct.store import counts
from selfinstruct.store.answers import has_recorded_answers, is_simulated, period
from selfinstruct.store.listing import admitted_tasks, describe_evidence, rejected
from selfinstruct.store.store import Store

BLOCKS = 24  # of steps, for acceptance over time
EXAMPLES = 6  # records, tasks and rejections
EXAMPLES_OF_A_REASON = 2
GRADED = 5_000  # records of a simulated run that are graded
LONGEST = 6_000  # characters of a text that are shown; all of it is in run.db
LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # words: upper ends of the bins; one more holds the rest
# Instructions of which fewer are English get no verbs: what would be shown is not what is there.
ENGLISH_SHARE = 0.5
VERBS, OBJECTS = 14, 4

T = TypeVar("T")


class Step(NamedTuple):
    """A stage of the way from requests to records; `of` is the number that this one is a part of, None: of none."""

    name: str
    number: int
    of: int | None


class Block(NamedTuple):
    """Steps from `first` to `last`: candidates judged, and admitted among them."""

    first: int
    last: int
    judged: int
    admitted: int


class Lengths(NamedTuple):
    """Words a text (characters where there are no spaces): texts in each bin of LENGTHS, empty ones apart."""

    texts: int
    empty: int
    bins: list[int]
    mean: float
    median: float
    longest: int


class Verbs(NamedTuple):
    """Root verbs of the instructions; `found` of them have one that is known, `english` look English."""

    roots: list[Root]
    found: int
    english: int


class Reason(NamedTuple):
    """A reason of rejection in a stage, with some of what was rejected for it."""

    stage: str
    reason: str
    explanation: str
    number: int
    examples: list[dict[str, Any]]


class Figures(NamedTuple):
    """A run as figures. `novelty`: admitted tasks by tenths of ROUGE-L F1 with the nearest known before them."""

    name: str
    version: str
    strategy: str
    simulated: bool
    imported: bool
    began: str | None
    latest: str | None
    seeds: int
    threshold: float
    status: Status
    funnel: list[Step]
    reasons: list[Reason]
    acceptance: list[Block]
    novelty: list[int]
    lengths: dict[str, Lengths]
    verbs: Verbs
    faults: list[tuple[str, int]]
    diversity: Diversity
    grades: dict[str, int]
    records: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    rejected: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        plain = _plain(self)
        return {**plain, "status": self.status.as_dict(), "diversity": self.diversity.as_dict()}


def figures(store: Store) -> Figures:
    """Read the figures of a run, also while it grows: seconds for 50,000 tasks."""
    with store.snapshot():
        found = status(store, graded=False)
        config, version = config_of(store), store.settings().get("version", "")
        simulated = is_simulated(store)
        seeds = store.seeds()
        admitted = list(admitted_tasks(store))
        lengths, graded, examples = _records(store, found.records, simulated)
        reasons, rejected_examples = _reasons(store, found)
        acceptance = _acceptance(store, found.pending)
        faults = counts.faults(store)
        began, latest = period(store)
        imported = has_recorded_answers(store)
    instructions = [task.instruction for task in admitted]
    names = {seed.id: seed.instruction for seed in seeds} | {task.id: task.instruction for task in admitted}
    scores = [task.nearest_score for task in admitted if task.nearest_score is not None]
    n_english = sum(map(is_english, instructions))
    speaks_english = n_english >= ENGLISH_SHARE * len(instructions) > 0
    verbs = roots(instructions) if speaks_english else []
    return Figures(
        name=store.folder.resolve().name,
        version=version,
        strategy=config.strategy,
        simulated=simulated,
        imported=imported,
        began=day(began),
        latest=day(latest),
        seeds=len(seeds),
        threshold=config.filters.rouge_threshold,
        status=found,
        funnel=_funnel(found, config.stages[0]),
        reasons=reasons,
        acceptance=acceptance,
        novelty=tenths(scores),
        lengths={"instruction": lengths_of(map(word_count, instructions)), **lengths},
        verbs=Verbs(
            [root._replace(objects=root.objects[:OBJECTS]) for root in verbs[:VERBS]],
            sum(root.tasks for root in verbs),
            n_english,
        ),
        faults=faults,
        diversity=measure(instructions, [seed.instruction for seed in seeds]),
        grades=graded,
        records=examples,
        tasks=[
            {
                "instruction": shortened(task.instruction),
                "nearest": shortened(names.get(task.nearest_id or "", "")),
                "score": task.nearest_score,
            }
            for task in (admitted[i] for i in _chosen(len(admitted)))
        ],
        rejected=rejected_examples,
    )


def day(seconds: float | None) -> str | None:
    """The day of a time since 1970, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).date().isoformat()


def shortened(text: str) -> str:
    """The text, cut where it is longer than LONGEST; what is left out is said."""
    left_out = len(text) - LONGEST
    return f"{text[:LONGEST]} [... {left_out:,} more characters in run.db]" if left_out > 0 else text


def _funnel(found: Status, proposing: str) -> list[Step]:
    judged = found.candidates - found.pending
    filtered = sum(n for stage, _, n in found.rejected if stage == "filter")
    return [
        Step("proposals answered", sum(u.requests for u in found.usage if u.stage == proposing), None),
        Step("candidates judged", judged, None),
        Step("passed the filters", judged - filtered, judged),
        Step("new: admitted as tasks", found.tasks, judged),
        Step("tasks with instances", found.generated, found.tasks),
        Step("tasks with a record", found.generated - found.without_records, found.tasks),
        Step("instances", found.instances, None),
        Step("records", found.records, found.instances),
    ]


def _acceptance(store: Store, pending: int) -> list[Block]:
    """The steps in at most BLOCKS groups of the same number of steps; what is pending was not judged yet."""
    steps = counts.steps(store)
    size = max(1, -(-len(steps) // BLOCKS))
    blocks = []
    before = 0
    for at in range(0, len(steps), size):
        some = steps[at : at + size]
        judged = sum(step.n_candidates for step in some) - (pending if at + size >= len(steps) else 0)
        blocks.append(Block(some[0].step, some[-1].step, judged, some[-1].n_tasks - before))
        before = some[-1].n_tasks
    return blocks


def _records(store: Store, n: int, simulated: bool) -> tuple[dict[str, Lengths], dict[str, int], list[dict[str, Any]]]:
    """Lengths of inputs and outputs, the grades of a simulated run's records, and some records."""
    chosen = set(_chosen(n))
    to_grade = set(random.Random(0).sample(range(n), min(n, GRADED))) if simulated else set()
    given, said, examples = [], [], []
    grades: Counter[str] = Counter()
    for place, record in enumerate(store.records()):
        given.append(word_count(record.input))
        said.append(word_count(record.output))
        if place in chosen:
            examples.append(_example(record))
        if place in to_grade:
            grades[_grade(record)] += 1
    graded = {name: grades[name] for name in ("right", "wrong", "unknown")} if grades else {}
    return {"input": lengths_of(given), "output": lengths_of(said)}, graded, examples


def _example(record: Record) -> dict[str, Any]:
    texts = {name: shortened(getattr(record, name)) for name in ("instruction", "input", "output")}
    return {"task": record.task, **texts, "is_classification": record.is_classification}


def _grade(record: Record) -> str:
    from selfinstruct.simulated.world.tasks import grade

    return grade(record.instruction, record.input, record.output)


def _reasons(store: Store, found: Status) -> tuple[list[Reason], list[dict[str, Any]]]:
    """The reasons with examples of each, and some rejections of all."""
    rng = random.Random(0)
    of_reason: dict[tuple[str, str], Some[dict[str, Any]]] = {
        (stage, reason): Some(EXAMPLES_OF_A_REASON, rng) for stage, reason, _ in found.rejected
    }
    of_all: Some[dict[str, Any]] = Some(EXAMPLES, rng)
    for row in rejected(store, None, None, None):
        of_reason[row["stage"], row["reason"]].offer(row)
        of_all.offer(row)
    said = found.declared.reasons
    reasons = [
        Reason(stage, reason, said.get(reason, ""), n, [_rejection(row) for row in of_reason[stage, reason].kept])
        for stage, reason, n in found.rejected
    ]
    return reasons, [_rejection(row) for row in of_all.kept]


def _rejection(row: dict[str, Any]) -> dict[str, Any]:
    names = ("stage", "reason", "explanation", "text", "instruction")
    found = {name: shortened(row[name] or "") for name in names}
    return {**found, "evidence": shortened(describe_evidence(row["evidence"]))}


class Some(Generic[T]):
    """A few of many, each as likely as any other (reservoir sampling: Vitter 1985, algorithm R)."""

    def __init__(self, size: int, rng: random.Random):
        self.kept: list[T] = []
        self._size = size
        self._rng = rng
        self._seen = 0

    def offer(self, one: T) -> None:
        """Keep it, or not."""
        self._seen += 1
        if len(self.kept) < self._size:
            self.kept.append(one)
        elif (place := self._rng.randrange(self._seen)) < self._size:
            self.kept[place] = one


def _chosen(n: int) -> list[int]:
    return sorted(random.Random(1).sample(range(n), min(n, EXAMPLES)))


def lengths_of(counts: Iterable[int]) -> Lengths:
    """Sum up the numbers of words of some texts."""
    every = list(counts)
    some = [n for n in every if n]
    bins = [0] * (len(LENGTHS) + 1)
    for n in some:
        bins[bisect_left(LENGTHS, n)] += 1
    mean, median = (statistics.fmean(some), statistics.median(some)) if some else (0.0, 0.0)
    return Lengths(len(every), len(every) - len(some), bins, mean, median, max(some, default=0))


def _plain(value: Any) -> Any:
    """Named tuples as objects, all the way down."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(v) for key, v in value._asdict().items()}
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
