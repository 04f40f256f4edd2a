"""The teacher behind OpenAI's protocol, against a real server on loopback that says what it is told to."""

import asyncio
import email.utils
import gzip
import json
import socket
import time
import zlib
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from selfinstruct.errors import RequestRefused, SelfInstructError, TeacherError, TryAgain, UsageError
from selfinstruct.records import Request
from selfinstruct.teachers.openai_compatible import OpenAICompatible
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.settings import OPENAI_HOST, Price, TeacherSettings

KEY = "sk-test-0123456789abcdef"
KEY_ENV = "SELFINSTRUCT_TEST_KEY"


@pytest.fixture(autouse=True)
def no_key_of_ones_own(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", KEY_ENV):
        monkeypatch.delenv(name, raising=False)


def request(endpoint="chat", system="Be brief.", user="Name a river.", sampling=None):
    return Request("propose", "openai", "small-1", endpoint, system, user, sampling or {"temperature": 0.5})


def settings(base_url=""):
    return TeacherSettings(kind="openai", model="small-1", base_url=base_url, api_key_env=KEY_ENV)


class Server:
    """Answers every call with the same `response`, and keeps what it was sent."""

    def __init__(self, response):
        self.response = response
        self.received = []

    async def handle(self, http_request):
        self.received.append((http_request.path, await http_request.json(), http_request.headers.copy()))
        return await self.response(http_request)


def answering(body, status=200, headers=None, content_type="application/json"):
    """A response: JSON values, or a text as it is."""

    async def respond(_):
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        return web.Response(body=data, status=status, headers=headers, content_type=content_type)

    return respond


@asynccontextmanager
async def running(response, prices=None):
    """The teacher of a server that gives `response`, and the server."""
    server = Server(response)
    app = web.Application()
    app.router.add_post("/v1/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        teacher = OpenAICompatible(settings(), f"http://127.0.0.1:{runner.addresses[0][1]}/v1", prices or {}, Pace(4))
        try:
            yield teacher, server
        finally:
            await teacher.close()
    finally:
        await runner.cleanup()


async def answer_to(response, endpoint="chat", prices=None):
    async with running(response, prices) as (teacher, _):
        return await teacher.complete(request(endpoint))


async def error_of(response, endpoint="chat"):
    """What the teacher raises, which must be one of ours."""
    with pytest.raises(SelfInstructError) as caught:
        await answer_to(response, endpoint)
    return caught.value


def chat(content="The Niger.", finish_reason="stop", **more):
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish_reason, **more}
    return {"id": "c1", "choices": [choice], "usage": {"prompt_tokens": 11, "completion_tokens": 4}}


def completion(text=" The Niger.", finish_reason="stop", **more):
    choice = {"index": 0, "text": text, "finish_reason": finish_reason, **more}
    return {"id": "c1", "choices": [choice], "usage": {"prompt_tokens": 11, "completion_tokens": 4}}


def problem(message="no", code=None, type_="invalid_request_error"):
    return {"error": {"message": message, "type": type_, "param": None, "code": code}}


# What is sent.


async def test_a_chat_model_gets_a_system_and_a_user_message():
    sampling = {"temperature": 0.5, "max_tokens": 64, "stop": ["\n\n"], "seed": 7, "logprobs": True, "min_p": 0.05}
    async with running(answering(chat())) as (teacher, server):
        await teacher.complete(request(sampling=sampling))
    ((path, body, _),) = server.received
    assert path == "/v1/chat/completions"
    assert body == {
        "model": "small-1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a river."}],
        **sampling,
    }


async def test_without_a_system_text_there_is_only_the_user_message():
    async with running(answering(chat())) as (teacher, server):
        await teacher.complete(request(system=""))
    assert server.received[0][1]["messages"] == [{"role": "user", "content": "Name a river."}]


async def test_a_base_model_gets_one_text():
    async with running(answering(completion())) as (teacher, server):
        await teacher.complete(request("completion", sampling={"temperature": 0, "seed": 3, "stop": ["\n17."]}))
    ((path, body, _),) = server.received
    assert path == "/v1/completions"
    assert body == {
        "model": "small-1", "prompt": "Be brief.\n\nName a river.", "temperature": 0, "seed": 3, "stop": ["\n17."],
    }  # fmt: skip


