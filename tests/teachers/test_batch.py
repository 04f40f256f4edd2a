"""Runs by the Batch API, against a simulated server in a process of its own, and through a proxy that breaks things."""

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from urllib.request import Request, urlopen

import aiohttp
import pytest
from aiohttp import web

from selfinstruct.errors import TryAgain
from selfinstruct.teachers import batch, batch_server, scheduler
from selfinstruct.teachers.openai_compatible import OpenAICompatible
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.settings import TeacherSettings
from tests.conftest import FEW_SEEDS, run_cli, server_calls, simulated_server
from tests.forks import Forked
from tests.loopback import HANG_S, command_after, kill, loopback, wait_until

TARGET = 12
KEY = "sk-test-nobody-may-see-this"
SETTLE_S = batch.SETTLE_S  # as it is: where a test needs a batch of several requests
Forward = Callable[[], Awaitable[web.Response]]


class Proxy:
    """A server before the simulated one. `answer(call, forward)` answers each call; it may be replaced at any time."""

    def __init__(self, target: str):
        self.target = target.removesuffix("/v1")
        self.answer: Callable[[str, Forward], Awaitable[web.StreamResponse]] = self.through
        self.url = ""

    async def through(self, _call: str, forward: Forward) -> web.Response:
        return await forward()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {k: v for k, v in request.headers.items() if k in {"Authorization", "Content-Type"}}

        async def forward() -> web.Response:
            url = self.target + request.path_qs
            async with (
                aiohttp.ClientSession() as session,
                session.request(request.method, url, data=body, headers=headers) as response,
            ):
                content = await response.read()
                return web.Response(status=response.status, body=content, content_type=response.content_type)

        return await self.answer(f"{request.method} {request.path}", forward)


@contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    """A proxy to the server at `target`, in a thread."""
    made = Proxy(target)
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def serve() -> web.AppRunner:
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", made.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        started.set()
        return runner

    def work() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    started.wait(HANG_S)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(HANG_S)


def command(run, server, target=TARGET, *more):
    """`generate` by batches."""
    return ["generate", run, "--target", target, "--seed", 7, "--base-url", server, "--model", "simulated",
            "--seeds", FEW_SEEDS, "--batch", *more]  # fmt: skip


def online(run, server, target=TARGET, *more):
    """The same without batches."""
    return [part for part in command(run, server, target, *more) if part != "--batch"]


@pytest.fixture(autouse=True)
def asked_after_soon(monkeypatch):
    """A server that answers at once need not be waited for, nor tried again after a pause."""
    monkeypatch.setattr(batch, "POLL_FIRST_S", 0.02)
    monkeypatch.setattr(batch, "LISTED_S", 0.02)
    monkeypatch.setattr(batch, "SETTLE_S", 0.05)
    monkeypatch.setattr(batch_server, "PAUSE_FIRST_S", 0.001)
    monkeypatch.setattr(scheduler, "BACKOFF_FIRST_S", 0.001)


