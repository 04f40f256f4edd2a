"""What people decide about what was generated: rescue, ban, edit, tag, comment, and undo.

    with Database.beside(Path("outputs/first")) as run:
        batch = decide(run, "ada", "ban", [("candidate", "5b6c..."), ("instance", "9a0f...")])
        undo(run, "ada", batch)

| action  | of                           | what it does                                                                |
|---------|------------------------------|-----------------------------------------------------------------------------|
| ban     | a candidate, an instance     | it is not exported; a candidate (a task) with all its instances             |
| rescue  | a candidate, an instance     | it is exported, though it was rejected or banned                            |
| edit    | an instance                  | it is exported with another input and output, under the same id             |
| tag     | anything                     | payload {"tag": ...}                                                        |
| comment | anything                     | payload {"text": ...}                                                       |
| gold    | a row                        | payload {"gold": ...}: the true answer about it; "" for none                |
| undo    | what the decision was about  | that decision counts no more; an undo is not undone, but decided again  |

Decisions are rows that are never changed, and what was generated never changes either: the view `records`, and so every
export, is the two taken together. Of `ban` and `rescue`, and of several edits, the last one that is in force counts.

Decisions have no say in what a run admits: the gate goes on with what the filters left, so a run gives the same data
whether or not anybody has looked at it. So a rescued candidate never enters the pool. It is exported with the instances
that it came with (Alpaca's way of asking), unjudged, or with those that the next `generate` makes of it
(Self-Instruct's way). Neither can be edited.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from selfinstruct.errors import UsageError
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.records import Instance, Task, canonical_json, storable
from selfinstruct.store.database import Database
from selfinstruct.store.rows import (
    CANDIDATE_COLUMNS,
    Row,
    as_object,
    candidate_from,
    instance_id,
    instances_from,
    object_from,
    with_hash,
)

Subject = tuple[str, str]  # "candidate", "instance", "completion" or "row", and its id
Action = Literal["ban", "rescue", "edit", "tag", "comment", "gold"]
TABLES = {
    "candidate": ("candidates", "id"),
    "instance": ("instances", "id"),
    "completion": ("completions", "request_id"),
    "row": ("rows", "id"),
}


class Decision(NamedTuple):
    """A row of `decisions`; `texts` are the input and output of an edit, `undone` whether it counts no more."""

    id: int
    batch: int
    created_at: float
    author: str
    subject: str
    subject_id: str
    action: str
    payload: dict[str, Any]
    undoes: int | None
    undone: bool
    texts: Instance | None


class _New(NamedTuple):
    """A decision to be stored, with the texts that it brings in by their ids."""

    subject: Subject
    action: str
    payload: str
    undoes: int | None = None
    texts: Sequence[tuple[str, str, str]] = ()


def decide(
    run: Database, author: str, action: Action, subjects: Sequence[Subject], payload: dict[str, str] | None = None
) -> int:
    """Commit one decision about each of `subjects`, and give the number of the batch; 0 if there was nothing to do.

    A ban of what is not exported anyhow, and a rescue of what is, are left out, and so are candidates that are not
    judged yet. UsageError if a subject is not there, or is nothing that can be decided so.
    """
    payload = {key: storable(value) for key, value in (payload or {}).items()}
    if action == "edit":
        return _store(run, author, [_edit(run, subject, payload) for subject in subjects])
    if (action == "gold") != all(kind == "row" for kind, _ in subjects):
        raise UsageError("A row has a gold answer, and nothing else that can be decided.")
    if action == "gold":
        for subject in subjects:
            _check(run, subject)
        return _store(run, author, [_New(subject, action, canonical_json(payload)) for subject in subjects])
    if action in ("tag", "comment"):
        value = payload.get("tag" if action == "tag" else "text", "").strip()
        if not value:
            raise UsageError(f"A {action} needs text.")
        kept = canonical_json({"tag": " ".join(value.split())} if action == "tag" else {"text": value})
        for subject in subjects:
            _check(run, subject)
        return _store(run, author, [_New(subject, action, kept) for subject in subjects])
    new = []
    for subject in subjects:
        _check(run, subject)
        if subject[0] == "completion":
            if len(subjects) == 1:
                raise UsageError("Nothing could be parsed from this answer, so there is nothing to rescue or ban.")
            continue
        exported = is_exported(run, subject)
        if exported is not None and exported == (action == "ban"):
            came_with = _came_with(run, subject[1]) if action == "rescue" and subject[0] == "candidate" else ()
            new.append(_New(subject, action, "{}", texts=came_with))
    return _store(run, author, new)


def undo(run: Database, author: str, batch: int) -> int:
    """Take back the decisions of a batch that are in force, as a batch of its own; 0 if none is."""
    if run.query("SELECT 1 FROM decisions WHERE batch = ? AND action = 'undo' LIMIT 1", (batch,)):
        raise UsageError("An undo cannot be undone. Decide again instead.")
    rows = run.query("SELECT id, subject, subject_id FROM decisions_in_force WHERE batch = ? ORDER BY id", (batch,))
    return _store(run, author, [_New((subject, name), "undo", "{}", undoes) for undoes, subject, name in rows])


def standing(run: Database, subject: Subject) -> str | None:
    """The ban or rescue that counts for a subject; None if neither does."""
    rows = run.query("SELECT action FROM standing WHERE subject = ? AND subject_id = ?", subject)
    return str(rows[0][0]) if rows else None


def is_exported(run: Database, subject: Subject) -> bool | None:
    """Whether a candidate or an instance may be exported, as far as it depends on it alone; None: not judged yet."""
    if action := standing(run, subject):
        return action == "rescue"
    if run.query("SELECT 1 FROM rejections WHERE subject = ? AND subject_id = ?", subject):
        return False
    judged = subject[0] == "instance" or run.query("SELECT 1 FROM tasks WHERE id = ?", subject[1:])
    return True if judged else None


def state_of(judged: str, standing: str | None) -> str:
    """What has become of something: of the filters' "admitted", "rejected" or "pending", and the ban or rescue."""
    if standing == "ban":
        return "banned"
    return "rescued" if standing == "rescue" and judged != "admitted" else judged