async def test_text_of_every_script_arrives_as_it_was_sent():
    text = "Übersetze «河» — 🌊 \u2028 {{x}} <b>"
    async with running(answering(chat(text))) as (teacher, server):
        answer = await teacher.complete(request(user=text))
    assert server.received[0][1]["messages"][1]["content"] == text
    assert answer.text == text


async def test_the_key_is_sent_in_the_header_and_nowhere_else(monkeypatch):
    monkeypatch.setenv(KEY_ENV, KEY)
    async with running(answering(chat())) as (teacher, server):
        await teacher.complete(request())
    ((_, body, headers),) = server.received
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(body)


# What is read.


async def test_a_chat_answer_is_read():
    body = chat(logprobs={"content": [{"token": "The", "logprob": -0.25}, {"token": " Niger", "logprob": -1.5}]})
    answer = await answer_to(answering(body), prices={"small-1": Price(input=2.0, output=8.0)})
    assert (answer.text, answer.finish_reason, answer.error) == ("The Niger.", "stop", None)
    assert (answer.prompt_tokens, answer.completion_tokens) == (11, 4)
    assert answer.logprobs == (-0.25, -1.5)
    assert answer.cost_usd == pytest.approx((11 * 2 + 4 * 8) / 1e6)
    assert answer.request_id == request().id
    assert json.loads(answer.raw) == body
    assert answer.latency_s > 0


async def test_a_completion_answer_is_read():
    body = completion(finish_reason="length", logprobs={"tokens": ["a", "b", "c"], "token_logprobs": [None, -0.5, -2]})
    answer = await answer_to(answering(body), "completion", prices={"small-1": Price(input=1.0, output=1.0)})
    assert (answer.text, answer.finish_reason, answer.was_cut) == (" The Niger.", "length", True)
    assert (answer.prompt_tokens, answer.completion_tokens) == (11, 4)
    assert answer.logprobs == (-0.5, -2)
    assert answer.cost_usd == pytest.approx(15 / 1e6)
    assert json.loads(answer.raw) == body


async def test_a_model_without_a_price_has_no_cost():
    answer = await answer_to(answering(chat()), prices={"large-1": Price(input=1.0, output=1.0)})
    assert answer.cost_usd is None


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None, "completion_tokens": None}])
async def test_a_server_that_counts_no_tokens_is_no_problem(usage):
    answer = await answer_to(answering({**chat(), "usage": usage}))
    assert (answer.prompt_tokens, answer.completion_tokens) == (0, 0)


async def test_a_server_without_logprobs_and_finish_reason_is_no_problem():
    answer = await answer_to(answering(chat(finish_reason=None, logprobs=None)))
    assert (answer.finish_reason, answer.logprobs) == ("unknown", None)


async def test_an_empty_text_is_an_answer():
    assert (await answer_to(answering(chat("")))).text == ""


@pytest.mark.parametrize("endpoint", ["chat", "completion"])
async def test_a_model_that_spent_its_tokens_on_thinking_said_nothing(endpoint):
    body = chat(None, "length") if endpoint == "chat" else completion(None, "length")
    answer = await answer_to(answering(body), endpoint)
    assert (answer.text, answer.finish_reason, answer.was_cut) == ("", "length", True)


async def test_half_a_surrogate_pair_and_nul_can_be_stored():
    answer = await answer_to(answering('{"choices": [{"message": {"content": "a\\ud83db\\u0000c \\ud83c\\udf0a"}}]}'))
    assert answer.text == "a?b\0c 🌊"
    assert answer.raw.encode()


async def test_bytes_that_are_no_utf8_can_be_stored():
    body = b'{"choices": [{"message": {"content": "a\xff\xfeb"}, "finish_reason": "stop"}]}'
    answer = await answer_to(answering(body))
    assert answer.text.encode()
    assert (answer.text[0], answer.text[-1]) == ("a", "b")


async def test_half_a_surrogate_pair_in_an_error_can_be_stored():
    error = await error_of(answering('{"error": {"message": "bad \\ud83d half", "code": null}}', 503))
    assert error.detail.encode()


@pytest.mark.parametrize("logprobs", [{"content": [{"token": "a"}]}, [-0.5], {"content": ["a"]}])
async def test_logprobs_in_another_form_do_not_break_the_run(logprobs):
    try:
        answer = await answer_to(answering(chat(logprobs=logprobs)))
    except TryAgain as error:
        assert error.raw
    else:
        assert answer.text == "The Niger."


