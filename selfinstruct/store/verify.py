"""Whether a run's store is consistent: every id and hash recomputed, every count added up, every score computed again.

The scores are recomputed with the rouge_score package, and near-duplicates are searched with datasketch; the engine
itself uses neither.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from selfinstruct.errors import SelfInstructError
from selfinstruct.filters.instruction import contaminated, too_similar
from selfinstruct.filters.record import near_duplicate
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.pool.contamination import TestSet
from selfinstruct.pool.near_duplicates import shingles
from selfinstruct.pool.novelty import ascii_tokens, tokens
from selfinstruct.pool.pool import record_text
from selfinstruct.store.columns import changed_rows, damaged_columns
from selfinstruct.store.decisions import problems as problems_of_decisions
from selfinstruct.store.declared import rules_of
from selfinstruct.store.generations import kept_record
from selfinstruct.store.rows import (
    CANDIDATE_COLUMNS,
    REQUEST_COLUMNS,
    candidate_from,
    extra_from,
    instance_id,
    request_from,
)
from selfinstruct.store.schema import missing_tables
from selfinstruct.store.store import Store
from selfinstruct.terminal import n_of

# What reading a damaged file may raise.
DAMAGE = (SelfInstructError, sqlite3.Error, ValueError, TypeError, LookupError, AttributeError, RecursionError)
UNFINISHED = "not everything could be checked"
CERTAINLY_FOUND = 0.2  # so far above the threshold less than one copy in a million is missed (near_duplicates.py)


class Problems(NamedTuple):
    """What is wrong, one line each: of rows in themselves; of what they refer to and add up to, which may follow."""

    of_rows: list[str]
    of_others: list[str]


def verify(store: Store) -> list[str]:
    """The problems in the store, one line each; empty if there are none. What a line is about is before its colon."""
    return [line for lines in problems(store) for line in lines]


def problems(store: Store) -> Problems:
    """The same, those of rows apart."""
    with store.snapshot():
        if missing := missing_tables(store.db):  # nothing else can be checked, and each check would say so again
            return Problems([f"the {kind} {name}: is missing" for kind, name in missing], [])
        return Problems(*([line for check in some for line in _found(check, store)] for some in CHECKS))


def hashed_later(store: Store) -> int:
    """The number of answers whose hash is of an update of the file, so that changes before it are not found."""
    found = store.settings().get("hashed_later", 0)
    return found if isinstance(found, int) else 0


def _found(check: Callable[[Store], Iterator[str]], store: Store) -> Iterator[str]:
    """What a check finds; where damage ends it, that is a finding too."""
    try:
        yield from check(store)
    except DAMAGE as error:
        yield f"{UNFINISHED}: {why(error)}"


def why(error: BaseException) -> str:
    """What damage has led to, in words."""
    return str(error) if isinstance(error, SelfInstructError) else f"{type(error).__name__}: {error}"


def _file(store: Store) -> Iterator[str]:
    for (message,) in store.query("PRAGMA integrity_check(10)"):
        if message != "ok":
            yield f"the file: {message}"


def _references(store: Store) -> Iterator[str]:
    rows = Counter((table, parent) for table, _, parent, _ in store.query("PRAGMA foreign_key_check"))
    for (table, parent), n in rows.items():
        yield f"{table}: {n_of(n, 'row refers', 'rows refer')} to rows of {parent} that do not exist"


def _given(store: Store) -> Iterator[str]:
    """Seeds and test questions, of which nothing else tells how many there were; older runs do not say it."""
    given = store.settings().get("given", {})
    for table in ("seeds", "test_lines") if given else ():
        expected = given[table]
        ((found,),) = store.query(f"SELECT count(*) FROM {table}")
        if found != expected:
            yield f"{table}: {found} rows instead of {expected}"


def _requests(store: Store) -> Iterator[str]:
    rows = store.query(
        "SELECT r.id, c.request_id IS NOT NULL OR r.id IN (SELECT request_id FROM batch_requests), "
        f"{REQUEST_COLUMNS} FROM requests r JOIN system_prompts s ON s.id = r.system_prompt "
        "LEFT JOIN completions c ON c.request_id = r.id"
    )
    for identity, answered, *row in rows:
        request = request_from(row)
        if request.id != identity:
            yield f"request {identity}: its id should be {request.id}; the row was changed"
        if not answered:
            yield f"request {identity}: no completion"


def _candidates(store: Store) -> Iterator[str]:
    for identity, *row in store.query(f"SELECT c.id, {CANDIDATE_COLUMNS} FROM candidates c"):
        expected = candidate_from(row).id
        if expected != identity:
            yield f"candidate {identity}: its id should be {expected}; the row was changed"


def _verdicts(store: Store) -> Iterator[str]:
    # Every candidate is exactly one of admitted, rejected, pending; and only the last step may have pending ones.
    rows = store.query(
        "SELECT c.id, c.step, t.id IS NOT NULL, r.subject_id IS NOT NULL FROM candidates c "
        "LEFT JOIN tasks t ON t.id = c.id LEFT JOIN rejections r ON r.subject = 'candidate' AND r.subject_id = c.id"
    )
    pending = {candidate.id for candidate in store.pending()}
    for identity, step, admitted, rejected in rows:
        if admitted + rejected + (identity in pending) != 1:
            yield f"candidate {identity} of step {step}: must be exactly one of admitted, rejected, pending"


def _steps(store: Store) -> Iterator[str]:
    n_tasks = 0
    for expected, (step, n_candidates, n_after, found, admitted) in enumerate(
        store.query(
            "SELECT s.step, s.n_candidates, s.n_tasks, count(c.id), count(t.id) FROM steps s "
            "LEFT JOIN candidates c ON c.step = s.step LEFT JOIN tasks t ON t.id = c.id GROUP BY s.step ORDER BY s.step"
        )
    ):
        n_tasks += admitted
        if step != expected:
            yield f"step {expected}: missing"
            return
        if n_candidates != found:
            yield f"step {step}: has {found} candidates instead of {n_candidates}"
        if n_after != n_tasks:
            yield f"step {step}: recorded {n_after} tasks after it, but there are {n_tasks}"
            n_tasks = n_after  # not of every later step, too


def _tasks(store: Store) -> Iterator[str]:
    rows = store.query(
        "SELECT t.position, c.step, c.position FROM tasks t JOIN candidates c ON c.id = t.id ORDER BY t.position"
    )
    if [row[0] for row in rows] != list(range(len(rows))):
        yield "tasks: gaps in the positions"
    if [row[1:] for row in rows] != sorted(row[1:] for row in rows):
        yield "tasks: not admitted in the order of steps and candidates"
    for (position,) in store.query(
        "SELECT position FROM tasks WHERE generated = 0 "
        "AND (extra IS NOT NULL OR position IN (SELECT task FROM instances))"
    ):
        yield f"task {position}: has instances or a class, but is not marked as generated"


def _instances(store: Store) -> Iterator[str]:
    for identity, task_id, request_id, position, given, output, extra in store.query(
        "SELECT i.id, t.id, i.request_id, i.position, i.input, i.output, i.extra FROM instances i "
        "JOIN tasks t ON t.position = i.task"
    ):
        instance = ParsedInstance(given, output, False, extra_from(extra))
        expected = instance_id(task_id, request_id, position, instance)
        if expected != identity:
            yield f"instance {identity}: its id should be {expected}; the row was changed"


def _rejections(store: Store) -> Iterator[str]:
    tables = {
        "candidate": ("candidates", "id"),
        "instance": ("instances", "id"),
        "completion": ("completions", "request_id"),
    }
    for subject, identity, reason, evidence in store.query(
        "SELECT subject, subject_id, reason, evidence FROM rejections"
    ):
        if subject not in tables:
            yield f"rejection of {subject} {identity}: unknown subject"
            continue
        table, key = tables[subject]
        if not store.query(f"SELECT 1 FROM {table} WHERE {key} = ?", (identity,)):
            yield f"rejection of {subject} {identity}: no such {subject}"
        if not reason or not isinstance(json.loads(evidence), dict):
            yield f"rejection of {subject} {identity}: reason or evidence missing"


def _scores(store: Store) -> Iterator[str]:
    """The nearest neighbours' scores, by rouge_score; admitted tasks at or below the threshold, rejected ones above."""
    rules = rules_of(store)
    threshold = rules.rouge_threshold
    texts = {seed.id: seed.instruction for seed in store.seeds()}
    texts |= {task.id: task.instruction for task in store.tasks()}
    admitted: list[tuple[Any, ...]] = store.query(
        "SELECT t.position, c.instruction, t.nearest_id, t.nearest_score FROM tasks t JOIN candidates c ON c.id = t.id "
        "WHERE t.nearest_id IS NOT NULL"
    )
    rejected = store.query(
        "SELECT c.id, c.instruction, r.evidence FROM rejections r JOIN candidates c ON c.id = r.subject_id "
        "WHERE r.subject = 'candidate' AND r.reason = ?",
        (too_similar.name,),
    )
    if not admitted and not rejected:
        return
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=_Tokenizer(ascii_tokens if rules.ascii_tokens else tokens))
    for position, instruction, nearest_id, score in admitted:
        if nearest_id not in texts:
            continue  # see _nearest
        if (right := scorer.score(texts[nearest_id], instruction)["rougeL"].fmeasure) != score:
            yield f"task {position}: its similarity to {nearest_id} is {right}, not {score}"
        elif score > threshold and too_similar.name not in rules.without:
            yield f"task {position}: was admitted, though its similarity {score} is above {threshold}"
    for identity, instruction, text in rejected:
        evidence = json.loads(text)
        score, nearest = evidence.get("score"), evidence.get("nearest")
        if nearest is None or texts.get(evidence.get("nearest_id")) != nearest:
            yield f"rejection of candidate {identity}: its evidence names an unknown instruction"
        elif (right := scorer.score(nearest, instruction)["rougeL"].fmeasure) != score:
            yield f"rejection of candidate {identity}: its similarity is {right}, not {score}"
        elif score <= threshold:
            yield f"rejection of candidate {identity}: its similarity {score} is not above {threshold}"


