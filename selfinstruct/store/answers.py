"""What was answered: by whom, for how many tokens, and when; and which answers were recorded elsewhere and imported."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from selfinstruct.asking.stages import PROBE, Counted
from selfinstruct.records import IMPORTED, Completion, Request
from selfinstruct.store.declared import declared_by
from selfinstruct.store.rows import REQUEST_COLUMNS, object_from, request_from
from selfinstruct.store.store import Store


class Usage(NamedTuple):
    """Calls of one stage with one model: answered requests, failed tries, tokens, dollars (None: no price known)."""

    stage: str
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


class Unpriced(NamedTuple):
    """The tokens of answers of one stage and model that were stored without a cost: it had no price then."""

    stage: str
    model: str
    prompt_tokens: int
    completion_tokens: int


class AnswerSize(NamedTuple):
    """What one answer took."""

    model: str
    prompt_tokens: int
    completion_tokens: int
    latency_s: float


class RecordedRequest(NamedTuple):
    """The request that stands for the question of an imported answer; `user` is its prompt."""

    id: str
    stage: str
    user: str
    sampling: dict[str, Any]


def _total(column: str) -> str:
    """SQL for a sum of whole numbers, which SQLite's own sum refuses to give beyond 64 bits."""
    return f"CAST(total({column}) AS INTEGER)"


def usage(store: Store, stages: Sequence[str]) -> list[Usage]:
    """The calls by stage, in this order of stages, and model; dollars as they are stored, whatever is `unpriced`."""
    rows = store.query(
        f"SELECT r.stage, r.model, count(*), {_total('c.prompt_tokens')}, {_total('c.completion_tokens')}, "
        "CASE WHEN count(c.cost_usd) > 0 THEN sum(c.cost_usd) END "
        "FROM completions c JOIN requests r ON r.id = c.request_id GROUP BY r.stage, r.model"
    )
    place = {stage: n for n, stage in enumerate((PROBE, *stages))}
    return sorted((Usage(*row) for row in rows), key=lambda u: place.get(u.stage, len(place)))


def unpriced(store: Store) -> list[Unpriced]:
    """What was stored without a cost, by stage and model."""
    rows = store.query(
        f"SELECT r.stage, r.model, {_total('c.prompt_tokens')}, {_total('c.completion_tokens')} "
        "FROM completions c JOIN requests r ON r.id = c.request_id "
        "WHERE c.cost_usd IS NULL GROUP BY r.stage, r.model"
    )
    return [Unpriced(*row) for row in rows]


def used(store: Store) -> dict[str, tuple[int, int, int, float]]:
    """Answers, calls, tokens, dollars by stage, of all sessions; failed tries with the most they may have used."""
    rows = store.query(
        f"SELECT stage, sum(answers), count(*), {_total('tokens')}, sum(cost_usd) FROM ("
        "SELECT r.stage, 1 AS answers, prompt_tokens + completion_tokens AS tokens, coalesce(cost_usd, 0.0) AS "
        "cost_usd FROM completions c JOIN requests r ON r.id = c.request_id "
        "UNION ALL SELECT stage, 0, tokens, coalesce(cost_usd, 0.0) FROM faults) GROUP BY stage"
    )
    return {stage: tuple(amounts) for stage, *amounts in rows}


def longest_requests(store: Store) -> list[Request]:
    """The request with the longest prompt of each stage."""
    rows = store.query(
        f"SELECT {REQUEST_COLUMNS}, max(length(r.user)) FROM requests r "
        "JOIN system_prompts s ON s.id = r.system_prompt GROUP BY r.stage"
    )
    return [request_from(row[:-1]) for row in rows]


def uncounted(store: Store) -> list[tuple[Request, int, int]]:
    """The requests whose answer came without a count of prompt or answer tokens, with both counts: 0 for none."""
    rows = store.query(
        f"SELECT {REQUEST_COLUMNS}, c.prompt_tokens, c.completion_tokens FROM requests r "
        "JOIN system_prompts s ON s.id = r.system_prompt JOIN completions c ON c.request_id = r.id "
        "WHERE (c.prompt_tokens = 0 OR c.completion_tokens = 0) AND c.raw != ''"
    )
    return [(request_from(row[:-2]), *row[-2:]) for row in rows]


def answer_sizes(store: Store, stage: str) -> list[AnswerSize]:
    """What each answer of a stage took, in an order that does not depend on when it came."""
    rows = store.query(
        "SELECT r.model, c.prompt_tokens, c.completion_tokens, c.latency_s FROM completions c "
        "JOIN requests r ON r.id = c.request_id WHERE r.stage = ? ORDER BY r.id",
        (stage,),
    )
    return [AnswerSize(*row) for row in rows]


def period(store: Store) -> tuple[float | None, float | None]:
    """When the first and the last answer were stored, in seconds since 1970; None if there is none."""
    ((first, last),) = store.query("SELECT min(created_at), max(created_at) FROM completions")
    return first, last


def is_simulated(store: Store) -> bool:
    """Whether the simulated teacher answered, built in or as a server."""
    return _any(store, "teacher = 'simulated' OR model LIKE 'simulated%'")


def has_recorded_answers(store: Store) -> bool:
    """Whether there are imported answers."""
    return _any(store, "teacher = ?", IMPORTED)


def answered_stages(store: Store, stages: Iterable[str]) -> set[str]:
    """Those of `stages` in which a teacher was sent a request in this run; what was imported does not count."""
    return {stage for stage in stages if _any(store, "stage = ? AND teacher != ?", stage, IMPORTED)}


def stages_with_answers(store: Store) -> set[str]:
    """The stages in which a teacher of this run has answered a request, rather than refused it."""
    rows = store.query(
        "SELECT DISTINCT r.stage FROM requests r JOIN completions c ON c.request_id = r.id "
        "WHERE c.error IS NULL AND r.teacher != ?",
        (IMPORTED,),
    )
    return {stage for (stage,) in rows}


def counted_here(store: Store) -> list[Counted]:
    """The counted fields whose stage has an answer in this run: an Alpaca run, for example, has no class."""
    return [one for stage, one in declared_by(store).counted.items() if _any(store, "stage = ?", stage)]


def _any(store: Store, condition: str, *parameters: str) -> bool:
    return bool(store.query(f"SELECT EXISTS(SELECT 1 FROM requests WHERE {condition})", parameters)[0][0])


def recorded_requests(store: Store) -> list[RecordedRequest]:
    """The requests of the imported answers, in the order of their import."""
    rows = store.query("SELECT id, stage, user, sampling FROM requests WHERE teacher = ? ORDER BY rowid", (IMPORTED,))
    return [RecordedRequest(*row)._replace(sampling=object_from(row[-1])) for row in rows]


def recorded_answer(store: Store, stage: str, user: str) -> Completion | None:
    """The answer to a stage's question that was imported last; None if there is none."""
    rows = store.query(
        "SELECT r.id FROM requests r WHERE r.stage = ? AND r.teacher = ? AND r.user = ? ORDER BY r.rowid DESC LIMIT 1",
        (stage, IMPORTED, user),
    )
    return store.completion(rows[0][0]) if rows else None


def superseded_requests(store: Store) -> set[str]:
    """The requests whose imported answer was followed by another one for the same instruction."""
    rows = store.query("SELECT subject_id FROM rejections WHERE reason = 'answered_again'")
    return {identity for (identity,) in rows}