def edited(run: Database, instance: str) -> Instance | None:
    """The texts of the edit that counts for an instance; None if it was not edited."""
    rows = run.query("SELECT input, output FROM edits WHERE instance = ?", (instance,))
    return Instance(*rows[0]) if rows else None


def notes(run: Database, subject: Subject) -> list[tuple[str, dict[str, Any]]]:
    """The edits, tags and comments of a subject that are in force: action and payload."""
    rows = run.query(
        "SELECT action, payload FROM decisions_in_force WHERE subject = ? AND subject_id = ? "
        "AND action IN ('edit', 'tag', 'comment') ORDER BY id",
        subject,
    )
    return [(str(action), object_from(payload)) for action, payload in rows]


def decided_gold(run: Database) -> dict[str, dict[str, Any]]:
    """What people have decided by the id of the row: `gold`, "" for unknown, and `of`, the content that they saw."""
    rows = run.query(
        "SELECT subject_id, payload, max(id) FROM decisions_in_force WHERE action = 'gold' GROUP BY subject_id"
    )
    return {identity: object_from(payload) for identity, payload, _ in rows}


def decisions(
    run: Database, *, batch: int | None = None, subject: Subject | None = None, limit: int = -1
) -> list[Decision]:
    """The decisions, of a batch or about a subject where one is named, the latest first."""
    where, parameters = "1", tuple[Any, ...]()
    if batch is not None:
        where, parameters = "batch = ?", (batch,)
    if subject is not None:
        where, parameters = f"{where} AND subject = ? AND subject_id = ?", (*parameters, *subject)
    rows = run.query(
        "SELECT id, batch, created_at, author, subject, subject_id, action, payload, undoes, "
        "EXISTS(SELECT 1 FROM decisions u WHERE u.undoes = d.id), "
        "(SELECT input FROM decided_texts WHERE decision = d.id AND d.action = 'edit'), "
        "(SELECT output FROM decided_texts WHERE decision = d.id AND d.action = 'edit') "
        f"FROM decisions d WHERE {where} ORDER BY id DESC LIMIT ?",
        (*parameters, limit),
    )
    found = []
    for number, of_batch, at, author, kind, name, action, payload, undoes, undone, given, output in rows:
        texts = None if given is None else Instance(given, output)
        about = (author, kind, name, action, object_from(payload))
        found.append(Decision(number, of_batch, at, *about, undoes, bool(undone), texts))
    return found


