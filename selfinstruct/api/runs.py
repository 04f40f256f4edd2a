"""A run as an object: rows, status, exports and refiltering."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex, overload

from selfinstruct.api.blocking import blocking
from selfinstruct.api.settings import FilePath, Settings, file_path, optional_path, tables, whole_number
from selfinstruct.errors import SelfInstructError, UsageError
from selfinstruct.records import Record
from selfinstruct.settings import did_you_mean
from selfinstruct.store.annotations import read_grown
from selfinstruct.store.declared import declared_by
from selfinstruct.terminal import n_of

if TYPE_CHECKING:
    from datasets import Dataset
    from pandas import DataFrame

    from selfinstruct.report.status import Status
    from selfinstruct.runs.changes import Changes


class Rows(list[Settings]):
    """A list of dicts with JSON values. `fields`: the columns of the table, even if there are no rows."""

    def __init__(self, rows: Iterable[Settings] = (), fields: Sequence[str] = ()):
        super().__init__(rows)
        self.fields = tuple(fields)

    @overload
    def __getitem__(self, at: SupportsIndex) -> Settings: ...
    @overload
    def __getitem__(self, at: slice) -> "Rows": ...
    def __getitem__(self, at: SupportsIndex | slice) -> "Settings | Rows":
        """One row, or a slice as Rows."""
        return Rows(super().__getitem__(at), self.fields) if isinstance(at, slice) else super().__getitem__(at)

    def to_pandas(self) -> "DataFrame":
        """A pandas DataFrame with one column per field. Requires pandas."""
        try:
            import pandas
        except ImportError:
            raise UsageError("to_pandas requires pandas: pip install pandas") from None
        return pandas.DataFrame(list(self), columns=None if self else self.fields)

    def to_dataset(self) -> "Dataset":
        """A datasets.Dataset with one column per field. Requires datasets, which selfinstruct[finetune] installs."""
        try:
            import datasets
        except ImportError:
            raise UsageError("to_dataset requires datasets: pip install datasets") from None
        if not self:
            return datasets.Dataset.from_dict({field: [] for field in self.fields})
        # Of all rows: `from_list` takes the columns of the first one, which may have no `extra`.
        fields = dict.fromkeys([*self.fields, *(field for row in self for field in row)])
        return datasets.Dataset.from_dict({field: [row.get(field) for row in self] for field in fields})


class Run:
    """An existing run. Raises UsageError if `folder` contains none.

    Every method reads the store when it is called, so it shows the current state of a run that is still growing.
    """

    def __init__(self, folder: FilePath):
        self.folder = file_path("folder", folder).absolute()
        read_grown(self.folder).close()

    def __repr__(self) -> str:
        try:
            found = self.status()
        except SelfInstructError as error:
            return f"<Run {self.folder}: {error}>"
        here = Path.cwd()
        shown = self.folder.relative_to(here) if self.folder.is_relative_to(here) else self.folder
        return f"<Run {shown}: {n_of(found.tasks, 'task')}, {n_of(found.records, 'record')}>"

    def status(self) -> "Status":
        """Counts, tokens and cost of the run."""
        from selfinstruct.report.status import status

        with read_grown(self.folder) as store:
            return status(store)

    def records(self) -> Rows:
        """The dataset: one record per instance, with all decisions (rescue, ban, edit) applied.

        Fields: id, task, instruction, input, output, is_classification, messages; `extra` if stages added fields.
        """
        with read_grown(self.folder) as store:
            return Rows((record.as_dict() for record in store.records()), Record.fields())

    def tasks(self, *, similar: bool = False) -> Rows:
        """The admitted tasks in order, with their instances. `similar` adds the ten most similar instructions."""
        from selfinstruct.store.listing import SIMILAR_FIELDS, TASK_FIELDS, tasks

        if not isinstance(similar, bool):
            raise UsageError(f"similar is {similar!r:.80}; it must be True or False.")
        with read_grown(self.folder) as store:
            return Rows(tasks(store, similar), TASK_FIELDS + SIMILAR_FIELDS * similar)

    def rejected(self, *, stage: str | None = None, reason: str | None = None, limit: int | None = None) -> Rows:
        """What was rejected, with reason and evidence: everything, or one `stage` or `reason`; at most `limit` rows.

        Raises UsageError if the stage or the reason is unknown.
        """
        from selfinstruct.filters.custom import STAGES
        from selfinstruct.filters.verdicts import CANDIDATE_STAGES, INSTANCE_STAGES
        from selfinstruct.store.listing import REJECTION_FIELDS, listed_stage, rejected

        most = None if limit is None else whole_number("limit", limit)
        with read_grown(self.folder) as store:
            declared = declared_by(store)
            _known("stage", stage, dict.fromkeys((*declared.stages, *CANDIDATE_STAGES, *INSTANCE_STAGES, *STAGES)))
            _known("reason", reason, declared.reasons)
            return Rows(rejected(store, listed_stage(store, stage), reason, most), REJECTION_FIELDS)

    def verify(self) -> list[str]:
        """Recompute all ids, counts and scores, and parse all answers again; returns a message for each difference."""
        from selfinstruct.runs.verify import verify

        return verify(self.folder, blocking).problems

    def report(self, output: FilePath | None = None) -> Path:
        """Write the run as one HTML page and return its path. Default `output`: report.html in the run's folder."""
        from selfinstruct.report.figures import figures
        from selfinstruct.report.page import write_page

        with read_grown(self.folder) as store:
            return write_page(store, figures(store), optional_path("output", output))

    def audit(self, port: int = 0) -> None:
        """Serve the audit on 127.0.0.1 until interrupted; prints its URL. Port 0 picks a free one."""
        from selfinstruct.audit.server import serve

        port = whole_number("port", port, most=65535, least=0)
        with suppress(KeyboardInterrupt, asyncio.CancelledError):
            blocking(lambda: serve(self.folder, port))

    # Derived files and runs.

    def export(self, format: str, output: FilePath | None = None) -> Path:
        """Write the records in a training format and return the path of the file.

        `format`: alpaca, self-instruct, messages, prompt-completion, sharegpt or parquet. Default `output`: a file in
        the run's folder.
        """
        from selfinstruct.export.export import export
        from selfinstruct.export.formats import NAMES

        _known("format", str(format), NAMES)
        with read_grown(self.folder) as store, store.snapshot():
            return export(store, format, optional_path("output", output))[0]

    def refilter(self, new: FilePath, *, config: FilePath | None = None, **settings: object) -> "Refiltered":
        """Filter all stored answers again under different rules, into the new folder `new`, without API calls.

        `config`: TOML file. `settings` override it: keys of [filters] (such as `rouge_threshold` or `without`),
        `profile`, `decontaminate`, `filters=[...]` with custom filters, and the run's `strategy` if it is a custom one.
        """
        from selfinstruct.runs.refilter import refilter

        flags = tables(None, settings, allowed=("filters", "profile", "decontaminate", "strategy"))
        place, rules = file_path("new", new), optional_path("config", config)
        return Refiltered(place, blocking(lambda: refilter(self.folder, place, rules, flags)))


class Refiltered(Run):
    """A run that `refilter` created. `changes`: the tasks and records lost and gained, with reasons.

    `changes` is not stored: `Run(folder)` opens the same run without it.
    """

    def __init__(self, folder: FilePath, changes: "Changes"):
        super().__init__(folder)
        self.changes = changes


def _known(what: str, name: str | None, known: Collection[str]) -> None:
    """UsageError if `name` is not one of `known`."""
    if name is not None and (not isinstance(name, str) or name not in known):
        raise UsageError(f"There is no {what} {name!r}; {did_you_mean(str(name), known)}")
