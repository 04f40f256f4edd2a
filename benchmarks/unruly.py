"""A run against a server that answers like all others at once, and like an attacker: same records, no budget exceeded.

    python benchmarks/unruly.py [--calls 5000] [--in-flight 128]

The server is the simulated one. Each answer is sent in one of 18 ways, drawn from the request and from how often it was
seen. Half of them hold the answer in another form (parts, a stream, a call, other finish reasons, counts of tokens that
are none, absurd headers); half are no answer (an error with status 200, a stream that breaks off, a gzip bomb, lists in
lists, numbers of thousands of digits ...). Compared are the bytes of records.jsonl with those of a run without any of
this; the calls that were received are held against the answers and failed tries in the store. With a budget, what the
server has really used is held against the limit. At last a server that ignores max_tokens shows by how much that may
exceed a budget.
"""

import argparse
import asyncio
import gzip
import hashlib
import json
import math
import random
import resource
import sqlite3
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web

from selfinstruct.simulated.server.app import make_app
from selfinstruct.simulated.settings import SimulatedSettings

PRICE = {"input": 1.0, "output": 4.0}  # dollars for a million tokens
UNBILLED = ("busy", "overloaded")  # refused before anything is generated
Answer = dict[str, Any]
Send = Callable[[Answer, random.Random], web.Response]

NO_COUNTS = [
    None, "many", -5, 12.5, "34", True, [7], {"n": 7}, 10**15, 10**400, float("nan"), float("inf"),
]  # fmt: skip
OTHER_WORDS = {"stop": ["STOP", "end_turn", "eos_token", "COMPLETE"], "length": ["MAX_TOKENS", "model_length", "limit"]}
ABSURD_HEADERS = [
    {"x-ratelimit-limit-requests": "9" * 400, "x-ratelimit-remaining-requests": "-1"},
    {"x-ratelimit-limit-tokens": "nan", "x-ratelimit-remaining-tokens": "inf", "x-ratelimit-reset-tokens": "1h" * 2000},
    {"Retry-After": "Mon, 99 Foo 99999 99:99:99 +9999999999", "retry-after-ms": "-1e999"},
    {"x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "many", "X-Long": "x" * 6000},
]


def in_json(body: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(text=json.dumps(body), content_type="application/json", headers=headers)


def message(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = answer["choices"][0].get("message") or {}
    return found


def plain(answer: Answer, rng: random.Random) -> web.Response:
    return in_json(answer)


def parts(answer: Answer, rng: random.Random) -> web.Response:
    text = message(answer)["content"]
    at = rng.randint(0, len(text))
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "1. They want tasks."}], "closed": True}
    message(answer)["content"] = [thought, {"type": "text", "text": text[:at]}, {"type": "text", "text": text[at:]}]
    return in_json(answer)