# Answers that are none.


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("HTML", "<html><body>Welcome to the proxy</body></html>"),
        ("broken JSON", '{"choices": [{"message": {"content": "The Nig'),
        ("nothing", ""),
        ("no choices", '{"id": "c1"}'),
        ("empty choices", '{"choices": []}'),
        ("choices null", '{"choices": null}'),
        ("choice null", '{"choices": [null]}'),
        ("no message", '{"choices": [{"finish_reason": "stop"}]}'),
        ("message null", '{"choices": [{"message": null}]}'),
        ("content null", '{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'),
        ("parts without text", '{"choices": [{"message": {"content": [{"type": "image_url"}]}}]}'),
        ("a number of too many digits", '{"created": ' + "9" * 5000 + "}"),
        ("a list", "[]"),
        ("a text", '"The Niger."'),
        ("null", "null"),
        ("deep", "[" * 100_000),
    ],
)  # fmt: skip
async def test_an_answer_that_is_no_completion_is_asked_for_again_and_kept(name, body):
    error = await error_of(answering(body))
    assert isinstance(error, TryAgain), name
    assert (error.reason, error.unreachable, error.retry_after_s) == ("malformed_answer", False, None)
    assert error.raw == body[:10_000]


async def test_a_completion_answer_where_a_chat_answer_was_due_is_malformed():
    error = await error_of(answering(completion()))
    assert (type(error), error.reason) == (TryAgain, "malformed_answer")


async def test_only_the_beginning_of_a_long_unreadable_answer_is_kept():
    error = await error_of(answering("<p>" + "x" * 50_000))
    assert len(error.raw) == 10_000


async def test_an_answer_held_back_by_a_filter_is_refused():
    error = await error_of(answering(chat("", "content_filter")))
    assert (type(error), error.reason) == (RequestRefused, "content_filter")
    assert error.raw == json.dumps(chat("", "content_filter"))  # as it was sent
    assert (await answer_to(answering(chat("The Ni", "content_filter")))).text == "The Ni"


async def test_a_stream_that_nobody_asked_for_is_read_and_stored_in_one_piece():
    parts = [("The ", None), ("Niger.", "stop")]
    events = [{"choices": [{"delta": {"content": text}, "finish_reason": reason}]} for text, reason in parts]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    answer = await answer_to(answering(body, content_type="text/event-stream"))
    assert (answer.text, answer.finish_reason) == ("The Niger.", "stop")
    assert json.loads(answer.raw)["choices"][0]["message"]["content"] == "The Niger."


async def test_a_key_that_a_stream_says_in_pieces_is_blotted_out(monkeypatch):
    monkeypatch.setenv(KEY_ENV, KEY)
    events = [{"choices": [{"delta": {"content": text}}]} for text in ("It is ", KEY[:9], KEY[9:])]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    answer = await answer_to(answering(body))
    assert answer.text == "It is [key]"
    assert KEY not in answer.raw


# Size. Reports of the kind: aio-libs/aiohttp#8248, saltstack/salt#69849, JuliaWeb/HTTP.jl#1262.

BLANKS = b" " * 2**20


@pytest.mark.parametrize("encoding", ["gzip", "deflate", None])
@pytest.mark.parametrize("status", [200, 503])
async def test_no_more_of_an_answer_is_read_than_is_allowed(encoding, status):
    body = BLANKS * 17  # the limit is 16 MB
    body = {"gzip": gzip.compress, "deflate": zlib.compress, None: bytes}[encoding](body)
    headers = {"Content-Encoding": encoding} if encoding else {}
    error = await error_of(answering(body, status, headers))
    assert error.reason == ("answer_too_large" if status == 200 else "http_503")
    assert len(error.raw or "") <= 10_000
    assert status == 503 or ("max_answer_mb = 16" in error.detail and error.may_have_cost)


async def test_an_answer_that_is_as_large_as_allowed_is_read():
    body = json.dumps(chat("The Niger.")).encode()
    answer = await answer_to(answering(body + b" " * (16 * 2**20 - len(body))))
    assert answer.text == "The Niger."
    assert "answer_too_large" in str(await error_of(answering(body + b" " * (16 * 2**20 - len(body) + 1))))


