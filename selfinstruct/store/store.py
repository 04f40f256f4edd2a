"""All requests and answers of a run, in one SQLite file: `outputs/<run>/run.db`.

    requests -> completions -> candidates -> tasks -> instances
                                   \\ rejections (of completions, candidates and instances)

Open it in any SQLite browser; the views `records` and `rejected` are made for reading. A completion is committed
before anything parses it. One step of the gate, with all its verdicts, is one transaction, and so is the making of one
task's instances: a run that is killed at any instant resumes after the last of them.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from selfinstruct.errors import StoreError, TryAgain, UsageError
from selfinstruct.filters.instance import INSTANCES
from selfinstruct.filters.verdicts import Verdict
from selfinstruct.records import (
    Candidate,
    Completion,
    Line,
    Record,
    Rejection,
    Request,
    SeedTask,
    Task,
    canonical_json,
)
from selfinstruct.store.connecting import explaining
from selfinstruct.store.database import Database
from selfinstruct.store.rows import (
    CANDIDATE_COLUMNS,
    COMPLETION_COLUMNS,
    RECORD_COLUMNS,
    SEED_COLUMNS,
    TASK_COLUMNS,
    as_object,
    candidate_from,
    candidate_row,
    completion_from,
    completion_row,
    instance_id,
    record_from,
    request_row,
    seed_from,
    seed_row,
    settings_from,
    task_from,
    with_hash,
)
from selfinstruct.strategies import GeneratedInstances, Proposal


class Store(Database):
    """One run's store; `create`, and `describe` it, or `resume`, or `read`."""

    def __init__(self, folder: Path, db: sqlite3.Connection, held: IO[str] | ExitStack | None):
        super().__init__(folder, db, held)
        self._system_prompts: dict[str, int] = {}
        self._arrived: list[tuple[Request, Completion]] | None = None
        self._committed: asyncio.Future[None]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """As `Database.transaction`; what is remembered of the rows is forgotten where they are undone."""
        try:
            with super().transaction():
                yield
        except BaseException:
            self._system_prompts.clear()
            raise

    # What the run was begun with.

    def describe(self, settings: dict[str, Any], seeds: Sequence[SeedTask], test_lines: Sequence[Line]) -> None:
        """Commit what the run is started, or resumed, with."""
        with self.transaction():
            self.set_settings({**settings, "given": {"seeds": len(seeds), "test_lines": len(test_lines)}})
            # What is the same stays, with its hash: a row that was changed by hand must not get a new one.
            if tuple(seeds) != self.seeds():
                rows = [with_hash("seeds", seed_row(n, seed)) for n, seed in enumerate(seeds)]
                self.db.execute("DELETE FROM seeds")
                self.db.executemany("INSERT INTO seeds VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            if list(test_lines) != self.test_lines():
                lines = [with_hash("test_lines", line) for line in test_lines]
                self.db.execute("DELETE FROM test_lines")
                self.db.executemany("INSERT INTO test_lines VALUES (?, ?, ?, ?)", lines)

    def settings(self) -> dict[str, Any]:
        """The run's settings by key, as they were stored."""
        try:
            return settings_from(self.query("SELECT key, value FROM run"))
        except (ValueError, TypeError, RecursionError):
            raise StoreError(f"{self.path}: its settings are damaged. Restore a copy.") from None

    def set_settings(self, settings: dict[str, Any]) -> None:
        """Store settings by key; the caller opens the transaction."""
        rows = [with_hash("run", (k, canonical_json(v))) for k, v in settings.items()]
        try:
            self.db.executemany("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", rows)
        except UnicodeEncodeError as error:  # a file's name may be other bytes
            text = error.object[max(error.start - 40, 0) : error.end]
            raise UsageError(
                f"A setting is not UTF-8 text, and cannot be stored: ...{text}. Rename the file."
            ) from None

    def seeds(self) -> tuple[SeedTask, ...]:
        """The seed tasks that the run was started with."""
        return tuple(map(seed_from, self.query(f"SELECT {SEED_COLUMNS} FROM seeds ORDER BY position")))

    def test_lines(self) -> list[Line]:
        """The questions of test sets that the run keeps clear of."""
        return [Line(*row) for row in self.query("SELECT file, number, text FROM test_lines ORDER BY rowid")]

    # What the teacher said.

    def completion(self, request_id: str) -> Completion | None:
        """The stored answer to a request."""
        rows = self.query(f"SELECT {COMPLETION_COLUMNS} FROM completions WHERE request_id = ?", (request_id,))
        return completion_from(rows[0]) if rows else None

    async def keep_completion(self, request: Request, completion: Completion) -> None:
        """Commit a request with its answer; answers that arrive in one turn of the event loop share a transaction."""
        if self._arrived is None:
            self._arrived = []
            self._committed = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(self._commit_arrived)
        self._arrived.append((request, completion))
        await asyncio.shield(self._committed)

    def _commit_arrived(self) -> None:
        arrived, self._arrived = self._arrived or [], None
        try:
            with self.transaction():
                for request, completion in arrived:
                    self.add_completion(request, completion)
        except Exception as error:  # noqa: BLE001  # whoever waits must hear of it, or would wait for ever
            self._committed.set_exception(error)
        else:
            self._committed.set_result(None)

    def add_completion(self, request: Request, completion: Completion) -> None:
        """Commit a request with its answer; what exists already (a batch was read) stays."""
        with self.transaction():
            self.db.execute("DELETE FROM sent WHERE request_id = ?", (request.id,))
            self.add_request(request)
            self.db.execute(
                "INSERT OR IGNORE INTO completions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                completion_row(request.stage, completion, time.time()),
            )

    def add_request(self, request: Request) -> None:
        """Write a request down; the caller opens the transaction."""
        self.db.execute(
            "INSERT OR IGNORE INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            request_row(request, self._system_prompt(request.system)),
        )

    def _system_prompt(self, text: str) -> int:
        """Each distinct system prompt is stored once; it is most of a request's text."""
        number = self._system_prompts.get(text)
        if number is None:
            self.db.execute("INSERT OR IGNORE INTO system_prompts(text) VALUES (?)", (text,))
            number = int(self.db.execute("SELECT id FROM system_prompts WHERE text = ?", (text,)).fetchone()[0])
            self._system_prompts[text] = number
        return number

    def add_fault(self, request: Request, attempt: int, fault: TryAgain, tokens: int = 0, cost_usd: float = 0.0) -> int:
        """Commit a try that failed, with what it may have used; give the number of all that this request has had."""
        with self.transaction():
            self.db.execute("DELETE FROM sent WHERE request_id = ?", (request.id,))
            self._add_fault(
                request.id, request.stage, attempt, fault.reason, fault.detail, fault.raw, time.time(), tokens,
                float(cost_usd),
            )  # fmt: skip
        return int(self.query("SELECT count(*) FROM faults WHERE request_id = ?", (request.id,))[0][0])

    def _add_fault(self, *row: Any) -> None:
        self.db.execute(
            "INSERT INTO faults(request_id, stage, attempt, reason, detail, raw, created_at, tokens, cost_usd, hash) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            with_hash("faults", row),
        )

    # What it has cost.

    def add_sent(self, request: Request, tokens: int, cost_usd: float) -> None:
        """Commit that a request is about to be sent, and what it may use; its answer or its fault takes that back."""
        with self.transaction():
            self.db.execute("INSERT INTO sent VALUES (?, ?, ?, ?)", (request.id, request.stage, tokens, cost_usd))

    def forget_sent(self, request: Request) -> None:
        """Commit that a request that was about to be sent has used nothing."""
        with self.transaction():
            self.db.execute("DELETE FROM sent WHERE request_id = ?", (request.id,))

    def settle_interrupted(self) -> None:
        """Commit calls that were in flight when the run was cancelled, or its process killed, as tries that failed."""
        with self.transaction():
            detail, now = "the run ended before an answer came", time.time()
            for request_id, stage, tokens, cost_usd in self.query(
                "SELECT request_id, stage, tokens, cost_usd FROM sent ORDER BY rowid"
            ):
                self._add_fault(request_id, stage, 1, "interrupted", detail, None, now, tokens, cost_usd)
            self.db.execute("DELETE FROM sent")

    # The gate.

    def add_step(
        self, step: int, proposal: Proposal, verdicts: Iterable[Verdict], known_ids: Callable[[int], str]
    ) -> None:
        """Commit a step: its candidates, and the verdicts on the first of them (the rest are pending).

        Also used for the rest of a step that is stored already: then `proposal` holds the pending candidates only.
        """
        with self.transaction():
            (n_tasks,) = self.db.execute("SELECT coalesce(max(position), -1) + 1 FROM tasks").fetchone()
            first = self.db.execute("SELECT n_candidates FROM steps WHERE step = ?", (step,)).fetchone()
            if first is None:
                self.db.execute("INSERT INTO steps VALUES (?, ?, ?)", (step, len(proposal.candidates), n_tasks))
                self.db.executemany(
                    "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [candidate_row(step, n, candidate) for n, candidate in enumerate(proposal.candidates)],
                )
                self._reject_unreadable(proposal.unreadable)
            for candidate, (rejection, stage, nearest) in zip(proposal.candidates, verdicts, strict=False):
                if rejection:
                    self._reject("candidate", stage, [(candidate.id, rejection)])
                    continue
                near = (known_ids(nearest.index), nearest.score) if nearest else (None, None)
                self.db.execute(
                    "INSERT INTO tasks(position, id, nearest_id, nearest_score) VALUES (?, ?, ?, ?)",
                    (n_tasks, candidate.id, *near),
                )
                n_tasks += 1
            self.db.execute("UPDATE steps SET n_tasks = ? WHERE step = ?", (n_tasks, step))

    def steps(self) -> list[int]:
        """The number of tasks in the pool after each step, from step 0."""
        rows = self.query("SELECT step, n_tasks FROM steps ORDER BY step")
        if [step for step, _ in rows] != list(range(len(rows))):
            raise StoreError(f"{self.folder / 'run.db'}: steps are missing. Run selfinstruct verify {self.folder}.")
        return [n_tasks for _, n_tasks in rows]

    def pending(self) -> list[Candidate]:
        """The candidates of the last step that were not judged, because the target was reached before them."""
        rows = self.query(
            f"SELECT {CANDIDATE_COLUMNS}, c.id FROM candidates c "
            "WHERE c.step = (SELECT max(step) FROM steps) AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = c.id) "
            "AND NOT EXISTS (SELECT 1 FROM rejections r WHERE r.subject = 'candidate' AND r.subject_id = c.id) "
            "ORDER BY c.position"
        )
        found = [candidate_from(row) for *row, _ in rows]
        if [candidate.id for candidate in found] != [row[-1] for row in rows]:  # a verdict on it would not be found
            raise StoreError(f"{self.path}: a candidate was changed after it was stored. See selfinstruct verify.")
        return found

    def tasks(self, only_waiting: bool = False) -> list[Task]:
        """The admitted tasks in order, or those among them that wait for their instances."""
        where = "WHERE t.generated = 0" if only_waiting else ""
        rows = self.query(
            f"SELECT {TASK_COLUMNS} FROM tasks t JOIN candidates c ON c.id = t.id {where} ORDER BY t.position"
        )
        return [task_from(row) for row in rows]

    def recent_verdicts(self, n: int, per_unreadable: int) -> list[bool]:
        """Whether admitted, for about the last n candidates judged, oldest step first.

        A step that nothing could be read from counts as `per_unreadable` candidates that were not admitted.
        """
        rows = self.query(
            "SELECT s.n_candidates, s.n_tasks - coalesce(b.n_tasks, 0) FROM steps s "
            "LEFT JOIN steps b ON b.step = s.step - 1 ORDER BY s.step DESC LIMIT ?",
            (n,),
        )
        pending = len(self.pending())
        verdicts: list[bool] = []
        for n_candidates, n_admitted in rows:
            if len(verdicts) >= n:
                break
            n_rejected = n_candidates - n_admitted - pending if n_candidates else per_unreadable
            verdicts = [True] * min(n_admitted, n) + [False] * min(n_rejected, n) + verdicts  # unless it is damaged
            pending = 0  # only the last step has any
        return verdicts

    # The generation of instances.

    def add_generated(
        self, task: Task, generated: GeneratedInstances, verdicts: Sequence[Rejection | None]
    ) -> list[str]:
        """Commit what was generated for a task: its fields, its instances, and the verdict on each; give their ids."""
        identities = []
        with self.transaction():
            self.db.execute(
                "UPDATE tasks SET extra = ?, hash = ?, generated = 1 WHERE position = ?",
                (*with_hash("tasks", (as_object(generated.extra),), task.id), task.position),
            )
            for position, (instance, rejection) in enumerate(zip(generated.instances, verdicts, strict=True)):
                identity = instance_id(task.id, generated.request_id, position, instance)
                identities.append(identity)
                self.db.execute(
                    "INSERT INTO instances VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        identity, task.position, position, generated.request_id, instance.input, instance.output,
                        as_object(instance.extra),
                    ),
                )  # fmt: skip
                if rejection:
                    self._reject("instance", INSTANCES, [(identity, rejection)])
            self._reject_unreadable(
                (request_id, Rejection(reason, {**evidence, "task": task.position}))
                for request_id, (reason, evidence) in generated.unreadable
            )
        return identities

    def reject(self, request_id: str, rejection: Rejection) -> None:
        """Commit that a completion yields nothing."""
        with self.transaction():
            self._reject_unreadable([(request_id, rejection)])

    def _reject_unreadable(self, rejections: Iterable[tuple[str, Rejection]]) -> None:
        for request_id, rejection in rejections:
            (stage,) = self.query("SELECT stage FROM requests WHERE id = ?", (request_id,))[0]
            self._reject("completion", stage, [(request_id, rejection)])

    def _reject(self, subject: str, stage: str, rejections: Iterable[tuple[str, Rejection]]) -> None:
        self.db.executemany(
            "INSERT OR IGNORE INTO rejections VALUES (?, ?, ?, ?, ?)",
            [(subject, subject_id, stage, r.reason, canonical_json(r.evidence)) for subject_id, r in rejections],
        )

    def records(self, decided: bool = True) -> Iterator[Record]:
        """The dataset, in the order of tasks and their instances; then what was rescued of rejected candidates.

        Without `decided`: as the filters left it, without people's later decisions; what a resumed run uses.
        """
        source = "records" if decided else "filtered WHERE kept"
        with explaining(self.path):
            yield from map(record_from, self.db.execute(f"SELECT {RECORD_COLUMNS} FROM {source}"))
