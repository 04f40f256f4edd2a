"""The tables of run.db and how old files are brought up to them.

    requests -> completions -> candidates -> tasks -> instances
                          |        \\ rejections (of completions, candidates and instances)
                   rows -> votes

A row of `steps` is one step of the gate; `faults` are tries that failed; `decisions` are what people decided about the
rest (see decisions.py). The views `records` (with the decisions) and `rejected` are made for reading in any SQLite
browser.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

from selfinstruct.errors import StoreError
from selfinstruct.records import row_hash
from selfinstruct.store.connecting import refuse_triggers


def _create_tables(db: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        db.execute(statement)


def _add_instances_of_candidates(db: sqlite3.Connection) -> None:
    """For candidates that came with their instances: [[input, output], ...] in JSON."""
    db.execute("ALTER TABLE candidates ADD COLUMN instances TEXT")


def _add_test_lines(db: sqlite3.Connection) -> None:
    """The questions of test sets that a run keeps clear of."""
    db.execute("CREATE TABLE test_lines(file TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL)")


def _add_batches(db: sqlite3.Connection) -> None:
    """Batches of requests, and the requests of those that have not been read yet; `id` is the server's name."""
    db.execute(
        "CREATE TABLE batches(number INTEGER PRIMARY KEY, id TEXT, model TEXT NOT NULL, created_at REAL NOT NULL, "
        "read_at REAL)"
    )
    db.execute(
        "CREATE TABLE batch_requests(request_id TEXT PRIMARY KEY REFERENCES requests(id), "
        "batch INTEGER NOT NULL REFERENCES batches(number)) WITHOUT ROWID"
    )


def _add_sent(db: sqlite3.Connection) -> None:
    """Calls in flight of a run with a budget, and what failed tries may have used: tokens and dollars at most."""
    db.execute(
        "CREATE TABLE sent(request_id TEXT PRIMARY KEY, stage TEXT NOT NULL, tokens INTEGER NOT NULL, cost_usd REAL)"
    )
    db.execute("ALTER TABLE faults ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE faults ADD COLUMN cost_usd REAL NOT NULL DEFAULT 0")


def _add_decisions(db: sqlite3.Connection) -> None:
    """What people decide, append-only. `records` honours it; `judged` is what the filters left, on which runs go on.

    Decisions of one click have one `batch`, the id of the first. Texts that a decision brings in (an edited instance,
    the instances of a rescued candidate) are columns of their own, since JSON functions of SQLite end a text at NUL.
    """
    for statement in _DECISIONS.split(";"):
        db.execute(statement)


def _add_extra(db: sqlite3.Connection) -> None:
    """What a stage brings besides texts: `extra`, a JSON object, of candidates, tasks and instances, and of
    what was generated for rescued candidates; NULL: nothing.

    A task's class is the first such field. `raw` is what a server answered, `generated` whether a task has been through
    the generation of its instances. `standing` is the one place that says which ban or rescue counts.
    """
    for statement in _EXTRA.split(";"):
        db.execute(statement)


# What the hash of a row covers, in this order: tables whose rows are not named by their content.
HASHED = {
    "run": "key, value",
    "seeds": "position, id, name, instruction, instances, is_classification",
    "test_lines": "file, number, text",
    "completions": "(SELECT stage FROM requests WHERE id = request_id), request_id, text, finish_reason, "
    "prompt_tokens, completion_tokens, logprobs, latency_s, attempts, cost_usd, error, raw",
    "faults": "request_id, stage, attempt, reason, detail, raw, created_at, tokens, cost_usd",
    "tasks": "id, extra",
    "decisions": "id, batch, created_at, author, subject, subject_id, action, payload, undoes",
    "decided_texts": "decision, position, id, input, output, extra",
    "rows": "position, id, fields, gold, problem",
    "votes": "row, voter, sample, swapped, request_id, value, rationale, confidence",
}


def _hash(db: sqlite3.Connection, *tables: str) -> None:
    db.create_function("row_hash", -1, row_hash, deterministic=True)
    for table in tables:
        db.execute(f"ALTER TABLE {table} ADD COLUMN hash TEXT")
        db.execute(f"UPDATE {table} SET hash = row_hash('{table}', {HASHED[table]})")


def _add_hashes(db: sqlite3.Connection) -> None:
    """`hash` of what `HASHED` names, as `verify` computes it again; of a task, once its instances are generated.

    The setting `hashed_later` is the number of answers that were there before, and may have been changed before.
    """
    _hash(db, "seeds", "test_lines", "completions", "faults", "tasks")
    db.execute("INSERT INTO run SELECT 'hashed_later', count(*) FROM completions HAVING count(*)")


def _add_hashes_of_settings_and_decisions(db: sqlite3.Connection) -> None:
    """The same of what the run was begun with, and of what people decided."""
    _hash(db, "run", "decisions", "decided_texts")