# Redirects. psf/requests#5494, traefik/traefik#1819, Kong/insomnia#1832: a POST becomes a GET on its way.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "named"),
    [("https://other.example/v1/chat/completions", "to https://other.example/v1"),
     ("/v2/chat/completions", "/v2"), ("http://[", "http://["), ("/v1/chat/completions/", "/v1/chat/completions/")],
)  # fmt: skip
async def test_a_redirect_is_not_followed_and_its_address_is_named(status, location, named):
    async with running(answering("", status, {"Location": location})) as (teacher, server):
        with pytest.raises(TeacherError) as caught:
            await teacher.complete(request())
    assert str(caught.value).endswith(named)
    assert len(server.received) == 1


async def test_a_redirect_to_nowhere_is_tried_again():
    assert (await error_of(answering("", 304))).reason == "http_304"


# Headers. Reports of the kind: auth0/auth0-python#761, AD-SDL/MADSci#313, WebexCommunity/WebexPythonSDK#181.


@pytest.mark.parametrize(
    "value",
    ["", "many", "-1", "nan", "inf", "1e999", "9" * 400, "rand(30),add(30)", "1h" * 1000, "Mon, 99 Foo 99999 99:99",
     "Mon, 01 Jan 0001 00:00:00 -0000", "1 Jan 99999999999 00:00:00 +9999", ", ,", "0x10", "１２"],
)  # fmt: skip
async def test_a_header_that_says_nothing_sensible_is_ignored(value):
    names = [f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")]
    names += ["Retry-After", "retry-after-ms", "x-ratelimit-reset"]
    headers = dict.fromkeys(names, value)
    assert (await answer_to(answering(chat(), headers=headers))).text == "The Niger."
    error = await error_of(answering(problem("Busy."), 429, headers))
    assert error.reason == "http_429"
    assert error.retry_after_s is None or error.retry_after_s >= 0


async def test_bytes_in_a_header_that_are_no_text_end_in_a_message_that_can_be_stored():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX: \xff\xed\xa0\x80\r\nContent-Length: -5\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        teacher = OpenAICompatible(settings(), url, {}, Pace(4))
        try:
            with pytest.raises(TryAgain) as caught:
                await teacher.complete(request())
        finally:
            await teacher.close()
    assert caught.value.reason == "connection"
    assert caught.value.detail.encode()


# Statuses.


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_not_accepted_stops_the_run_with_advice(monkeypatch, status):
    monkeypatch.setenv(KEY_ENV, "sk-1")
    error = await error_of(answering(problem("Incorrect key.", "invalid_api_key"), status))
    assert isinstance(error, TeacherError)
    assert str(error).startswith("http://127.0.0.1:")
    assert f"rejected the key ({status}: Incorrect key.). Check the environment variable {KEY_ENV}" in str(error)


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, problem("No such model.", "model_not_found")), (400, problem("No such model.", "model_not_found")),
     (404, {"error": "model not found"}), (404, "page not found")],
)  # fmt: skip
async def test_an_unknown_model_or_address_stops_the_run_with_advice(status, body):
    error = await error_of(answering(body, status))
    assert isinstance(error, TeacherError)
    assert "does not know this model or address" in str(error)
    assert "Check model (--model) and base_url" in str(error)


async def test_a_used_up_quota_stops_the_run():
    error = await error_of(answering(problem("You exceeded it.", "insufficient_quota", "insufficient_quota"), 429))
    assert isinstance(error, TeacherError)
    assert "quota is used up (You exceeded it.)" in str(error)


async def test_an_empty_account_stops_the_run():
    error = await error_of(answering(problem("Insufficient balance.", None), 402))
    assert isinstance(error, TeacherError)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, problem("This model's maximum context length is 4096 tokens.", "context_length_exceeded")),
        (400, problem("too long", "context_length_exceeded")),
        (400, problem("Maximum context length is 2048 tokens, you asked for 3000.")),
        (400, problem("Prompt has too many tokens.")),
        (413, problem("The prompt is too long.")),
        (422, {"message": "context length exceeded", "code": 422}),
    ],
)
async def test_a_request_too_long_for_the_model_is_refused(status, body):
    error = await error_of(answering(body, status))
    assert (type(error), error.reason) == (RequestRefused, "context_too_long")


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation"])
async def test_a_request_that_a_filter_stops_is_refused(code):
    error = await error_of(answering(problem("Flagged.", code), 400))
    assert (type(error), error.reason, error.detail) == (RequestRefused, "content_filter", "Flagged.")


