"""How long does the audit page take for a large run, and how long its index?

    python benchmarks/audit.py [--candidates 200000]

The run is grown without a teacher, through the real gate: of the candidates, composed by the simulated world, 30 %
repeat an earlier one but for a word, 15 % run into another filter; every second task has an instance. Milliseconds are
those of requests to the real server on loopback, with the rendering of the page: the first one, and the median and the
highest of nine after it.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp

from selfinstruct.audit.index import Index
from selfinstruct.audit.listing import Listing, Selection
from selfinstruct.audit.server import serving
from selfinstruct.audit.what_if import Replay, Rules
from selfinstruct.config.config import Config
from selfinstruct.engine.gate import Gate
from selfinstruct.engine.progress import Progress
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.records import Candidate, Completion, Instance, Request, SeedTask
from selfinstruct.simulated.world.tasks import compose_task, make_instance, pick_family
from selfinstruct.store.database import Database
from selfinstruct.store.decisions import decide, undo
from selfinstruct.store.store import Store
from selfinstruct.strategies import GeneratedInstances, Proposal

A_STEP = 20  # candidates


def grow(folder: Path, n: int) -> None:
    """A run of n candidates, all of them judged by the gate."""
    rng = random.Random(1)
    known = ["Name a river."]
    config = Config().resolved()
    with Store.create(folder) as store:
        seed = SeedTask("seed", "seed", known[0], (Instance("", "The Nile."),), False)
        store.describe({"config": config.model_dump(mode="json", exclude_none=True)}, [seed], [])
        gate = Gate(store, config, Progress())
        for steps in range(0, n // A_STEP, 100):
            with store.transaction():
                for step in range(steps, min(steps + 100, n // A_STEP)):
                    model = f"model-{step % 3}"
                    request = Request("propose", "openai", model, "chat", "Propose tasks.", f"Twenty, {step}", {})
                    tasks = [compose_task(pick_family(rng), rng) for _ in range(A_STEP)]
                    texts = [propose(text, known, rng) for text, _ in tasks]
                    known += texts
                    store.add_completion(request, Completion(request.id, "\n".join(texts), "stop"))
                    candidates = [Candidate(request.id, i, text) for i, text in enumerate(texts)]
                    composed = dict(zip([candidate.id for candidate in candidates], tasks, strict=True))
                    for task in gate.admit(step, Proposal(candidates, []), float("inf")):
                        instance = make_instance(composed[task.id][1], rng)
                        made = [ParsedInstance(*instance, False)] if task.position % 2 else []
                        gate.keep(task, GeneratedInstances(request.id, made, extra={"is_classification": False}))


def propose(text: str, known: list[str], rng: random.Random) -> str:
    """The text itself, or something that a filter objects to."""
    chance = rng.random()
    if chance < 0.3:
        return f"{rng.choice(known)} {rng.choice(('Please', 'Briefly', 'Today', 'Again'))}"
    if chance < 0.45:
        return rng.choice((f"Draw a map. {text}", f"- {text}", "Do this.", f"Write a program. {text}"))
    return text


async def measure(store: Store, index: Index) -> None:
    """Print what each page takes."""
    some = Listing(index, Selection(reason="too_similar")).page().items[10]
    other = Listing(index, Selection(kind="instance")).page().items[10]
    third = Listing(index, Selection(reason="too_short")).page().items[10]
    middle = Listing(index, Selection(sort="last")).page().items[-1].key
    deep = index.query("SELECT length || '_' || id FROM items ORDER BY length DESC, id DESC LIMIT 1 OFFSET ?",
                       (index.query("SELECT count(*) FROM items")[0][0] // 2,))[0][0]  # fmt: skip
    pages = {
        "overview": "/",
        "list, first page": "/list",
        "list, last said": f"/list?sort=last&after={middle}",
        "list, by length, in the middle": f"/list?sort=longest&after={deep}",
        "facet kind": "/list?kind=instance",
        "facet state": "/list?state=rejected",
        "facet stage": "/list?stage=filter",
        "facet reason": "/list?reason=too_similar&sort=similar",
        "facet model": "/list?model=model-1&sort=shortest",
        "facet length": "/list?length=150+to+499",
        "search, a rare word": "/list?q=hydroponics",
        "search, a word of nearly all": "/list?q=the",
        "search, a phrase": "/list?q=%22in+the%22&sort=longest",
        "one candidate": f"/one/candidate/{some.subject_id}?list=reason%3Dtoo_similar&at={some.key}",
        "one candidate, another filter": f"/one/candidate/{third.subject_id}",
        "one instance": f"/one/instance/{other.subject_id}",
        "decisions": "/decisions",
    }
    async with serving(store, index, "benchmark") as address, aiohttp.ClientSession(
        cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as client:  # fmt: skip
        await (await client.get(address)).read()
        base = address.partition("/?")[0]
        print("milliseconds                         first  median  highest of nine")
        for name, path in pages.items():
            times = []
            for _ in range(10):
                began = time.perf_counter()
                async with client.get(base + path) as answer:
                    await answer.read()
                    assert answer.status == 200, (path, answer.status)
                times.append(1000 * (time.perf_counter() - began))
            print(f"{name:<36}{times[0]:7.0f}{statistics.median(times[1:]):8.0f}{max(times[1:]):9.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help="where the run is, or is to be kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "run"
        if not Store.exists(folder):
            grow(folder, options.candidates)
        (folder / "audit.db").unlink(missing_ok=True)
        with Store.read(folder) as store:
            began = time.perf_counter()
            index = Index(store)
            index.refresh()
            (n,) = index.query("SELECT count(*) FROM items")[0]
            size = (folder / "audit.db").stat().st_size / 2**20
            print(f"index of {n:,} items: {time.perf_counter() - began:.1f} s, {size:.0f} MB", flush=True)
            asyncio.run(measure(store, index))
            with Database.beside(folder) as run:
                subjects = Listing(index, Selection(reason="too_short")).subjects()
                began = time.perf_counter()
                batch = decide(run, "benchmark", "rescue", subjects)
                decided = time.perf_counter()
                index.refresh()
                print(f"{len(subjects):,} rescued at once: {decided - began:.1f} s, "
                      f"and {time.perf_counter() - decided:.1f} s to index them")  # fmt: skip
                undo(run, "benchmark", batch)
            for rules in (Rules(0.6), Rules(0.8), Rules(0.7, frozenset({"forbidden_word"}))):
                began = time.perf_counter()
                replay = Replay(store, rules)
                replay.run()
                found = replay.outcome
                assert found is not None
                name = f"{rules.threshold} without {', '.join(rules.off) or 'nothing'}"
                print(f"what-if {name}: {time.perf_counter() - began:.1f} s, {found.judged:,} candidates")
                print(f"    {len(found.gained):,} gained, {len(found.lost):,} lost")
            index.close()


if __name__ == "__main__":
    main()
