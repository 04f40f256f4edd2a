"""A run, as an object: its rows, its status, its exports; filtered again."""

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
from selfinstruct.store.declared import declared_by
from selfinstruct.store.store import Store

if TYPE_CHECKING:
    from datasets import Dataset
    from pandas import DataFrame

    from selfinstruct.report.status import Status
    from selfinstruct.runs.changes import Changes


class Rows(list[Settings]):
    """Rows as dicts of JSON values, which become a table; `fields`: the columns that it has even without a row."""

    def __init__(self, rows: Iterable[Settings] = (), fields: Sequence[str] = ()):
        super().__init__(rows)
        self.fields = tuple(fields)

    @overload
    def __getitem__(self, at: SupportsIndex) -> Settings: ...
    @overload
    def __getitem__(self, at: slice) -> "Rows": ...
    def __getitem__(self, at: SupportsIndex | slice) -> "Settings | Rows":
        """One row, or some, as rows."""
        return Rows(super().__getitem__(at), self.fields) if isinstance(at, slice) else super().__getitem__(at)

    def to_pandas(self) -> "DataFrame":
        """A pandas DataFrame with a column for each field. Needs pandas."""
        try:
            import pandas
        except ImportError:
            raise UsageError("to_pandas needs pandas: pip install pandas") from None
        return pandas.DataFrame(list(self), columns=None if self else self.fields)

    def to_dataset(self) -> "Dataset":
        """A datasets.Dataset with a column for each field. Needs datasets, which selfinstruct[finetune] brings."""
        try:
            import datasets
        except ImportError:
            raise UsageError("to_dataset needs datasets: pip install datasets") from None
        if not self:
            return datasets.Dataset.from_dict({field: [] for field in self.fields})
        return datasets.Dataset.from_list(list(self))


class Run:
    """A run's folder. UsageError where there is no run in it.

    Everything is read when it is asked for, so a run that grows elsewhere is seen as it is at that moment.
    """

    def __init__(self, folder: FilePath):
        self.folder = file_path("folder", folder).absolute()
        Store.read(self.folder).close()

    def __repr__(self) -> str:
        try:
            found = self.status()
        except SelfInstructError as error:
            return f"<Run {self.folder}: {error}>"
        here = Path.cwd()
        shown = self.folder.relative_to(here) if self.folder.is_relative_to(here) else self.folder
        return f"<Run {shown}: {found.tasks:,} tasks, {found.records:,} records>"

    def status(self) -> "Status":
        """What the run holds, and what it cost."""
        from selfinstruct.report.status import status

        with Store.read(self.folder) as store:
            return status(store)

    def records(self) -> Rows:
        """The dataset, one record for each instance, as people's decisions leave it.

        Fields: id, task, instruction, input, output, is_classification, messages; `extra` where stages bring any.
        """
        with Store.read(self.folder) as store:
            return Rows((record.as_dict() for record in store.records()), Record.fields())

    def tasks(self, *, similar: bool = False) -> Rows:
        """The admitted tasks in order, with their instances; with `similar`, also the ten most similar instructions."""
        from selfinstruct.store.listing import SIMILAR_FIELDS, TASK_FIELDS, tasks

        with Store.read(self.folder) as store:
            return Rows(tasks(store, similar), TASK_FIELDS + SIMILAR_FIELDS * similar)

    def rejected(self, *, stage: str | None = None, reason: str | None = None, limit: int | None = None) -> Rows:
        """What was rejected, with the reason and the evidence; all of it, or of one stage or reason, at most `limit`.

        UsageError where no stage, or reason, has that name.
        """
        from selfinstruct.filters.verdicts import CANDIDATE_STAGES, INSTANCE_STAGES
        from selfinstruct.store.listing import REJECTION_FIELDS, rejected

        most = None if limit is None else whole_number("limit", limit)
        with Store.read(self.folder) as store:
            declared = declared_by(store)
            _known("stage", stage, dict.fromkeys((*declared.stages, *CANDIDATE_STAGES, *INSTANCE_STAGES)))
            _known("reason", reason, declared.reasons)
            return Rows(rejected(store, stage, reason, most), REJECTION_FIELDS)

    def verify(self) -> list[str]:
        """What does not hold of the ids, counts and scores in the run, recomputed; empty where everything does."""
        from selfinstruct.store.verify import verify

        with Store.read(self.folder) as store:
            return list(verify(store))

    def report(self, output: FilePath | None = None) -> Path:
        """Write the run as one HTML page, RUN/report.html unless `output` says where, and give its path."""
        from selfinstruct.report.figures import figures
        from selfinstruct.report.page import write_page

        with Store.read(self.folder) as store:
            return write_page(store, figures(store), optional_path("output", output))

    def audit(self, port: int = 0) -> None:
        """Serve the audit on loopback, and print its address, until interrupted. Port 0: any that is free."""
        from selfinstruct.audit.server import serve

        port = whole_number("port", port, most=65535, least=0)
        with suppress(KeyboardInterrupt, asyncio.CancelledError):
            blocking(lambda: serve(self.folder, port))

    # What comes of it.

    def export(self, format: str, output: FilePath | None = None) -> Path:
        """Write the records in a format that trainers read, and give the file's path.

        `format`: alpaca, self-instruct, messages, prompt-completion, sharegpt or parquet. Without `output`, the file is
        in the run's folder.
        """
        from selfinstruct.export.export import export
        from selfinstruct.export.formats import NAMES

        _known("format", str(format), NAMES)
        with Store.read(self.folder) as store, store.snapshot():
            return export(store, format, optional_path("output", output))[0]

    def refilter(self, new: FilePath, *, config: FilePath | None = None, **settings: object) -> "Refiltered":
        """Filter everything that the teacher answered again under other rules, into the folder `new`; nobody is asked.

        `settings`: those of [filters] (`rouge_threshold`, `without`, `min_words` ...), `profile` and `decontaminate`;
        `filters=[...]`: more filters of your own; `strategy`: the one that the run was grown with, if it is your own.
        """
        from selfinstruct.runs.refilter import refilter

        flags = tables(None, settings, allowed=("filters", "profile", "decontaminate", "strategy"))
        place, rules = file_path("new", new), optional_path("config", config)
        return Refiltered(place, blocking(lambda: refilter(self.folder, place, rules, flags)))


class Refiltered(Run):
    """A run that was made by filtering another one again; `changes`: the tasks and records lost and gained, and why.

    `changes` is what this call found. It is not stored: `Run(folder)` opens the same run without it.
    """

    def __init__(self, folder: FilePath, changes: "Changes"):
        super().__init__(folder)
        self.changes = changes


def _known(what: str, name: str | None, known: Collection[str]) -> None:
    """UsageError where a name is none of those that are known."""
    if name is not None and (not isinstance(name, str) or name not in known):
        raise UsageError(f"There is no {what} {name!r}; {did_you_mean(str(name), known)}")