def _add_votes(db: sqlite3.Connection) -> None:
    """Rows of a file that teachers are asked about, and what each says of each: NULL where an answer was rejected."""
    db.execute(
        "CREATE TABLE rows(position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, fields TEXT NOT NULL, gold TEXT, "
        "problem TEXT, hash TEXT)"
    )
    db.execute(
        "CREATE TABLE votes(row TEXT NOT NULL REFERENCES rows(id) DEFERRABLE INITIALLY DEFERRED, voter TEXT NOT NULL, "
        "sample INTEGER NOT NULL, swapped INTEGER NOT NULL, request_id TEXT NOT NULL REFERENCES requests(id), "
        "value TEXT, rationale TEXT, confidence REAL, hash TEXT, PRIMARY KEY(row, voter, sample, swapped))"
    )


# Each brings the file from version i to i + 1 (PRAGMA user_version). Append; never change one that was released.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create_tables,
    _add_instances_of_candidates,
    _add_test_lines,
    _add_sent,
    _add_batches,
    _add_decisions,
    _add_extra,
    _add_hashes,
    _add_hashes_of_settings_and_decisions,
    _add_votes,
)

_TABLES = """
CREATE TABLE run(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE seeds(position INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, instruction TEXT NOT NULL,
    instances TEXT NOT NULL, is_classification INTEGER NOT NULL);
CREATE TABLE system_prompts(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE requests(id TEXT PRIMARY KEY, stage TEXT NOT NULL, teacher TEXT NOT NULL, model TEXT NOT NULL,
    endpoint TEXT NOT NULL, system_prompt INTEGER NOT NULL REFERENCES system_prompts(id), user TEXT NOT NULL,
    sampling TEXT NOT NULL, sample INTEGER NOT NULL);
CREATE TABLE completions(request_id TEXT PRIMARY KEY REFERENCES requests(id), text TEXT NOT NULL,
    finish_reason TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, logprobs TEXT,
    latency_s REAL NOT NULL, attempts INTEGER NOT NULL, cost_usd REAL, error TEXT, answer TEXT NOT NULL,
    created_at REAL NOT NULL);
CREATE TABLE faults(id INTEGER PRIMARY KEY, request_id TEXT NOT NULL, stage TEXT NOT NULL, attempt INTEGER NOT NULL,
    reason TEXT NOT NULL, detail TEXT NOT NULL, answer TEXT, created_at REAL NOT NULL);
CREATE INDEX faults_by_request ON faults(request_id);
CREATE TABLE steps(step INTEGER PRIMARY KEY, n_candidates INTEGER NOT NULL, n_tasks INTEGER NOT NULL);
CREATE TABLE candidates(id TEXT PRIMARY KEY, step INTEGER NOT NULL REFERENCES steps(step), position INTEGER NOT NULL,
    request_id TEXT NOT NULL REFERENCES completions(request_id), place INTEGER NOT NULL, instruction TEXT NOT NULL,
    cut INTEGER NOT NULL, UNIQUE(step, position));
CREATE TABLE tasks(position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE REFERENCES candidates(id),
    nearest_id TEXT, nearest_score REAL, is_classification INTEGER, made INTEGER NOT NULL DEFAULT 0);
CREATE INDEX tasks_to_make ON tasks(position) WHERE made = 0;
CREATE TABLE instances(id TEXT PRIMARY KEY, task INTEGER NOT NULL REFERENCES tasks(position), position INTEGER NOT NULL,
    request_id TEXT NOT NULL REFERENCES completions(request_id), input TEXT NOT NULL, output TEXT NOT NULL,
    UNIQUE(task, position));
CREATE TABLE rejections(subject TEXT NOT NULL, subject_id TEXT NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL,
    evidence TEXT NOT NULL, PRIMARY KEY(subject, subject_id)) WITHOUT ROWID;
CREATE VIEW records AS SELECT i.id, i.task, c.instruction, i.input, i.output, t.is_classification
    FROM instances i JOIN tasks t ON t.position = i.task JOIN candidates c ON c.id = t.id
    LEFT JOIN rejections r ON r.subject = 'instance' AND r.subject_id = i.id
    WHERE r.subject_id IS NULL ORDER BY i.task, i.position;
CREATE VIEW rejected AS SELECT r.stage, r.reason, r.subject, r.subject_id, r.evidence,
    coalesce(c.instruction, 'Input: ' || i.input || char(10) || 'Output: ' || i.output, m.text) AS text,
    coalesce(c.request_id, i.request_id, m.request_id) AS request_id,
    c.step AS step, i.task AS task
    FROM rejections r
    LEFT JOIN candidates c ON r.subject = 'candidate' AND c.id = r.subject_id
    LEFT JOIN instances i ON r.subject = 'instance' AND i.id = r.subject_id
    LEFT JOIN completions m ON r.subject = 'completion' AND m.request_id = r.subject_id
"""

