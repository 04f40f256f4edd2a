"""Which requests are in which batch: the ledger in run.db that lets submitted batches survive a restart.

A batch is written down with its requests before it is made at the server, and gets the server's id afterwards. Where a
run is killed between the two, the batch is found again by its metadata (the run's token and the batch's number).
"""

import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from selfinstruct.errors import UsageError
from selfinstruct.records import Completion, Request
from selfinstruct.store.rows import REQUEST_COLUMNS, request_from
from selfinstruct.store.store import Store
from selfinstruct.terminal import n_of


class OpenBatch(NamedTuple):
    """A batch that is not read yet; `id` is the server's name for it, None if it may not have been made."""

    number: int
    id: str | None
    n_requests: int


class Batches:
    """The batches of one run's store."""

    def __init__(self, store: Store):
        self._store = store

    def transaction(self) -> AbstractContextManager[None]:
        """As the store's."""
        return self._store.transaction()

    def token(self) -> str:
        """What this run's batches are marked with, so that they are found again."""
        token = self._store.settings().get("batch_token")
        if token is None:
            token = uuid.uuid4().hex
            with self._store.transaction():
                self._store.set_settings({"batch_token": token})
        return str(token)

    def open(self, model: str) -> list[OpenBatch]:
        """The batches of a model that are not read yet, in order."""
        rows = self._store.query(
            "SELECT b.number, b.id, count(r.request_id) FROM batches b "
            "LEFT JOIN batch_requests r ON r.batch = b.number "
            "WHERE b.read_at IS NULL AND b.model = ? GROUP BY b.number ORDER BY b.number",
            (model,),
        )
        return [OpenBatch(*row) for row in rows]

    def refuse_under_way(self) -> None:
        """UsageError if requests are in batches, which a session without batches would pay for again."""
        ((n,),) = self._store.query("SELECT count(*) FROM batch_requests")
        if n:
            raise UsageError(
                f"{self._store.folder} has batches in progress, with {n_of(n, 'request')}. Resuming without them would "
                "pay twice. Set batch (--batch), and do not use --dry-run."
            )

    def begin(self, model: str, requests: Sequence[Request]) -> int:
        """Commit a batch that is about to be made, with its requests; give its number."""
        with self._store.transaction():
            cursor = self._store.db.execute(
                "INSERT INTO batches(model, created_at) VALUES (?, ?)", (model, time.time())
            )
            number = int(cursor.lastrowid or 0)
            for request in requests:
                self._store.add_request(request)
            self._store.db.executemany(
                "INSERT INTO batch_requests VALUES (?, ?)", [(request.id, number) for request in requests]
            )
        return number

    def begun_at(self, number: int) -> float:
        """When a batch was written down, in seconds since 1970."""
        return float(self._store.query("SELECT created_at FROM batches WHERE number = ?", (number,))[0][0])

    def submitted(self, number: int, identity: str) -> None:
        """Commit the server's name for a batch."""
        with self._store.transaction():
            self._store.db.execute("UPDATE batches SET id = ? WHERE number = ?", (identity, number))

    def requests(self, number: int | None = None) -> dict[str, Request]:
        """The requests of a batch, or of all, that are not answered yet, by id."""
        rows = self._store.query(
            f"SELECT {REQUEST_COLUMNS} FROM batch_requests b JOIN requests r ON r.id = b.request_id "
            "JOIN system_prompts s ON s.id = r.system_prompt WHERE b.batch = coalesce(?, b.batch)",
            (number,),
        )
        requests = [request_from(row) for row in rows]
        return {request.id: request for request in requests}

    def keep(self, answers: Iterable[tuple[Request, Completion]]) -> None:
        """Commit answers of a batch."""
        with self._store.transaction():
            for request, completion in answers:
                self._store.add_completion(request, completion)
                self._store.db.execute("DELETE FROM batch_requests WHERE request_id = ?", (request.id,))

    def close(self, number: int) -> None:
        """Commit that a batch has been read, or was never made: requests left in it may be asked again."""
        with self._store.transaction():
            db = self._store.db
            rows = db.execute("SELECT request_id FROM batch_requests WHERE batch = ?", (number,)).fetchall()
            db.execute("DELETE FROM batch_requests WHERE batch = ?", (number,))
            answered = "SELECT request_id FROM completions"
            db.executemany(f"DELETE FROM requests WHERE id = ? AND id NOT IN ({answered})", rows)
            db.execute("UPDATE batches SET read_at = ? WHERE number = ?", (time.time(), number))