def call(answer: Answer, rng: random.Random) -> web.Response:
    said = message(answer)
    if said["content"].startswith("{"):  # a server that holds to a schema by a function
        function = {"name": "json", "arguments": said["content"]}
        said |= {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": function}]}
        if answer["choices"][0]["finish_reason"] == "stop":
            answer["choices"][0]["finish_reason"] = "tool_calls"
    return in_json(answer)


def reasoning(answer: Answer, rng: random.Random) -> web.Response:
    said = message(answer)
    if said["content"].startswith("{") and rng.random() < 0.5:
        said |= {"content": None, "reasoning_content": said["content"]}
    else:
        said |= {"reasoning_content": "1. Maybe a river. 2. Maybe a lake.", "reasoning": "1. Hm."}
    return in_json(answer)


def other_words(answer: Answer, rng: random.Random) -> web.Response:
    choice = answer["choices"][0]
    choice["finish_reason"] = rng.choice(OTHER_WORDS[choice["finish_reason"]])
    return in_json(answer)


def no_counts(answer: Answer, rng: random.Random) -> web.Response:
    usage = answer["usage"]
    for name in rng.choice([("prompt_tokens",), ("completion_tokens",), tuple(usage)]):
        usage[name] = rng.choice(NO_COUNTS)
        if usage[name] is None and rng.random() < 0.5:
            del usage[name]
    if rng.random() < 0.2:
        answer["usage"] = rng.choice(NO_COUNTS)
    return in_json(answer)


def absurd(answer: Answer, rng: random.Random) -> web.Response:
    answer |= {"id": 10**400, "created": "yesterday", "model": None, "system_fingerprint": [[[]]] * 9, "error": None}
    answer["choices"] += [None, "x", {"message": 3}]
    answer["choices"][0] |= {"index": -1, "logprobs": {"content": [{"token": 1, "logprob": 10**400}]}}
    return in_json(answer, rng.choice(ABSURD_HEADERS))


def zipped(answer: Answer, rng: random.Random) -> web.Response:
    body = gzip.compress(json.dumps(answer).encode())
    return web.Response(body=body, content_type="application/json", headers={"Content-Encoding": "gzip"})


def chunks(answer: Answer, rng: random.Random) -> list[Any]:
    """The answer as the objects of a stream."""
    text, choice = message(answer)["content"], answer["choices"][0]
    cuts = sorted(rng.randint(0, len(text)) for _ in range(6))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces)]
    found: list[Any] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    found.append({"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    return [*found, {"choices": [], "usage": answer["usage"]}]


def events(objects: list[Any], rng: random.Random, is_done: bool = True) -> web.Response:
    end = rng.choice(["\n\n", "\r\n\r\n", "\n", "\n\n: PROCESSING\n\n"])
    begin = rng.choice(["data: ", "data:", "event: message\ndata: ", "id: 1\ndata: "])
    lines = [begin + json.dumps(one) for one in objects] + ["data: [DONE]"] * is_done
    content_type = rng.choice(["text/event-stream", "text/event-stream; charset=utf-8", "application/json"])
    return web.Response(body=(end.join(lines) + end).encode(), headers={"Content-Type": content_type})


def stream(answer: Answer, rng: random.Random) -> web.Response:
    return events(chunks(answer, rng), rng, is_done=rng.random() < 0.5)


# What is no answer.


def busy(answer: Answer, rng: random.Random) -> web.Response:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1743292800000"}  # past: no pause
    error = {"message": "Rate limit exceeded", "code": 429, "metadata": {"headers": rng.choice([headers, [], None])}}
    return in_json({"error": error})


def overloaded(answer: Answer, rng: random.Random) -> web.Response:
    error = {"message": "Provider returned error", "code": rng.choice([502, 503, 529])}
    return in_json({"id": "gen-1", "error": error, **rng.choice([{}, {"choices": []}, {"choices": None}])})


def error_beside(answer: Answer, rng: random.Random) -> web.Response:
    answer["choices"][0] |= {"finish_reason": "error", "error": {"code": 502, "message": "Upstream failed"}}
    message(answer)["content"] = message(answer)["content"][:20]
    return in_json(answer)


def failed_halfway(answer: Answer, rng: random.Random) -> web.Response:
    answer["choices"][0]["finish_reason"] = rng.choice(["error", "insufficient_system_resource", "abort"])
    message(answer)["content"] = message(answer)["content"][:20]
    return in_json(answer)


def broken_stream(answer: Answer, rng: random.Random) -> web.Response:
    objects = chunks(answer, rng)
    error = rng.choice([{"error": {"code": 502, "message": "lost"}}, {"error": "overloaded"}, "error: lost", [1]])
    return events(objects[: rng.randint(1, 6)] + rng.choice([[], [error]]), rng, is_done=False)


def in_blanks(text: bytes) -> bytes:
    """The text and 256 MB of blanks, by gzip: a quarter of a megabyte. It breaks off there, where nobody should get."""
    zipping = zlib.compressobj(wbits=31)
    begin = zipping.compress(text) + zipping.flush(zlib.Z_FULL_FLUSH)  # what follows refers to nothing before it
    return begin + 256 * (zipping.compress(b" " * 2**20) + zipping.flush(zlib.Z_FULL_FLUSH))


@cache
def bombs() -> tuple[bytes, bytes]:
    """Blanks, and a JSON text."""
    return in_blanks(b""), in_blanks(b'{"choices": [{"message": {"content": "')


def bomb(answer: Answer, rng: random.Random) -> web.Response:
    return web.Response(body=rng.choice(bombs()), headers={"Content-Encoding": "gzip"}, content_type="application/json")


def garbage(answer: Answer, rng: random.Random) -> web.Response:
    whole = json.dumps(answer)
    text = rng.choice(
        ["<html>502</html>", "", "null", whole[: len(whole) // 2], "[" * 100_000, '{"a":' * 100_000, "9" * 100_000,
         '{"choices": [{"message": {"content": ' + "[" * 900 + "]" * 900 + "}}]}", '{"choices": {"0": {}}}']
    )  # fmt: skip
    return web.Response(body=text.encode(), content_type="application/json")


def wrong_types(answer: Answer, rng: random.Random) -> web.Response:
    answer["choices"][0][rng.choice(["message", "finish_reason"])] = None
    message(answer)["content"] = rng.choice([None, 7, {}, [], [{"type": "image_url"}], [[["text"]]], True])
    return in_json(answer)


def no_gzip(answer: Answer, rng: random.Random) -> web.Response:
    whole = gzip.compress(json.dumps(answer).encode())
    body = rng.choice([whole[: len(whole) // 2], whole[:3], b"not zipped", whole[:-4] + b"abcd", whole + whole[:20]])
    headers = {"Content-Encoding": rng.choice(["gzip", "deflate", "br", "zstd"])}
    return web.Response(body=body, content_type="application/json", headers=headers)


ANSWERS: list[Send] = [plain, parts, call, reasoning, other_words, no_counts, absurd, zipped, stream]
FAULTS: list[Send] = [
    busy, overloaded, error_beside, failed_halfway, broken_stream, bomb, garbage, wrong_types, no_gzip,
]  # fmt: skip


class Unruly:
    """The server, and what it has really used.

    - `answers`: the ways in which it sends answers; `fault_share`: how much is no answer.
    - `overrun`: times max_tokens that each answer takes instead.
    - `let_through`: of the calls received, so many are answered, and no others.
    - `latency_s`: how long each answer takes.
    """

    def __init__(
        self,
        answers: Sequence[Send] = ANSWERS,
        fault_share: float = 0.25,
        overrun: float = 0.0,
        latency_s: float = 0.01,
    ):
        self.url = ""
        self.let_through = math.inf
        self.received = self.prompt_tokens = self.completion_tokens = 0
        self.kinds: Counter[str] = Counter()
        self._answers = answers
        self._fault_share = fault_share
        self._overrun = overrun
        self._latency_s = latency_s
        self._seen: Counter[bytes] = Counter()

    @property
    def bill_usd(self) -> float:
        """What it charges for."""
        return (self.prompt_tokens * PRICE["input"] + self.completion_tokens * PRICE["output"]) / 1e6

    def _drawn(self, body: bytes) -> tuple[Send, random.Random]:
        digest = hashlib.sha256(body).digest()
        rng = random.Random(digest + bytes([self._seen[digest] % 256]))
        self._seen[digest] += 1
        return rng.choice(FAULTS if rng.random() < self._fault_share else self._answers), rng

    def middleware(self) -> Any:
        """What stands between the simulated server and its caller."""

        @web.middleware
        async def answering(request: web.Request, handler: Any) -> web.StreamResponse:
            body = await request.read()
            self.received += 1
            if self.received > self.let_through:
                await asyncio.Event().wait()  # until whoever called is gone
            send, rng = self._drawn(body)
            self.kinds[send.__name__] += 1
            if send.__name__ in UNBILLED:
                return send({}, rng)
            response = await handler(request)
            if response.status != 200:
                return web.Response(body=response.body, status=response.status, content_type="application/json")
            answer = json.loads(response.body)
            if self._overrun:
                answer["usage"]["completion_tokens"] = int(self._overrun * json.loads(body)["max_tokens"])
            self.prompt_tokens += answer["usage"]["prompt_tokens"]
            self.completion_tokens += answer["usage"]["completion_tokens"]
            return send(answer, rng)

        return answering

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Unruly"]:
        """Run it in this event loop."""
        # With limits, however high, answers are ordinary responses, which can be taken apart.
        app = make_app(SimulatedSettings(rate_limit_per_minute=1e9, latency_s=self._latency_s))
        app.middlewares.append(self.middleware())
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        try:
            yield self
        finally:
            await runner.cleanup()


def written(folder: Path) -> Path:
    """The settings of a run in `folder`."""
    folder.mkdir()
    config = folder / "run.toml"
    config.write_text(f"[prices.simulated]\ninput = {PRICE['input']}\noutput = {PRICE['output']}\n")
    return config


async def grow(folder: Path, server: Unruly, target: int, in_flight: int, *flags: str) -> tuple[int, str]:
    """`generate` in a process of its own: its exit code, and what it said."""
    async with server.serving():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "selfinstruct", "generate", str(folder / "run"), "--target", str(target),
            "--base-url", server.url, "--model", "simulated", "--config", str(written(folder)),
            "--concurrency", str(in_flight), *flags, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, errors = await process.communicate()
    said = errors.decode()
    if "Traceback" in said:
        sys.exit(f"A traceback:\n{said}")
    return process.returncode or 0, said


def stored(folder: Path) -> tuple[int, dict[str, int]]:
    """Answers in the store, and failed attempts by reason."""
    db = sqlite3.connect(folder / "run/run.db")
    ((answers,),) = db.execute("SELECT count(*) FROM completions").fetchall()
    failed = dict(db.execute("SELECT reason, count(*) FROM faults GROUP BY 1 ORDER BY 2 DESC").fetchall())
    db.close()
    return answers, failed


async def measure(folder: Path, calls: int, in_flight: int) -> None:
    target = int(calls / 2.14 * 0.75)
    calm, unruly = Unruly([plain], fault_share=0), Unruly()
    digests = []
    for title, server in (("calm", calm), ("unruly", unruly)):
        began = time.perf_counter()
        code, said = await grow(folder / title, server, target, in_flight)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        answers, failed = stored(folder / title)
        records = (folder / title / "run/records.jsonl").read_bytes()
        digests.append(hashlib.sha256(records).hexdigest()[:16])
        print(
            f"{title}: {server.received:,} calls received, {answers:,} answers and {sum(failed.values()):,} failed "
            f"attempts stored, exit {code}, {time.perf_counter() - began:.0f} s, "
            f"peak {peak:.0f} MB, records {digests[-1]}"
        )
        if code or server.received != answers + sum(failed.values()):
            sys.exit(f"Calls are missing, or the run did not end well: {said}")
    print("failed attempts:", ", ".join(f"{n:,} {reason}" for reason, n in failed.items()))
    if len(set(digests)) > 1:
        sys.exit("The records differ.")
    for wide in (16, 256):
        for share in (0.1, 0.4):
            cap = round(share * calm.bill_usd, 4)
            server = Unruly()
            await grow(folder / f"cap-{share}-{wide}", server, target, wide, "--max-cost", str(cap))
            print(f"{wide} in flight: used ${server.bill_usd:.4f} of max_cost ${cap} ({server.bill_usd / cap:.1%})")
            if server.bill_usd > cap:
                sys.exit("The cap was exceeded.")
        for overrun in (2.0, 8.0):
            cap = round(0.4 * calm.bill_usd, 4)
            server = Unruly([plain], fault_share=0, overrun=overrun)
            await grow(folder / f"overrun-{overrun}-{wide}", server, target, wide, "--max-cost", str(cap))
            print(f"{wide} in flight, answers of {overrun:g} times max_tokens: {server.bill_usd / cap:.1%} of the cap")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--in-flight", type=int, default=128)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure(Path(name), arguments.calls, arguments.in_flight))


if __name__ == "__main__":
    main()