def batches_before(run: Database, batch: int, limit: int) -> list[tuple[int, int]]:
    """The last batches before one, the latest first, each with the number of its decisions."""
    return run.query(
        "SELECT batch, count(*) FROM decisions WHERE batch < ? GROUP BY batch ORDER BY batch DESC LIMIT ?",
        (batch, limit),
    )


def decided_after(run: Database, decision: int) -> tuple[int, list[Subject]]:
    """The number of the last decision, and what was decided about after the one of the given number, each once."""
    rows = run.query("SELECT id, subject, subject_id FROM decisions WHERE id > ? ORDER BY id", (decision,))
    subjects = list(dict.fromkeys((str(kind), str(identity)) for _, kind, identity in rows))
    return (rows[-1][0] if rows else decision), subjects


def _check(run: Database, subject: Subject) -> None:
    table, key = TABLES.get(subject[0], ("", ""))
    if not table or not run.query(f"SELECT 1 FROM {table} WHERE {key} = ?", (subject[1],)):
        raise UsageError(f"There is no {' '.join(subject)} in this run.")


def _edit(run: Database, subject: Subject, payload: dict[str, str]) -> _New:
    _check(run, subject)
    if subject[0] != "instance" or set(payload) != {"input", "output"}:
        raise UsageError("Only the input and output of an instance can be edited.")
    if not payload["output"].strip():
        raise UsageError("The output is empty. Ban the instance instead.")
    return _New(subject, "edit", "{}", texts=[(subject[1], payload["input"], payload["output"])])


def _came_with(run: Database, candidate: str) -> list[tuple[str, str, str]]:
    """The instances that a rejected candidate came with; none of a task, whose instances are in the store."""
    ((request_id, pairs),) = run.query("SELECT request_id, instances FROM candidates WHERE id = ?", (candidate,))
    if run.query("SELECT 1 FROM tasks WHERE id = ?", (candidate,)):
        return []
    came_with = enumerate(instances_from(pairs))
    return [(instance_id(candidate, request_id, n, one), one.input, one.output) for n, one in came_with]


def rescues_without_instances(run: Database) -> list[Task]:
    """The rescued candidates that have no instances yet, as tasks outside the pool: minus the decision's number."""
    rows = run.query(
        f"SELECT s.decision, c.step, {CANDIDATE_COLUMNS} FROM standing s JOIN candidates c ON c.id = s.subject_id "
        "WHERE s.subject = 'candidate' AND s.action = 'rescue' "
        "AND c.instances IS NULL AND c.id NOT IN (SELECT id FROM tasks) "
        "AND NOT EXISTS (SELECT 1 FROM decided_texts e WHERE e.decision = s.decision) ORDER BY s.decision"
    )
    return [Task.admitted(-decision, candidate_from(row), step) for decision, step, *row in rows]


def add_instances(
    run: Database, task: Task, request_id: str, instances: Sequence[ParsedInstance], extra: Mapping[str, Any]
) -> None:
    """Commit what was generated for a rescued candidate, which is exported with it; `extra` is said of the task."""
    rows = [
        (
            -task.position, n, instance_id(task.id, request_id, n, one), one.input, one.output,
            as_object({**extra, **one.extra}),
        )
        for n, one in enumerate(instances)
    ]  # fmt: skip
    with run.transaction():
        _add_texts(run, rows)