_DECISIONS = """
CREATE TABLE decisions(id INTEGER PRIMARY KEY, batch INTEGER NOT NULL, created_at REAL NOT NULL, author TEXT NOT NULL,
    subject TEXT NOT NULL, subject_id TEXT NOT NULL, action TEXT NOT NULL, payload TEXT NOT NULL,
    undoes INTEGER REFERENCES decisions(id));
CREATE INDEX decisions_by_subject ON decisions(subject, subject_id);
CREATE INDEX decisions_by_batch ON decisions(batch);
CREATE UNIQUE INDEX decisions_undone ON decisions(undoes) WHERE undoes IS NOT NULL;
CREATE TABLE decided_texts(decision INTEGER NOT NULL REFERENCES decisions(id), position INTEGER NOT NULL,
    id TEXT NOT NULL, input TEXT NOT NULL, output TEXT NOT NULL, PRIMARY KEY(decision, position)) WITHOUT ROWID;
CREATE VIEW decisions_in_force AS SELECT * FROM decisions d
    WHERE d.action != 'undo' AND NOT EXISTS (SELECT 1 FROM decisions u WHERE u.undoes = d.id);
CREATE VIEW judged AS SELECT i.id, i.task, i.position, c.instruction, i.input, i.output, t.is_classification,
    t.id AS candidate, r.subject_id IS NULL AS kept
    FROM instances i JOIN tasks t ON t.position = i.task JOIN candidates c ON c.id = t.id
    LEFT JOIN rejections r ON r.subject = 'instance' AND r.subject_id = i.id
    ORDER BY i.task, i.position;
DROP VIEW records;
CREATE VIEW records AS SELECT id, task, instruction, input, output, is_classification FROM (
    SELECT 0 AS rescued, j.task AS task, j.position AS position, j.id, j.instruction,
        CASE WHEN e.id IS NULL THEN j.input ELSE e.input END AS input,
        CASE WHEN e.id IS NULL THEN j.output ELSE e.output END AS output, j.is_classification
    FROM judged j LEFT JOIN decided_texts e ON e.decision = (SELECT max(d.id) FROM decisions_in_force d
        WHERE d.subject = 'instance' AND d.subject_id = j.id AND d.action = 'edit')
    WHERE coalesce((SELECT d.action = 'rescue' FROM decisions_in_force d WHERE d.subject = 'instance'
        AND d.subject_id = j.id AND d.action IN ('ban', 'rescue') ORDER BY d.id DESC LIMIT 1), j.kept)
    AND coalesce((SELECT d.action = 'rescue' FROM decisions_in_force d WHERE d.subject = 'candidate'
        AND d.subject_id = j.candidate AND d.action IN ('ban', 'rescue') ORDER BY d.id DESC LIMIT 1), 1)
    UNION ALL
    SELECT 1, -d.id, e.position, e.id, c.instruction, e.input, e.output, NULL
    FROM decisions_in_force d JOIN candidates c ON c.id = d.subject_id JOIN decided_texts e ON e.decision = d.id
    WHERE d.subject = 'candidate' AND d.action = 'rescue' AND NOT EXISTS (SELECT 1 FROM decisions_in_force l
        WHERE l.subject = 'candidate' AND l.subject_id = d.subject_id AND l.action IN ('ban', 'rescue') AND l.id > d.id)
    ORDER BY 1, 2, 3)
"""