@pytest.mark.parametrize("status", [400, 405, 422])
async def test_any_other_refusal_is_named_by_its_status(status):
    error = await error_of(answering(problem("Unknown parameter: min_p."), status))
    assert (type(error), error.reason, error.detail) == (
        RequestRefused, f"http_{status}", "Unknown parameter: min_p.",
    )  # fmt: skip


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
async def test_a_passing_fault_is_tried_again(status):
    error = await error_of(answering(problem("Busy."), status))
    assert (type(error), error.reason, error.detail) == (TryAgain, f"http_{status}", "Busy.")
    assert (error.retry_after_s, error.unreachable, error.raw) == (None, False, None)


@pytest.mark.parametrize("body", ["<html>Bad gateway</html>", "", "[]", '"x"', '{"error": "overloaded"}'])
async def test_an_error_in_any_form_is_tried_again(body):
    error = await error_of(answering(body, 502))
    assert (type(error), error.reason) == (TryAgain, "http_502")


async def test_only_the_beginning_of_a_long_message_is_kept():
    assert len((await error_of(answering(problem("x" * 5000), 503))).detail) == 500


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "0"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "Retry-After": "7"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": ""}, None),
        ({"retry-after-ms": "soon"}, None),
        ({}, None),
    ],
)
async def test_the_pause_that_the_server_asks_for_is_read(headers, seconds):
    error = await error_of(answering(problem("Slow down."), 429, headers))
    assert error.retry_after_s == seconds


async def test_a_pause_may_end_at_a_date():
    before = time.time()
    at = email.utils.formatdate(before + 3600, usegmt=True)
    error = await error_of(answering(problem("Slow down."), 503, {"Retry-After": at}))
    assert before + 3600 - time.time() - 1 <= error.retry_after_s <= 3600


# Connections.


async def test_a_dropped_connection_is_tried_again():
    async def drop(http_request):
        http_request.transport.abort()
        return web.Response()

    error = await error_of(drop)
    assert (type(error), error.reason, error.unreachable, error.raw) == (TryAgain, "connection", False, None)


async def test_an_answer_that_breaks_off_is_tried_again():
    async def break_off(http_request):
        response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
        await response.prepare(http_request)
        await response.write(b'{"choices": [')
        http_request.transport.abort()
        return response

    error = await error_of(break_off)
    assert (type(error), error.reason, error.unreachable) == (TryAgain, "connection", False)


async def test_where_nobody_listens_the_server_is_unreachable():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    teacher = OpenAICompatible(settings(), f"http://127.0.0.1:{port}/v1", {}, Pace(4))
    try:
        with pytest.raises(TryAgain) as caught:
            await teacher.complete(request())
    finally:
        await teacher.close()
    assert (caught.value.reason, caught.value.unreachable) == ("connection", True)
    assert caught.value.detail == f"cannot connect to 127.0.0.1:{port} (Connection refused)"


async def test_the_client_tries_nothing_again_by_itself():
    async with running(answering(problem("Busy."), 503)) as (teacher, server):
        with pytest.raises(TryAgain):
            await teacher.complete(request())
    assert len(server.received) == 1


# The key.


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (chat(f"Your key is {KEY}."), 200),
        (problem(f"Incorrect API key provided: {KEY}."), 401),
        (problem(f"No model for {KEY}.", "model_not_found"), 404),
        (problem(f"Quota of {KEY}.", "insufficient_quota"), 429),
        (problem(f"Busy, {KEY}."), 503),
        (problem("x" * 490 + KEY), 503),
        (problem(f"Bad request by {KEY}."), 400),
        (f"<html>Authorization: Bearer {KEY}</html>", 200),
        (f"<html>Authorization: Bearer {KEY}</html>", 502),
        ({"error": f"wrong key {KEY}"}, 404),
    ],
)
async def test_a_key_that_the_server_echoes_is_blotted_out(monkeypatch, body, status):
    monkeypatch.setenv(KEY_ENV, KEY)
    try:
        answer = await answer_to(answering(body, status))
    except SelfInstructError as error:
        seen = f"{error} {vars(error)} {error.args}"
    else:
        seen = f"{answer}"
        assert "[key]" in answer.text
        assert "[key]" in answer.raw
    assert KEY not in seen
    assert KEY[:12] not in seen


async def test_a_key_that_is_echoed_in_escaped_form_is_blotted_out(monkeypatch):
    key = "sk-test/0123456789"
    monkeypatch.setenv(KEY_ENV, key)
    answer = await answer_to(answering(json.dumps(chat(f"Your key is {key}.")).replace("/", "\\/")))
    assert key not in answer.text


