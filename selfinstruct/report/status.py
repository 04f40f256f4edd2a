"""A run in figures and words: what `status` prints, and what stands at the end of `generate`."""

from collections import Counter
from typing import Any, NamedTuple

from selfinstruct.engine.progress import Progress
from selfinstruct.store.reasons import words_of
from selfinstruct.store.store import Store
from selfinstruct.strategies import stage_names


# Reasons of rejection in a person's words.
class Usage(NamedTuple):
    """Calls of one stage with one model: answered requests, failed tries, tokens, dollars (None: no price known)."""

    stage: str
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


class Status(NamedTuple):
    """A run in figures. `batches` are those under way, with `in_batches` requests that are not answered yet.

    `grades` counts right, wrong and unknown outputs of a simulated run, else it is empty.
    """

    target: int
    candidates: int
    tasks: int
    classification: int
    made: int
    pending: int
    instances: int
    records: int
    without_records: int
    rejected: list[tuple[str, str, int]]
    unused_proposals: int
    faults: int
    batches: int
    in_batches: int
    usage: list[Usage]
    grades: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        values = self._asdict()
        values["rejected"] = [{"stage": stage, "reason": reason, "count": n} for stage, reason, n in self.rejected]
        values["usage"] = [usage._asdict() for usage in self.usage]
        return values


def status(store: Store, graded: bool = True) -> Status:
    """Count what the store holds, in one consistent view of it; grade a simulated run's outputs unless told not to."""
    with store.snapshot():

        def one(sql: str) -> int:
            return int(store.query(sql)[0][0])

        usage = [
            Usage(*row)
            for row in store.query(
                "SELECT r.stage, r.model, count(*), sum(c.prompt_tokens), sum(c.completion_tokens), "
                "CASE WHEN count(c.cost_usd) > 0 THEN sum(c.cost_usd) END "
                "FROM completions c JOIN requests r ON r.id = c.request_id GROUP BY r.stage, r.model"
            )
        ]
        rejected = store.query(
            "SELECT stage, reason, count(*) FROM rejections GROUP BY stage, reason ORDER BY 3 DESC, 1, 2"
        )
        settings = store.settings()
        return Status(
            target=settings.get("target", 0),
            candidates=one("SELECT count(*) FROM candidates"),
            tasks=one("SELECT count(*) FROM tasks"),
            classification=one("SELECT count(*) FROM tasks WHERE json_extract(extra, '$.is_classification')"),
            made=one("SELECT count(*) FROM tasks WHERE generated = 1"),
            pending=len(store.pending()),
            instances=one("SELECT count(*) FROM instances"),
            records=one("SELECT count(*) FROM records"),
            without_records=one(
                "SELECT count(*) FROM tasks WHERE generated = 1 AND position NOT IN (SELECT task FROM records)"
            ),
            rejected=[(str(stage), str(reason), int(n)) for stage, reason, n in rejected],
            unused_proposals=one(
                "SELECT count(*) FROM requests WHERE stage = 'propose' "
                "AND id NOT IN (SELECT request_id FROM batch_requests) "
                "AND id NOT IN (SELECT request_id FROM candidates) "
                "AND id NOT IN (SELECT subject_id FROM rejections WHERE subject = 'completion')"
            ),
            faults=one("SELECT count(*) FROM faults"),
            batches=one("SELECT count(DISTINCT batch) FROM batch_requests"),
            in_batches=one("SELECT count(*) FROM batch_requests"),
            usage=sorted(usage, key=lambda u: ("probe", *stage_names()).index(u.stage)),
            grades=_grades(store) if graded and is_simulated(store) else {},
        )


def is_simulated(store: Store) -> bool:
    """Whether the simulated teacher answered, built in or as a server."""
    asked = "SELECT EXISTS(SELECT 1 FROM requests WHERE teacher = 'simulated' OR model LIKE 'simulated%')"
    return bool(store.query(asked)[0][0])


def progress_of(store: Store) -> Progress:
    """Where a run stands before it goes on."""
    found = status(store, graded=False)
    return Progress(
        admitted=found.tasks,
        generated=found.made,
        calls=sum(u.requests for u in found.usage),
        tokens=sum(u.prompt_tokens + u.completion_tokens for u in found.usage),
        cost_usd=sum(u.cost_usd or 0.0 for u in found.usage),
        faults=found.faults,
        rejected=Counter(
            {reason: n for stage, reason, n in found.rejected if stage in ("propose", "filter", "novelty")}
        ),
    )


def render(found: Status, folder: str) -> str:
    """The figures as text, about 72 characters wide."""
    judged = found.candidates - found.pending
    lines = [
        f"{folder}",
        f"  tasks      {found.tasks:,} admitted" + (f" of {found.target:,} asked for" if found.target else "")
        + (f", {found.made:,} of them with instances" if found.made < found.tasks else ""),
        f"  candidates {found.candidates:,}: {_share(found.tasks, judged)} of those judged were admitted"
        + (f", {found.pending} are waiting" if found.pending else ""),
        f"  class      {found.classification:,} classification tasks ({_share(found.classification, found.made)})"
        if any(u.stage == "classify" for u in found.usage) else "  class      not asked for",
        f"  records    {found.records:,} from {found.instances:,} instances"
        + (f"; {found.without_records:,} tasks have none" if found.without_records else ""),
    ]  # fmt: skip
    if found.rejected:
        lines.append("  rejected")
        lines += [f"    {n:>7,}  {stage:<9} {reason:<24} {words_of(reason)}" for stage, reason, n in found.rejected]
    lines.append("  calls")
    for u in found.usage:
        tokens = f"{u.prompt_tokens:,} + {u.completion_tokens:,} tokens"
        lines.append(f"    {u.requests:>7,}  {u.stage:<9} {u.model:<24} {tokens}, {cost(u)}")
    if found.faults:
        lines.append(f"    {found.faults:>7,}  tries failed")
    if found.unused_proposals:
        lines.append(f"    {found.unused_proposals:>7,}  proposals sent ahead, not needed yet")
    if found.in_batches:
        batches = "1 batch" if found.batches == 1 else f"{found.batches:,} batches"
        lines.append(
            f"    {found.in_batches:>7,}  under way in {batches}: selfinstruct generate with --batch picks them up"
        )
    if found.grades:
        graded = found.grades["right"] + found.grades["wrong"]
        lines.append(
            f"  quality    {_share(found.grades['right'], graded)} of {graded:,} graded outputs are right "
            f"(simulated teacher; {found.grades['unknown']:,} cannot be graded)"
        )
    return "\n".join(lines)


def cost(usage: Usage) -> str:
    """What the calls cost, in words."""
    if usage.cost_usd is None:
        return "free" if usage.model.startswith("simulated") else "price unknown"
    return f"${usage.cost_usd:,.4f}"


def _grades(store: Store) -> dict[str, int]:
    from selfinstruct.simulated.world.tasks import grade

    grades = Counter(grade(record.instruction, record.input, record.output) for record in store.records())
    return {"right": grades["right"], "wrong": grades["wrong"], "unknown": grades["unknown"]}


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"