_EXTRA = """
DROP VIEW records;
DROP VIEW judged;
DROP VIEW rejected;
ALTER TABLE completions RENAME COLUMN answer TO raw;
ALTER TABLE faults RENAME COLUMN answer TO raw;
ALTER TABLE tasks RENAME COLUMN made TO generated;
ALTER TABLE candidates ADD COLUMN extra TEXT;
ALTER TABLE tasks ADD COLUMN extra TEXT;
ALTER TABLE instances ADD COLUMN extra TEXT;
ALTER TABLE decided_texts ADD COLUMN extra TEXT;
UPDATE tasks SET extra = '{"is_classification":' || CASE is_classification WHEN 0 THEN 'false' ELSE 'true' END || '}'
    WHERE is_classification IS NOT NULL;
ALTER TABLE tasks DROP COLUMN is_classification;
CREATE VIEW standing AS SELECT subject, subject_id, action, max(id) AS decision FROM decisions_in_force
    WHERE action IN ('ban', 'rescue') GROUP BY subject, subject_id;
CREATE VIEW edits AS SELECT d.subject_id AS instance, e.input, e.output, max(d.id) AS decision FROM decisions_in_force d
    JOIN decided_texts e ON e.decision = d.id WHERE d.subject = 'instance' AND d.action = 'edit' GROUP BY d.subject_id;
CREATE VIEW filtered AS SELECT i.id, i.task, i.position, c.instruction, i.input, i.output,
    json_extract(t.extra, '$.is_classification') AS is_classification,
    c.extra AS candidate_extra, t.extra AS task_extra, i.extra AS extra,
    t.id AS candidate, r.subject_id IS NULL AS kept
    FROM instances i JOIN tasks t ON t.position = i.task JOIN candidates c ON c.id = t.id
    LEFT JOIN rejections r ON r.subject = 'instance' AND r.subject_id = i.id
    ORDER BY i.task, i.position;
CREATE VIEW records AS
    SELECT id, task, instruction, input, output, is_classification, candidate_extra, task_extra, extra FROM (
    SELECT 0 AS rescued, j.task AS task, j.position AS position, j.id, j.instruction,
        CASE WHEN e.decision IS NULL THEN j.input ELSE e.input END AS input,
        CASE WHEN e.decision IS NULL THEN j.output ELSE e.output END AS output, j.is_classification,
        j.candidate_extra, j.task_extra, j.extra
    FROM filtered j LEFT JOIN edits e ON e.instance = j.id
    LEFT JOIN standing s ON s.subject = 'instance' AND s.subject_id = j.id
    LEFT JOIN standing o ON o.subject = 'candidate' AND o.subject_id = j.candidate
    WHERE coalesce(s.action = 'rescue', j.kept) AND coalesce(o.action = 'rescue', 1)
    UNION ALL
    SELECT 1, -s.decision, e.position, e.id, c.instruction, e.input, e.output, NULL, c.extra, NULL, e.extra
    FROM standing s JOIN candidates c ON c.id = s.subject_id JOIN decided_texts e ON e.decision = s.decision
    WHERE s.subject = 'candidate' AND s.action = 'rescue'
    ORDER BY 1, 2, 3);
CREATE VIEW rejected AS SELECT r.stage, r.reason, r.subject, r.subject_id, r.evidence,
    coalesce(c.instruction, 'Input: ' || i.input || char(10) || 'Output: ' || i.output, m.text) AS text,
    coalesce(c.request_id, i.request_id, m.request_id) AS request_id,
    c.step AS step, i.task AS task
    FROM rejections r
    LEFT JOIN candidates c ON r.subject = 'candidate' AND c.id = r.subject_id
    LEFT JOIN instances i ON r.subject = 'instance' AND i.id = r.subject_id
    LEFT JOIN completions m ON r.subject = 'completion' AND m.request_id = r.subject_id
"""


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the file at `path` up to the newest version; StoreError if it is newer than this package."""
    version, newest = check_version(db, path), len(MIGRATIONS)
    if version == 0:
        if db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise StoreError(f"{path} is another program's database. Choose another folder.")
        steps: tuple[Callable[[sqlite3.Connection], None], ...] = (make_newest,)
    else:
        steps = MIGRATIONS[version:]
    for number, step in enumerate(steps, newest - len(steps) + 1):
        db.execute("BEGIN IMMEDIATE")
        step(db)
        db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")


def make_newest(db: sqlite3.Connection) -> None:
    """What all migrations make of an empty file, at once: one after the other, on disk, they take 20 ms."""
    for _, _, sql in _schema(len(MIGRATIONS)):
        db.execute(sql)


def check_version(db: sqlite3.Connection, path: Path) -> int:
    """The version of the file at `path`; StoreError if it is newer than this package."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise StoreError(f"{path} was written by a newer selfinstruct (store version {version}). Upgrade selfinstruct.")
    if version:
        _refuse_other_schema(db, path, version)
    return version


def _refuse_other_schema(db: sqlite3.Connection, path: Path, version: int) -> None:
    """StoreError if the file would do other things than ours when it is read or written.

    Tables and views of others beside ours are left alone.
    """
    refuse_triggers(db, path)
    found = {name: (kind, sql) for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_master")}
    for kind, name, sql in _schema(version):
        if kind == "index":
            continue
        is_there, its = found.get(name, (kind, sql))  # what is missing is named when it is needed
        is_other = its != sql if kind == "view" else str(its).lower().startswith("create virtual")
        if is_there != kind or is_other:
            raise StoreError(f"{path}: its {kind} {name} is not the one that selfinstruct creates. Restore a copy.")


def missing_tables(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """The tables and views that a file of the newest version should have and has not, as ("table", name)."""
    found = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    return [(kind, name) for kind, name, _ in _schema(len(MIGRATIONS)) if kind != "index" and name not in found]


@cache
def _schema(version: int) -> list[tuple[str, str, str]]:
    """The kind, name and SQL of our tables, indexes and views in files of a version, in the order they are made in."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        for make in MIGRATIONS[:version]:
            make(db)
        return db.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