def _nearest(store: Store) -> Iterator[str]:
    for position, nearest_id in store.query(
        "SELECT position, nearest_id FROM tasks WHERE nearest_id NOT IN (SELECT id FROM seeds) "
        "AND nearest_id NOT IN (SELECT id FROM tasks)"
    ):
        yield f"task {position}: its nearest instruction {nearest_id} is unknown"


class _Tokenizer:
    """What RougeScorer asks for: our tokens, which are its own wherever the text is ASCII."""

    def __init__(self, tokenize: Callable[[str], list[str]]):
        self.tokenize = tokenize


def _near_duplicates(store: Store) -> Iterator[str]:
    """Their Jaccard similarity, from the shingles themselves."""
    threshold = rules_of(store).near_duplicate
    for identity, evidence, *parts in store.query(
        "SELECT i.id, r.evidence, c.instruction, i.input, i.output FROM rejections r "
        "JOIN instances i ON i.id = r.subject_id JOIN tasks t ON t.position = i.task JOIN candidates c ON c.id = t.id "
        "WHERE r.subject = 'instance' AND r.reason = ?",
        (near_duplicate.name,),
    ):
        seen = json.loads(evidence)
        found = kept_record(store, seen["nearest_id"])
        if not found:
            yield f"instance {identity}: the record {seen['nearest_id']} that it is said to repeat does not exist"
            continue
        one, other = shingles(record_text(*parts)), shingles(record_text(*found))
        if (right := len(one & other) / len(one | other)) != seen["jaccard"]:
            yield f"instance {identity}: its similarity is {right}, not {seen['jaccard']}"
        elif right < threshold:
            yield f"instance {identity}: its similarity {right} is below {threshold}"


