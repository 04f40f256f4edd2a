"""Questions about rows of a file, asked of several models; and votes combined."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from selfinstruct.api.growing import until_done
from selfinstruct.api.runs import Rows
from selfinstruct.api.settings import AnyTeacher, FilePath, file_path, optional_path, tables, whole_number
from selfinstruct.custom import of_object
from selfinstruct.errors import UsageError
from selfinstruct.labels import ACTIVE, NAMES

if TYPE_CHECKING:
    from selfinstruct.labels.combining import Combined
    from selfinstruct.report.annotations import AnnotationStatus
    from selfinstruct.runs.votes import CombinedRun


class Annotations:
    """An existing run of `annotate`. Raises UsageError if `folder` contains none."""

    def __init__(self, folder: FilePath):
        from selfinstruct.runs.given import given_of
        from selfinstruct.store.store import Store

        self.folder = file_path("folder", folder).absolute()
        with Store.read(self.folder) as store:
            given_of(store)

    def __repr__(self) -> str:
        found = self.status()
        return f"<Annotations {self.folder}: {found.rows:,} rows, {found.answers:,} answers>"

    def status(self) -> "AnnotationStatus":
        """Counts of rows, votes and rejected answers; tokens and cost."""
        from selfinstruct.report.annotations import annotation_status
        from selfinstruct.store.store import Store

        with Store.read(self.folder) as store:
            return annotation_status(store)

    def votes(self) -> Rows:
        """Each vote: row, voter, sample, swapped, value (None where the answer was rejected), rationale, confidence."""
        from selfinstruct.store import annotations
        from selfinstruct.store.store import Store

        with Store.read(self.folder) as store:
            fields = annotations.StoredVote._fields
            return Rows((vote._asdict() for vote in annotations.votes(store)), fields)

    def combine(self, by: str = "") -> "CombinedRun":
        """Combine the votes. `by`: a label model, for labels and preferences. No API calls are made."""
        from selfinstruct.runs.votes import combine_run

        return combine_run(self.folder, by)


def annotate(
    folder: FilePath,
    rows: FilePath | Sequence[Mapping[str, Any]] | None = None,
    task: FilePath | Mapping[str, Any] | None = None,
    *,
    id: str = "",
    gold: str = "",
    samples: int | None = None,
    rounds: int | None = None,
    each: int = 50,
    select: str = "least-confidence",
    teacher: AnyTeacher | Sequence[Mapping[str, Any]] | None = None,
    config: FilePath | None = None,
    progress: bool = True,
    **settings: Any,
) -> Annotations:
    """Ask one or more models about each row: a label, a score, a preference or an answer.

    - `rows`: a file (CSV, JSON, JSON Lines, Parquet, the folder of a run), or a list of dicts. Without it and without
      `task`, the run in `folder` is resumed.
    - `task`: a TOML file, or its values as a dict.
    - `id`, `gold`: columns of the rows: what identifies them; right answers, where known, which no model is shown.
    - `samples`: answers of each model for each row; default: 1.
    - `rounds`, `each`, `select`: ask in rounds about the `each` rows that a small model, trained on the labels so far,
      is least sure of ("least-confidence", "entropy"), or about any ("random"); default: about all rows.
    - `teacher`: as for `generate`, or a list of tables, each of which is asked about every row.
    - `settings`: keys of [running], `seed`, `prices`, `simulated`, and the stage `annotate`.

    Ctrl-C, and what is raised: as for `generate`.
    """
    from selfinstruct.annotation import KEYS, MOST_SAMPLES, STAGE
    from selfinstruct.runs import annotating
    from selfinstruct.runs.given import Rounds, read_given
    from selfinstruct.settings import did_you_mean

    place, config_file = file_path("folder", folder), optional_path("config", config)
    several = teacher if isinstance(teacher, list | tuple) else ()
    if isinstance(teacher, list | tuple) and not all(isinstance(one, Mapping) for one in several):
        raise UsageError('teacher must be a table of settings, such as si.openai("MODEL"), or a list of them.')
    stage = settings.pop(STAGE, {})
    flags = tables(None if several else teacher, settings, allowed=(*KEYS, "running"))
    if several:
        stage = {**stage, "mix": [dict(one) for one in several]}
    flags |= {STAGE: stage} if stage else {}
    if rows is not None and not isinstance(rows, str | PathLike | list | tuple):
        raise UsageError('rows must be a file or a list of dicts. For a data frame, pass df.to_dict("records").')
    source = rows if rows is None or isinstance(rows, list | tuple) else file_path("rows", rows)
    asked = task if task is None or isinstance(task, Mapping) else file_path("task", task)
    n = None if samples is None else whole_number("samples", samples, most=MOST_SAMPLES)

    if select not in ACTIVE:
        raise UsageError(f"There is no selection {select!r}; {did_you_mean(str(select), ACTIVE)}")
    chosen = ACTIVE[ACTIVE.index(select)]
    in_rounds = Rounds(whole_number("rounds", rounds), whole_number("each", each), chosen) if rounds else None

    async def ask(on_start: Callable[..., None]) -> bool:
        given = read_given(place, asked, source, id=id, gold=gold, samples=n, rounds=in_rounds)
        opened = annotating.open_annotation(place, given, config_file, flags)
        with opened.run.store:
            return await annotating.annotate(opened, on_start=on_start, show=progress)

    until_done(place, ask)
    return Annotations(place)


def combine(
    file: FilePath,
    columns: Sequence[str] = (),
    by: str | Callable[..., Any] = NAMES[0],
    *,
    id: str = "",
    gold: str = "",
    labels: Sequence[str] = (),
) -> "Combined":
    """Combine the votes in some columns of a file: one row for each thing, one column for each voter.

    `file`: CSV, JSON, JSON Lines or Parquet. `by`: "dawid-skene", "mace", "majority", "weighted" (by accuracy on gold
    rows), or a function `(votes, n_classes) -> probabilities` (see `selfinstruct.labels.models`). `id`: the column that
    identifies rows; their numbers by default. `gold`: the column of true labels, which may be mostly empty. `labels`:
    all labels; votes for others count as none.

    The result has `rows(confidence)`, and what is known of the voters: `alpha`, `estimated`, `scores`, `score`,
    `best`, `is_better`. Raises UsageError if the file has no such columns, or no votes.
    """  # fmt: skip
    from selfinstruct.labels.combining import combine
    from selfinstruct.labels.votes import read_votes

    votes = read_votes(file_path("file", file), tuple(columns), id=id, gold=gold, labels=tuple(labels))
    return combine(votes, by if isinstance(by, str) else of_object(by))