async def test_the_key_is_not_in_what_the_teacher_shows_of_itself(monkeypatch):
    monkeypatch.setenv(KEY_ENV, KEY)
    async with running(answering(chat())) as (teacher, _):
        assert KEY not in repr(teacher)


@pytest.mark.parametrize("base_url", ["", OPENAI_HOST, OPENAI_HOST + "/"])
def test_without_a_key_openais_own_host_is_not_asked(base_url):
    with pytest.raises(UsageError, match=f"No API key. Set the environment variable {KEY_ENV}"):
        OpenAICompatible(settings(), settings(base_url).servers[0], {}, Pace(4))


def test_without_a_key_openais_own_host_is_not_asked_wherever_it_is_named(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", OPENAI_HOST)
    with pytest.raises(UsageError, match="No API key"):
        OpenAICompatible(settings(), "", {}, Pace(4))


async def test_without_a_key_openais_own_host_is_not_asked_however_it_is_spelled(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", OPENAI_HOST + "/")
    with pytest.raises(UsageError, match="No API key"):
        await OpenAICompatible(settings(), "", {}, Pace(4)).close()


@pytest.mark.parametrize("url", ["http://me:pw-0123@127.0.0.1:9/v1", "127.0.0.1:9"])
async def test_an_address_from_the_environment_is_checked_like_any_other(monkeypatch, url):
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(UsageError) as caught:
        await OpenAICompatible(settings(), "", {}, Pace(4)).close()
    assert "pw-0123" not in str(caught.value)


@pytest.mark.parametrize("key", [KEY + "\n", KEY + "\r\n", "sk-ключ"])
async def test_a_key_that_no_header_can_carry_is_explained_or_mended(monkeypatch, key):
    monkeypatch.setenv(KEY_ENV, key)
    try:
        answer = await answer_to(answering(chat()))
    except (UsageError, TeacherError) as error:
        assert KEY_ENV in str(error)
    else:
        assert answer.text == "The Niger."


async def test_a_local_server_needs_no_key():
    async with running(answering(chat())) as (teacher, server):
        assert (await teacher.complete(request())).text == "The Niger."
    assert server.received[0][2]["Authorization"] == "Bearer none"


@pytest.mark.parametrize(
    "address",
    ["/openai/v1", "/openai/deployments/gpt-4o?api-version=2024-10-21", "/openai/v1/chat/completions",
     "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"],
)  # fmt: skip
async def test_azures_addresses_and_its_header_for_the_key(monkeypatch, address):
    """Through a proxy, since a test cannot be found at Azure's name."""
    monkeypatch.setenv(KEY_ENV, KEY)
    server = Server(answering(chat()))
    app = web.Application()
    app.router.add_post("/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{runner.addresses[0][1]}")
    azure = settings(f"http://myres.openai.azure.com{address}")
    teacher = OpenAICompatible(azure, azure.servers[0], {}, Pace(4))
    try:
        assert (await teacher.complete(request())).text == "The Niger."
    finally:
        await teacher.close()
        await runner.cleanup()
    ((path, _, headers),) = server.received
    place, mark, version = address.partition("?")
    assert path == place.removesuffix("/chat/completions") + "/chat/completions"
    assert teacher.url("/x").endswith(mark + version)
    assert headers["api-key"] == KEY
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://myres.openai.azure.com", "https://myres.openai.azure.com/openai/v1"),
        ("https://myres.openai.azure.com/openai?api-version=2024-10-21", "https://myres.openai.azure.com/openai/v1"),
        ("https://myres.openai.azure.com/openai/deployments/gpt-4o", "needs ?api-version=... at its end"),
        ("https://host/v1?key=sk-0", "must not contain a key"),
        ("https://host/v1?api-version=1&key=sk-0", "must not contain a key"),
    ],
)
def test_an_address_that_azure_would_not_take_says_what_to_write(url, words):
    with pytest.raises(ValueError, match="base_url") as caught:
        settings(url)
    assert words in str(caught.value)


async def test_the_address_may_come_from_the_environment(monkeypatch):
    async with running(answering(chat())) as (teacher, server):
        monkeypatch.setenv("OPENAI_BASE_URL", teacher.base_url)
        second = OpenAICompatible(settings(), "", {}, Pace(4))
        try:
            assert (await second.complete(request())).text == "The Niger."
        finally:
            await second.close()
    assert len(server.received) == 1