def _store(run: Database, author: str, new: Iterable[_New]) -> int:
    new = list(new)
    if not new:
        return 0
    with run.transaction():
        first = int(run.query("SELECT coalesce(max(id), 0) + 1 FROM decisions")[0][0])
        now = time.time()
        rows = [(first + n, first, now, author, *d.subject, d.action, d.payload, d.undoes) for n, d in enumerate(new)]
        run.db.executemany(
            "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [with_hash("decisions", row) for row in rows]
        )
        _add_texts(run, [(first + n, at, *text, None) for n, d in enumerate(new) for at, text in enumerate(d.texts)])
    return first


def _add_texts(run: Database, rows: Iterable[Row]) -> None:
    hashed = [with_hash("decided_texts", row) for row in rows]
    run.db.executemany("INSERT OR IGNORE INTO decided_texts VALUES (?, ?, ?, ?, ?, ?, ?)", hashed)


def leave_out(run: Database) -> int:
    """Delete, in a run that was judged again, decisions about what is no longer there; give their number.

    Nor need texts that a rescue brought in stay where their candidate has been admitted: it has them itself.
    """
    n = 0
    with run.transaction():
        tasks = "SELECT d.id FROM decisions d JOIN tasks t ON t.id = d.subject_id WHERE d.subject = 'candidate'"
        run.db.execute(f"DELETE FROM decided_texts WHERE decision IN ({tasks})")
        for subject, (table, key) in TABLES.items():
            gone = f"subject = '{subject}' AND subject_id NOT IN (SELECT {key} FROM {table})"
            run.db.execute(f"DELETE FROM decided_texts WHERE decision IN (SELECT id FROM decisions WHERE {gone})")
            n += run.db.execute(f"DELETE FROM decisions WHERE {gone}").rowcount
    return n


def problems(run: Database) -> Iterator[str]:
    """What is wrong with the decisions, one line each."""
    for subject, (table, key) in TABLES.items():
        if subject == "row":  # the file may have lost it since
            continue
        for (number,) in run.query(
            f"SELECT id FROM decisions WHERE subject = ? AND subject_id NOT IN (SELECT {key} FROM {table})", (subject,)
        ):
            yield f"decision {number}: no such {subject}"
    checks = {
        "has an unknown subject": f"subject NOT IN ({', '.join(map(repr, TABLES))})",
        "has an unknown action": "action NOT IN ('ban', 'rescue', 'edit', 'tag', 'comment', 'gold', 'undo')",
        "belongs to a batch that starts after it": "batch > id",
        "must name what it undoes if it is an undo, and only then": "(undoes IS NULL) != (action != 'undo')",
        "undoes something that is not an earlier decision about the same thing": "undoes IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM decisions o WHERE o.id = d.undoes AND o.id < d.id AND o.action != 'undo' "
        "AND o.subject = d.subject AND o.subject_id = d.subject_id)",
        "is an edit without texts": "action = 'edit' AND NOT EXISTS "
        "(SELECT 1 FROM decided_texts e WHERE e.decision = d.id AND e.id = d.subject_id)",
    }
    for what, condition in checks.items():
        for (number,) in run.query(f"SELECT id FROM decisions d WHERE {condition}"):
            yield f"decision {number}: {what}"
    rows = run.query(
        "SELECT c.id, c.request_id, c.instances, e.decision, e.position, e.id, e.input, e.output FROM decided_texts e "
        "JOIN decisions d ON d.id = e.decision JOIN candidates c ON c.id = d.subject_id WHERE d.action = 'rescue' "
        "AND c.instances IS NOT NULL"
    )
    for candidate, request_id, pairs, number, position, identity, given, output in rows:
        one = Instance(given, output)
        if one not in instances_from(pairs) or identity != instance_id(candidate, request_id, position, one):
            yield f"decision {number}: adds a text that did not come with its candidate"