def _copies(store: Store) -> Iterator[str]:
    """That no records of two tasks are nearly equal: by so much that the engine's search cannot have missed it."""
    rules = rules_of(store)
    if near_duplicate.name in rules.without:
        return
    threshold = min(1.0, rules.near_duplicate + CERTAINLY_FOUND)
    kept = [
        (r.task, r.id, shingles(record_text(r.instruction, r.input, r.output))) for r in store.records(decided=False)
    ]
    if not kept:
        return
    from datasketch import MinHash, MinHashLSH

    copies, empty = MinHashLSH(threshold - CERTAINLY_FOUND / 2, num_perm=64), MinHash(64)
    for number, (task, identity, parts) in enumerate(kept):
        sketch = empty.copy()  # with its permutations, which take longer to make than a record's sketch
        sketch.update_batch([part.encode("utf-8", "surrogatepass") for part in parts])
        for other in copies.query(sketch):
            other_task, other_identity, other_parts = kept[other]
            if other_task != task and len(parts & other_parts) >= threshold * len(parts | other_parts) > 0:
                yield f"record {identity}: nearly repeats record {other_identity} of another task, but was kept"
        copies.insert(number, sketch)


def _contaminated(store: Store) -> Iterator[str]:
    """What overlaps a question of a test set, from the texts themselves."""
    sql = "SELECT subject, subject_id, evidence FROM rejections WHERE reason = ?"
    rows = store.query(sql, (contaminated.name,))
    if not rows:
        return
    tests = TestSet(store.test_lines(), rules_of(store).rouge_threshold)
    texts = {("candidate", i): (text, text) for i, text in store.query("SELECT id, instruction FROM candidates")}
    for identity, instruction, given, output in store.query(
        "SELECT i.id, c.instruction, i.input, i.output FROM instances i JOIN tasks t ON t.position = i.task "
        "JOIN candidates c ON c.id = t.id"
    ):
        question = record_text(instruction, given)
        texts["instance", identity] = (record_text(question, output), question)
    for subject, identity, evidence in rows:
        found = tests.overlap(*texts.get((subject, identity), ("", "")))
        if found is None or found.as_dict() != json.loads(evidence):
            yield f"{subject} {identity}: does not overlap a test question as its evidence says"


# Of rows in themselves, and of what they refer to and add up to.
CHECKS: tuple[tuple[Callable[[Store], Iterator[str]], ...], ...] = (
    (_file, damaged_columns, changed_rows, _given, _requests, _candidates, _instances, _scores, _near_duplicates,
     _copies, _contaminated),
    (_steps, _tasks, _verdicts, _rejections, _nearest, problems_of_decisions, _references),
)  # fmt: skip