def started(arguments, listed_s=0.02, settle_s=0.05):
    """The command line in a process of its own, that may be killed.

    What the server does not list `listed_s` seconds after it was submitted was never submitted. What is asked for less
    than `settle_s` seconds later goes into the same batch.
    """
    soon = (
        "from selfinstruct.teachers import batch; "
        f"batch.POLL_FIRST_S, batch.LISTED_S, batch.SETTLE_S = 0.02, {listed_s}, {settle_s}"
    )
    return Forked(command_after(soon, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def rows(run, sql):
    """What a query finds in a run's store; nothing where there is no store yet."""
    if not (run / "run.db").exists():
        return []
    with closing(sqlite3.connect(run / "run.db")) as db:
        try:
            return db.execute(sql).fetchall()
        except sqlite3.OperationalError:  # its tables are being made
            return []


DAY_S = 86_400  # a batch is done when a test says that so much time has passed


def at_once(teacher):
    """From now on all batches are done when they are asked after, those that are under way too."""
    teacher.change(batch_s=0)
    teacher.pass_time(DAY_S)


def batches_until(condition, run, teacher, process):
    """Let one batch after the other be done until the condition holds, with a batch under way."""
    while True:
        under_way = set(wait_until(lambda: rows(run, OPEN), process))
        if found := condition():
            return found
        teacher.pass_time(DAY_S)
        wait_until(lambda: not under_way & set(rows(run, OPEN)), process)  # noqa: B023


OPEN = "SELECT id FROM batches WHERE read_at IS NULL AND id IS NOT NULL"
NAMELESS = "SELECT 1 FROM batches WHERE read_at IS NULL AND id IS NULL"


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The records of TARGET tasks, asked for without batches."""
    folder = tmp_path_factory.mktemp("online")
    with simulated_server() as server:
        assert run_cli(*online(folder / "run", server)).returncode == 0
    return (folder / "run/records.jsonl").read_bytes()


# The same data.


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ("", []),
        ("", ["--strategy", "alpaca", "--target", 40]),
        ("[teacher]\nendpoint = 'completion'", []),
        ("[[propose.mix]]\nmodel = 'simulated-a'\nweight = 2\n[[propose.mix]]\nmodel = 'simulated-b'", []),
    ],
    ids=["self-instruct", "alpaca", "completion", "mix"],
)
def test_a_run_by_batches_has_the_records_of_one_without(cli, tmp_path, settings, more):
    (tmp_path / "config.toml").write_text(settings)
    more = [*more, "--config", tmp_path / "config.toml"]
    with simulated_server() as server:
        cli(*online(tmp_path / "online", server, TARGET, *more))
        before = server_calls(server)
        cli(*command(tmp_path / "batch", server, TARGET, *more))
        after = server_calls(server)
    assert (tmp_path / "batch/records.jsonl").read_bytes() == (tmp_path / "online/records.jsonl").read_bytes()
    cli("verify", tmp_path / "batch")
    ((n_batches, n_read),) = rows(tmp_path / "batch", "SELECT count(*), count(read_at) FROM batches")
    assert after["batches"] == n_batches == n_read > 1
    # Only the probes for the answer's format do not go by batches.
    probes = rows(tmp_path / "batch", "SELECT count(*) FROM requests WHERE stage = 'probe'")
    assert after["received"] - before["received"] == probes[0][0]
    assert after["answered"] - before["answered"] == rows(tmp_path / "batch", "SELECT count(*) FROM completions")[0][0]
    if "mix" in settings:
        models = "SELECT b.model, r.model FROM batches b JOIN requests r ON r.model = b.model GROUP BY 1, 2"
        assert len(rows(tmp_path / "batch", models)) == 3


# Killed.

ROUNDS = int(os.environ.get("KILLS", "10")) // 10  # KILLS=30 for the long way
MOMENTS = ("before the upload", "uploaded", "before it is made", "made", "under way", "while answers are stored")


def holding(moment: str, reached: threading.Event):
    """A proxy's way of answering that never comes back from this moment on."""
    if moment in {"before the upload", "uploaded"}:
        held = re.compile("POST /v1/files")
    elif moment in {"before it is made", "made"}:
        held = re.compile("POST /v1/batches")
    else:
        held = re.compile("GET /v1/batches/.*" if moment == "under way" else "GET /v1/files/.*/content")

    async def answer(call: str, forward: Forward) -> web.StreamResponse:
        if not held.fullmatch(call):
            return await forward()
        if moment in {"uploaded", "made"}:
            await forward()
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    return answer


def test_killed_at_every_moment_nothing_is_submitted_or_answered_twice(cli, tmp_path):
    run, target = tmp_path / "run", TARGET * ROUNDS
    with loopback(f"batch_s = {DAY_S}") as teacher, proxy(teacher.url) as between:
        server = teacher.url
        n_lost = 0
        for moment in MOMENTS * ROUNDS:
            teacher.pass_time(DAY_S)  # what is under way is done, and what is submitted now is not
            reached = threading.Event()
            between.answer = holding(moment, reached)
            process = started(command(run, between.url, target))
            wait_until(reached.is_set, process)
            kill(process)
            n_lost += moment == "before it is made"
            if moment == "made":  # the server's list may be behind
                asked = []

                async def late(call, forward, asked=asked):
                    if call == "GET /v1/batches":
                        asked.append(call)
                        if len(asked) == 1:
                            return web.json_response({"object": "list", "data": [], "has_more": False})
                    return await forward()

                between.answer = late
                process = started(command(run, between.url, target), listed_s=HANG_S)
                wait_until(lambda: len(asked) > 1 and not rows(run, NAMELESS), process)  # noqa: B023
                kill(process)
            assert run_cli("verify", run).returncode == 0
        between.answer = between.through
        at_once(teacher)
        cli(*command(run, between.url, target))
        calls = server_calls(server)
        cli(*online(tmp_path / "online", server, target))
    assert (run / "records.jsonl").read_bytes() == (tmp_path / "online/records.jsonl").read_bytes()
    cli("verify", run)
    assert calls["repeated"] == {}
    ((n_batches, n_made, n_open),) = rows(run, "SELECT count(*), count(id), sum(read_at IS NULL) FROM batches")
    assert (n_batches - n_made, n_open) == (n_lost, 0)
    assert calls["batches"] == n_made


def test_killed_while_answers_come_what_has_come_is_stored(cli, tmp_path, expected):
    run = tmp_path / "run"
    counted = "SELECT count(*) FROM completions"

    with simulated_server() as server, proxy(server) as between:

        async def in_pieces(call, forward):
            """Of a file with several lines only the first half, and then nothing."""
            response = await forward()
            lines = (response.body or b"").splitlines(keepends=True)
            if not call.endswith("/content") or len(lines) < 6:
                return response
            return Half(b"".join(lines[: len(lines) // 2]), len(response.body))

        between.answer = in_pieces
        process = started(command(run, between.url), settle_s=SETTLE_S)
        wait_until(
            lambda: rows(run, "SELECT 1 FROM batch_requests GROUP BY batch HAVING count(*) BETWEEN 3 AND 5"), process
        )
        before = rows(run, counted)
        kill(process)
        assert rows(run, counted) == before
        between.answer = between.through
        cli(*command(run, between.url))
        assert server_calls(server)["repeated"] == {}
    assert (run / "records.jsonl").read_bytes() == expected


class Half(web.StreamResponse):
    """A response of which only the beginning comes."""

    def __init__(self, begin: bytes, length: int):
        super().__init__()
        self.content_length = length
        self.begin = begin

    async def write_eof(self, data: bytes = b"") -> None:
        await self.write(self.begin)
        await asyncio.Event().wait()


# Faults.


def test_failed_requests_expired_and_refused_batches_are_asked_for_again(cli, tmp_path, expected):
    settings = "batch_failed_share = 0.3\nbatch_refused = 1\nbatch_expired = 3"
    with simulated_server(settings, tmp_path) as server:
        cli(*command(tmp_path / "run", server))
        calls = server_calls(server)
    assert (tmp_path / "run/records.jsonl").read_bytes() == expected
    cli("verify", tmp_path / "run")
    assert calls["repeated"] == {}
    assert calls["batches"] == rows(tmp_path / "run", "SELECT count(id) FROM batches")[0][0]
    assert calls["faults"]["batch_failed"] > 0
    assert (calls["faults"]["batch_refused"], calls["faults"]["batch_expired"]) == (1, 3)
    noted = dict(rows(tmp_path / "run", "SELECT reason, count(*) FROM faults GROUP BY reason"))
    assert noted["batch_http_500"] + noted["batch_http_429"] == calls["faults"]["batch_failed"]
    assert noted["batch_expired"] > 0


def test_requests_that_are_refused_for_good_are_stored_as_such(cli, tmp_path):
    with simulated_server("poison_share = 0.1", tmp_path) as server:
        cli(*online(tmp_path / "online", server, TARGET, "--seed", 8))
        cli(*command(tmp_path / "run", server, TARGET, "--seed", 8))
    assert (tmp_path / "run/records.jsonl").read_bytes() == (tmp_path / "online/records.jsonl").read_bytes()
    assert rows(tmp_path / "run", "SELECT count(*) FROM completions WHERE error LIKE 'http_400%'")[0][0] > 0
    cli("verify", tmp_path / "run")


def test_where_the_accounts_limit_is_reached_batches_get_smaller_and_wait(cli, tmp_path, expected):
    with simulated_server("batch_enqueued_tokens = 4000\nbatch_s = 0.05", tmp_path) as server:
        cli(*command(tmp_path / "run", server))
        calls = server_calls(server)
    assert (tmp_path / "run/records.jsonl").read_bytes() == expected
    assert calls["repeated"] == {}
    cli("verify", tmp_path / "run")
    # It uses up no try of any request.
    assert rows(tmp_path / "run", "SELECT count(*) FROM faults") == [(0,)]


def test_where_one_request_alone_is_too_many_the_run_says_so(cli, tmp_path):
    with simulated_server("batch_enqueued_tokens = 10", tmp_path) as server:
        said = cli(*command(tmp_path / "run", server), code=2).stderr
        assert "rejects even a batch of one request (Enqueued token limit reached" in said
        assert rows(tmp_path / "run", "SELECT count(*) FROM batch_requests") == [(0,)]
        cli(*online(tmp_path / "run", server, 2, "--no-batch"))


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches"])
def test_a_server_without_a_batch_api_is_named_and_the_run_goes_on_without(cli, tmp_path, expected, path):
    async def unknown(call, forward):
        return web.json_response({"detail": "Not Found"}, status=404) if call == f"POST {path}" else await forward()

    with simulated_server() as server, proxy(server) as between:
        between.answer = unknown
        said = cli(*command(tmp_path / "run", between.url), code=2).stderr
        assert "has no Batch API (404: " in said
        assert "turn batch (--batch) off" in said
        cli("verify", tmp_path / "run")
        cli(*online(tmp_path / "run", between.url, TARGET, "--no-batch"))
    assert (tmp_path / "run/records.jsonl").read_bytes() == expected


def test_a_server_that_is_away_is_not_asked_for_ever(cli, tmp_path):
    (tmp_path / "config.toml").write_text("[teacher]\nanswer_format = 'text'")
    arguments = command(tmp_path / "run", "http://127.0.0.1:9/v1", 2, "--config", tmp_path / "config.toml")
    assert "Check that the server is up" in cli(*arguments, code=2).stderr


def test_a_batch_that_fails_validation_says_why(cli, tmp_path, expected):
    problem = {"code": "billing_hard_limit_reached", "message": "Your project has no money left.", "line": None}

    async def failing(call, forward):
        response = await forward()
        if not call.startswith("GET /v1/batches/"):
            return response
        batch = json.loads(response.body)
        failed = {"status": "failed", "errors": {"data": [problem]}, "output_file_id": None, "error_file_id": None}
        return web.json_response(batch | failed)

    with simulated_server() as server, proxy(server) as between:
        between.answer = failing
        said = cli(*command(tmp_path / "run", between.url), code=2).stderr
        assert "rejected the batch: billing_hard_limit_reached: Your project has no money left." in said
        between.answer = between.through
        cli(*command(tmp_path / "run", between.url))
    assert (tmp_path / "run/records.jsonl").read_bytes() == expected


# Fields of any type. Reports of the kind: 567-labs/instructor#2540, BerriAI/litellm#13995, openai/openai-openapi#302.

WILD = [None, "many", -5, 1.5, True, [7], {"completed": "3", "failed": [1], "total": 10**400}, [None], 10**400]
STRANGE_LINES = [
    b"", b"[1]", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"custom_id": [1]}', b'{"custom_id": null, "response": {}}',
    b'{"custom_id": "nobody", "response": "no"}', b"9" * 5000, b"x" * (17 * 2**20),
]  # fmt: skip


def test_fields_of_any_type_and_strange_lines_are_borne(cli, tmp_path, expected):
    """The last of the lines is larger than an answer may be."""
    n = iter(range(10**6))

    async def wild(call, forward):
        response = await forward()
        if call.startswith("GET /v1/batches/"):
            fields = dict.fromkeys(("request_counts", "metadata", "errors", "created_at"), WILD[next(n) % len(WILD)])
            if next(n) % 2:
                fields["errors"] = {"data": fields["errors"]}
            return web.json_response(json.loads(response.body) | fields)
        if call.endswith("/content"):
            return web.Response(body=b"\n".join([*STRANGE_LINES, response.body, *STRANGE_LINES]))
        return response

    with simulated_server() as server, proxy(server) as between:
        between.answer = wild
        cli(*command(tmp_path / "run", between.url))
    assert (tmp_path / "run/records.jsonl").read_bytes() == expected
    assert rows(tmp_path / "run", "SELECT * FROM faults") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"response": {"status_code": "429", "body": "no"}},
        {"response": {"status_code": 10**400}},
        {"response": [1]},
        {"error": {"code": [1], "message": 10**400}},
        {"response": {"status_code": 200, "body": {"error": {"code": 429, "message": "slow down"}}}},
    ],
    ids=range(5),
)
def test_a_line_of_a_request_that_is_no_answer_is_tried_again(cli, tmp_path, expected, wrong):
    seen = set()

    async def at_first(call, forward):
        """The first line of each file is spoilt, once."""
        response = await forward()
        if not call.endswith("/content") or call in seen or len(seen) > 1:
            return response
        seen.add(call)
        first, *others = response.body.splitlines(keepends=True)
        spoilt = {"custom_id": json.loads(first)["custom_id"]} | wrong
        return web.Response(body=json.dumps(spoilt).encode() + b"\n" + b"".join(others))

    with simulated_server() as server, proxy(server) as between:
        between.answer = at_first
        cli(*command(tmp_path / "run", between.url))
    assert (tmp_path / "run/records.jsonl").read_bytes() == expected
    assert len(rows(tmp_path / "run", "SELECT * FROM faults")) == len(seen) > 0


class Endless(web.StreamResponse):
    """A file without an end, of blank lines that take hardly any room on the wire."""

    def __init__(self):
        super().__init__(headers={"Content-Encoding": "gzip", "Content-Type": "application/jsonl"})

    async def write_eof(self, data: bytes = b"") -> None:
        zipped = zlib.compressobj(wbits=31)
        with suppress(ConnectionError):
            while True:
                await self.write(zipped.compress(b"\n" * 2**20) + zipped.flush(zlib.Z_SYNC_FLUSH))


def test_a_file_without_an_end_stops_the_run_with_a_message(cli, tmp_path):
    async def endless(call, forward):
        return Endless() if call.endswith("/content") else await forward()

    with simulated_server() as server, proxy(server) as between:
        between.answer = endless
        said = cli(*command(tmp_path / "run", between.url), code=2).stderr
    assert "max_answer_mb" in said


@pytest.mark.parametrize(
    "page",
    [{"data": 5}, {"data": {"a": 1}}, {"data": [None, 1, {"metadata": [1], "created_at": "now"}]}, {"data": None},
     {"data": [{"metadata": None, "created_at": 10**400}]}],
)  # fmt: skip
async def test_a_list_of_batches_may_hold_anything_and_need_not_end(monkeypatch, page):
    monkeypatch.setattr(batch_server, "PAGES_MOST", 5)
    pages = []

    async def listing(request):
        pages.append(request.query_string)
        return web.json_response(page | {"has_more": True} | ({"data": [{"id": "b"}]} if len(pages) > 1 else {}))

    app = web.Application()
    app.router.add_get("/v1/batches", listing)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    reader = OpenAICompatible(TeacherSettings(kind="openai", model="m"), url, {}, Pace(4))
    try:
        found = await batch_server.BatchServer(reader, print).find({"selfinstruct": "x"}, 1e9)
    except TryAgain as error:
        assert error.reason == "malformed_answer"
        assert len(pages) <= 5
    else:
        assert found is None
    finally:
        await reader.close()
        await runner.cleanup()


def test_what_a_batch_brought_before_it_was_cancelled_is_kept(cli, tmp_path, expected):
    run = tmp_path / "run"
    many = (
        "SELECT b.id FROM batches b JOIN batch_requests r ON r.batch = b.number WHERE b.id IS NOT NULL "
        "AND read_at IS NULL GROUP BY b.id HAVING count(*) > 8"
    )
    with loopback(f"batch_s = {DAY_S}") as teacher:
        server = teacher.url
        process = started(command(run, server), settle_s=SETTLE_S)
        ((name,),) = batches_until(lambda: rows(run, many), run, teacher, process)
        teacher.pass_time(DAY_S / 2)
        with urlopen(f"{server}/batches/{name}") as answer:
            assert json.load(answer)["request_counts"]["completed"] > 2
        with urlopen(Request(f"{server}/batches/{name}/cancel", method="POST")):
            pass
        said = process.communicate()[0]
        assert process.returncode == 2
        assert f"Batch {name} was cancelled. Run the same command again" in said
        at_once(teacher)
        cli(*command(run, server))
        assert server_calls(server)["repeated"] == {}
    assert (run / "records.jsonl").read_bytes() == expected
    assert rows(run, "SELECT count(*) FROM faults WHERE reason = 'batch_cancelled'")[0][0] > 0
    cli("verify", run)


def test_a_batch_that_the_server_has_forgotten_is_asked_for_again(cli, tmp_path, expected):
    gone = iter(["GET /v1/batches/", "GET /v1/files/"])
    prefix = [next(gone)]

    async def forgetting(call, forward):
        if prefix[0] and call.startswith(prefix[0]):
            prefix[0] = next(gone, "")
            return web.json_response({"error": {"message": "No such object"}}, status=404)
        return await forward()

    with simulated_server() as server, proxy(server) as between:
        between.answer = forgetting
        cli(*command(tmp_path / "run", between.url))
    assert (tmp_path / "run/records.jsonl").read_bytes() == expected
    assert rows(tmp_path / "run", "SELECT reason FROM faults ORDER BY id") == [("lost",), ("malformed_answer",)]
    cli("verify", tmp_path / "run")


def test_damaged_answers_are_noted_and_asked_for_again(cli, tmp_path, expected):
    """Whatever a server may answer: nothing hangs, what can be read is kept."""

    def no_choices(lines):
        row = json.loads(lines[0])
        row["response"]["body"] = {"choices": [], "note": "paid for"}
        return [json.dumps(row).encode(), *lines[1:]]

    odd = [
        b'{"custom_id": "nobody"}',
        b'{"custom_id": ["a"]}',
        b"[]",
        b"\xff",
        b"",
        b'{"custom_id": "x", "response": 1}',
    ]
    damages = iter([
        lambda lines: [],
        lambda lines: [line[: len(line) // 2] for line in lines],
        no_choices,
        lambda lines: [*odd, *lines, *lines],
        lambda lines: [json.dumps({**json.loads(lines[0]), "response": {"body": []}}).encode(), *lines[1:]],
    ])  # fmt: skip
    pages = iter(["<html>", "{}", "[]"])

    async def damaging(call, forward):
        if call.startswith(("GET /v1/batches/", "POST /v1/files")) and (page := next(pages, "")):
            return web.Response(text=page, content_type="text/html")
        response = await forward()
        if call.endswith("/content") and (damage := next(damages, None)):
            return web.Response(body=b"\n".join(damage(response.body.splitlines())))
        return response

    with simulated_server() as server, proxy(server) as between:
        between.answer = damaging
        cli(*command(tmp_path / "run", between.url))
    assert next(damages, None) is None
    assert (tmp_path / "run/records.jsonl").read_bytes() == expected
    faults = rows(tmp_path / "run", "SELECT reason, raw FROM faults")
    assert {reason for reason, _ in faults} == {"malformed_answer"}
    assert any("paid for" in answer for _, answer in faults)
    cli("verify", tmp_path / "run")


def test_a_wrong_key_is_named_and_no_key_is_stored_or_shown(cli, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with simulated_server(f"api_key = '{KEY}'", tmp_path) as server, proxy(server) as between:

        async def echoing(call, forward):
            """Servers that say the key wherever they can."""
            response = await forward()
            if call.startswith("GET /v1/batches/"):
                problems = {"data": [{"code": "invalid", "message": f"bad {KEY}"}]}
                return web.json_response({"status": "failed", "errors": problems})
            return response

        monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
        said = cli(*command(run, between.url, 5), code=2)
        assert "rejected the key (401" in said.stderr
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        between.answer = echoing
        shown = cli(*command(run, between.url, 5), code=2)
        assert "bad [key]" in shown.stderr
        between.answer = between.through
        last = cli(*command(run, between.url, 5))
    assert KEY not in said.stdout + said.stderr + shown.stdout + shown.stderr + last.stdout + last.stderr
    for path in run.iterdir():
        assert KEY.encode() not in path.read_bytes()


def test_one_model_at_two_servers_is_refused(cli, tmp_path):
    (tmp_path / "config.toml").write_text("[instances]\nbase_url = 'http://127.0.0.1:9/v1'")
    arguments = command(tmp_path / "run", "http://127.0.0.1:10/v1", 5, "--config", tmp_path / "config.toml")
    assert "the same server and key for a model" in cli(*arguments, code=2).stderr
    assert not (tmp_path / "run").exists()


# Stopped, and gone on with.


def test_stopped_it_ends_at_once_and_says_what_is_under_way(cli, tmp_path, expected):
    run = tmp_path / "run"
    with loopback(f"batch_s = {DAY_S}") as teacher:
        server = teacher.url
        process = started(command(run, server))
        wait_until(lambda: rows(run, OPEN), process)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[0]
        assert process.returncode == 130
        assert "1  in progress in 1 batch; selfinstruct generate --batch picks them up" in said
        assert rows(run, OPEN), "it waited for the batch"
        assert "1  in progress in 1 batch" in cli("status", run).stdout
        figures = json.loads(cli("status", run, "--json").stdout)
        assert (figures["batches"], figures["in_batches"], figures["unused_proposals"]) == (1, 1, 0)
        cli("verify", run)
        for arguments in (online(run, server, TARGET, "--no-batch"), command(run, server, TARGET, "--dry-run")):
            assert "Set batch (--batch)" in cli(*arguments, code=2).stderr
        at_once(teacher)
        cli(*command(run, server))
        calls = server_calls(server)
    assert (run / "records.jsonl").read_bytes() == expected
    assert (calls["repeated"], calls["batches"]) == ({}, rows(run, "SELECT count(*) FROM batches")[0][0])
    assert "under way" not in cli("status", run).stdout


PROPOSALS = "SELECT count(*) FROM batch_requests b JOIN requests r ON r.id = b.request_id WHERE stage = 'propose'"


def stopped_early(run, teacher, target):
    """Stopped with tasks in the pool, and with proposals in a batch under way; how many of each."""
    process = started(command(run, teacher.url, target))
    batches_until(lambda: rows(run, PROPOSALS) > [(0,)] and rows(run, "SELECT 1 FROM tasks"), run, teacher, process)
    process.send_signal(signal.SIGINT)
    process.communicate()
    ((n_tasks,),), ((n_proposals,),) = rows(run, "SELECT count(*) FROM tasks"), rows(run, PROPOSALS)
    assert n_proposals > 0
    return n_tasks, n_proposals


def test_answers_that_nobody_waits_for_any_more_are_stored_too(cli, tmp_path):
    run = tmp_path / "run"
    with loopback(f"batch_s = {DAY_S}") as teacher:
        server = teacher.url
        n_tasks, n_proposals = stopped_early(run, teacher, 16)
        at_once(teacher)
        said = cli(*command(run, server, n_tasks)).stdout
        assert "under way" not in said
        assert f"{n_proposals}  proposals requested ahead, not used yet" in said
        cli("verify", run)
        cli(*command(run, server, 16))
        assert server_calls(server)["repeated"] == {}
        cli(*online(tmp_path / "online", server, 16))
    assert (run / "records.jsonl").read_bytes() == (tmp_path / "online/records.jsonl").read_bytes()


# The budget.


def test_the_budget_is_kept_over_kills_and_counts_batches_at_their_price(cli, tmp_path):
    run = tmp_path / "run"
    (tmp_path / "config.toml").write_text(
        "[teacher]\nanswer_format = 'text'\n[prices.simulated]\ninput = 10.0\noutput = 100.0\n"
    )
    limit = 0.25
    arguments = command(run, "", 200, "--config", tmp_path / "config.toml", "--max-cost", limit)

    def spent(server):
        calls = server_calls(server)
        return (calls["prompt_tokens"] * 10 + calls["completion_tokens"] * 100) / 1e6 / 2

    with loopback(f"batch_s = {DAY_S}") as teacher:
        server = arguments[arguments.index("")] = teacher.url
        seen = set()
        for _ in range(3):
            teacher.pass_time(DAY_S)  # what is under way is done, and what is submitted now is not
            process = started(arguments)
            wait_until(lambda: set(rows(run, OPEN)) - seen, process)  # noqa: B023
            kill(process)
            seen |= set(rows(run, OPEN))
        at_once(teacher)
        said = cli(*arguments, code=2)
        assert "Stopped at the budget: $" in said.stderr
        cost = spent(server)
        assert server_calls(server)["repeated"] == {}
    assert 0.1 * limit < cost <= limit
    of_probe = "SELECT cost_usd FROM completions JOIN requests ON id = request_id WHERE stage = 'probe'"
    ((probe,),) = rows(run, of_probe)  # which is sent by itself, at the full price
    assert rows(run, "SELECT sum(cost_usd) FROM completions")[0][0] == pytest.approx(cost + probe / 2)
    assert rows(run, "SELECT count(*) FROM faults") == [(0,)]
    cli("verify", run)


def test_what_is_under_way_counts_towards_the_budget_of_the_next_session(cli, tmp_path):
    run = tmp_path / "run"
    with loopback(f"batch_s = {DAY_S}") as teacher:
        server = teacher.url
        n_tasks, _ = stopped_early(run, teacher, 16)
        at_once(teacher)
        # Nobody asks for the proposals again, but they are paid for.
        ((limit,),) = rows(run, "SELECT (SELECT count(*) FROM completions) + (SELECT count(*) FROM batch_requests)")
        said = cli(*command(run, server, n_tasks, "--max-requests", limit), code=2).stderr
        assert "Stopped at the budget" in said
        assert server_calls(server)["answered"] == limit
    assert rows(run, "SELECT count(*) FROM sent") == [(0,)]
