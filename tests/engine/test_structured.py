"""Structured output: what a server does with a schema is found out once, settled for the run, and kept to."""

import hashlib
import json
import sqlite3
import tomllib
from collections import Counter
from contextlib import asynccontextmanager, closing

import pytest
from aiohttp import web

from selfinstruct.asking.stages import response_format
from selfinstruct.config.config import parse_config
from selfinstruct.config.stored import config_of
from selfinstruct.errors import TeacherError
from selfinstruct.export.export import write_records
from selfinstruct.report.status import status
from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run
from selfinstruct.simulated.server.replies import chat, completion
from selfinstruct.simulated.server.requests import Refused
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from selfinstruct.strategies import NAMES
from selfinstruct.teachers import scheduler
from tests.conftest import FEW_SEEDS, prompts_of

FORMATS = ("propose", "classify", "instances")


def schema_of(name):
    """The response format of the prompt of that name, of any strategy, or of a probe."""
    fields = {prompt.name: prompt.fields for strategy in NAMES for prompt in prompts_of(strategy)}
    return response_format(name, fields.get(name, {"number": {"type": "string"}}))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(scheduler, "BACKOFF_FIRST_S", 0.001)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


class Server:
    """The simulated teacher's answers, but `probes` decide, one after the other, what a probe gets.

    Each is a status with an error, or a text; once they are used up the simulated teacher answers.
    """

    def __init__(self, json_schema, probes, refuse=lambda body: None):
        self.refuse = refuse  # gives the error to a request, a status and a body, or None
        self.settings = SimulatedSettings(json_schema=json_schema)
        self.probes = list(probes)
        self.received = []  # (path, body)

    @property
    def asked(self):
        """How many requests of each kind came: probes, with and without a schema."""
        return Counter(kind_of(body) for _, body in self.received)

    async def handle(self, request):
        body = await request.json()
        self.received.append((request.path, body))
        if kind_of(body) == "probe" and self.probes:
            said = self.probes.pop(0)
            if isinstance(said, int):
                return web.json_response({"error": {"message": "no"}}, status=said)
            if said is None or isinstance(said, str):
                choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
                return web.json_response({"id": "c", "choices": [choice]})
        if error := self.refuse(body):
            return web.json_response(error[1], status=error[0])
        body = {key: value for key, value in body.items() if key not in OTHER_SERVERS}
        answer = completion if request.path.endswith("/v1/completions") else chat
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
        try:
            return web.json_response(answer(body, self.settings, digest).body)
        except Refused as error:
            return web.json_response(error.body, status=error.status)


OTHER_SERVERS = ("stream", "stream_options", "enable_thinking", "top_k", "reasoning_effort")  # not the simulated one


def kind_of(body):
    if body.get("response_format", {}).get("json_schema", {}).get("name") == "probe":
        return "probe"
    return "json" if "response_format" in body else "text"


@asynccontextmanager
async def serving(json_schema="honoured", probes=(), refuse=lambda body: None):
    """A server, and its address."""
    server = Server(json_schema, probes, refuse)
    app = web.Application()
    app.router.add_post("/v1/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield server, f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def teacher(url, **more):
    return {"kind": "openai", "model": "simulated", "base_url": url, **more}


async def grow(folder, target, config_file=None, **settings):
    """Grow a run to `target` and check what it promises; how each stage was settled."""
    run = open_run(folder, config_file, settings, FEW_SEEDS)
    with run.store as store:
        assert await generate(run, target)
        assert verify(store) == []
        assert len(store.tasks()) == target
        config = config_of(store)
    return [config.stage(stage).teacher.answer_format for stage in FORMATS]


async def grow_once(tmp_path, json_schema="honoured", probes=(), target=1, **settings):
    """A run with a server of its own: the formats it settled on, and the server."""
    async with serving(json_schema, probes) as (server, url):
        found = await grow(tmp_path / "run", target, teacher=teacher(url), **settings)
    return found, server


# What the server can do.


@pytest.mark.parametrize(("json_schema", "settled"), [("honoured", "json"), ("ignored", "text"), ("refused", "text")])
async def test_what_the_server_can_do_is_found_out_by_one_request(tmp_path, json_schema, settled):
    found, server = await grow_once(tmp_path, json_schema, target=9)
    assert found == [settled] * 3
    others = len(server.received) - 1
    assert server.asked == {"probe": 1, settled: others}
    assert others >= 1 + 9 + 9
    assert kind_of(server.received[0][1]) == "probe"
    with Store.read(tmp_path / "run") as store:
        assert status(store).grades["wrong"] == 0
        assert status(store).grades["right"] >= 9


async def test_requests_carry_the_schema_of_what_they_ask_for(tmp_path):
    _, server = await grow_once(tmp_path, target=12)
    formats = {json.dumps(body["response_format"], sort_keys=True) for _, body in server.received}
    names = ("probe", "propose", "classify", "input_first", "output_first")
    assert formats == {json.dumps(schema_of(name), sort_keys=True) for name in names}
    with closing(sqlite3.connect(tmp_path / "run/run.db")) as db:
        sampling = db.execute("SELECT stage, sampling FROM requests ORDER BY stage").fetchall()
    stored = {stage: set() for stage, _ in sampling}
    for stage, values in sampling:
        stored[stage].add(json.loads(values)["response_format"]["json_schema"]["name"])
    assert stored == {
        "probe": {"probe"}, "propose": {"propose"}, "classify": {"classify"},
        "instances": {"input_first", "output_first"},
    }  # fmt: skip


@pytest.mark.parametrize("name", ["propose", "classify", "input_first", "output_first", "alpaca", "probe"])
def test_a_schema_is_strict_as_openai_wants_it(name):
    found = schema_of(name)
    assert found["type"] == "json_schema"
    assert (found["json_schema"]["name"], found["json_schema"]["strict"]) == (name, True)

    def check(schema):
        if schema["type"] == "object":
            assert schema["required"] == list(schema["properties"])
            assert schema["additionalProperties"] is False
            for part in schema["properties"].values():
                check(part)
        elif schema["type"] == "array":
            check(schema["items"])

    check(found["json_schema"]["schema"])
    assert found["json_schema"]["schema"]["type"] == "object"


@pytest.mark.parametrize(
    "said", ["7", "Sure! 7 it is.", "", "[Name]: 7", "**7** {not JSON}", '9. Put {"a": 1} into words.']
)
async def test_an_answer_that_is_no_json_settles_text(tmp_path, said):
    found, server = await grow_once(tmp_path, probes=[said])
    assert found == ["text"] * 3
    assert server.asked["probe"] == 1


@pytest.mark.parametrize("said", ['{"number": "7"}', '```json\n{"number": "7"}\n```', ' {\n "number": 7\n}\n'])
async def test_an_answer_in_json_settles_json(tmp_path, said):
    found, server = await grow_once(tmp_path, probes=[said])
    assert found == ["json"] * 3
    assert server.asked["probe"] == 1


# Servers that fail.


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refusal_is_an_answer(tmp_path, status):
    found, server = await grow_once(tmp_path, probes=[status])
    assert found == ["text"] * 3
    assert server.asked["probe"] == 1


@pytest.mark.parametrize("probes", [[500] * 5, [500, 501, 500, 501, 500], [500, 429, 500, 500, 500, 500, 500]])
async def test_five_server_errors_in_a_row_are_an_answer(tmp_path, probes):
    found, server = await grow_once(tmp_path, probes=probes)
    assert found == ["text"] * 3
    assert server.asked["probe"] == len(probes)


async def test_server_errors_are_an_answer_also_where_fewer_tries_are_allowed(tmp_path):
    found, server = await grow_once(tmp_path, probes=[500] * 5, running={"attempts": 3})
    assert found == ["text"] * 3
    assert server.asked["probe"] == 3


@pytest.mark.parametrize(
    "probes", [[500], [429], [429] * 6, [500] * 4, [503, 429, 500], [500, 500, 429, 500, 500, 500, 500]]
)
async def test_a_passing_fault_is_none(tmp_path, probes):
    found, server = await grow_once(tmp_path, probes=probes)
    assert found == ["json"] * 3
    assert server.asked["probe"] == len(probes) + 1
    with Store.read(tmp_path / "run") as store:
        assert store.query("SELECT DISTINCT stage, count(*) FROM faults") == [("probe", len(probes))]


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_a_server_that_would_answer_nothing_stops_the_run_before_it_begins(tmp_path, status):
    async with serving(probes=[status]) as (server, url):
        with pytest.raises(TeacherError):
            await grow(tmp_path / "run", 4, teacher=teacher(url))
        assert server.asked == {"probe": 1}
        assert await grow(tmp_path / "run", 1) == ["json"] * 3


# Once.


async def test_the_probe_is_sent_once_per_server_and_model(tmp_path):
    async with serving() as (one, url), serving("ignored") as (other, other_url):
        found = await grow(
            tmp_path / "run", 4, teacher=teacher(url), classify={"base_url": other_url},
            instances={"model": "simulated-large"},
        )  # fmt: skip
    assert found == ["json", "text", "json"]
    probed = [body["model"] for _, body in one.received if kind_of(body) == "probe"]
    assert probed == ["simulated", "simulated-large"]
    assert other.asked["probe"] == 1
    assert set(other.asked) == {"probe", "text"}


async def test_a_run_that_goes_on_does_not_probe_again(tmp_path):
    async with serving() as (server, url):
        await grow(tmp_path / "run", 3, teacher=teacher(url))
        server.settings = SimulatedSettings(json_schema="ignored")  # what it does now does not matter any more
        assert await grow(tmp_path / "run", 6) == ["json"] * 3
        assert server.asked["probe"] == 1
        assert server.asked["text"] == 0


async def test_a_run_goes_on_with_the_same_config_file(tmp_path):
    config = tmp_path / "run.toml"
    async with serving() as (server, url):
        config.write_text(
            f'[teacher]\nkind = "openai"\nmodel = "simulated"\nbase_url = "{url}"\nanswer_format = "auto"\n'
        )
        assert await grow(tmp_path / "run", 3, config) == ["json"] * 3
        assert await grow(tmp_path / "run", 6, config) == ["json"] * 3
        assert server.asked["probe"] == 1


async def test_a_run_whose_stages_say_auto_goes_on_with_the_same_config_file(tmp_path):
    config = tmp_path / "run.toml"
    async with serving() as (server, url):
        config.write_text(
            f'[teacher]\nkind = "openai"\nmodel = "simulated"\nbase_url = "{url}"\n'
            '[propose]\nanswer_format = "auto"\n[instances]\nanswer_format = "text"\n'
        )
        assert await grow(tmp_path / "run", 3, config) == ["json", "json", "text"]
        assert await grow(tmp_path / "run", 6, config) == ["json", "json", "text"]
        assert server.asked["probe"] == 1


async def test_a_run_that_died_behind_its_probe_does_not_probe_again(tmp_path):
    """The answer is stored, the settings are not yet."""
    async with serving("refused") as (server, url):
        await grow(tmp_path / "run", 3, teacher=teacher(url))
        with Store.resume(tmp_path / "run") as store, store.transaction():
            config = store.settings()["config"]
            for stage in FORMATS:
                del config[stage]["answer_format"]
            store.set_settings({"config": config})
        assert await grow(tmp_path / "run", 5) == ["text"] * 3
        assert server.asked["probe"] == 1


async def test_the_config_of_a_run_names_what_was_settled_and_repeats_it(tmp_path):
    async with serving() as (server, url):
        await grow(tmp_path / "run", 3, teacher=teacher(url), classify={"answer_format": "text"})
        values = tomllib.loads((tmp_path / "run/config.toml").read_text())
        assert values["teacher"]["answer_format"] == "auto"
        assert {stage: values[stage]["answer_format"] for stage in FORMATS} == {
            "propose": "json", "classify": "text", "instances": "json"
        }  # fmt: skip
        before = server.asked["probe"]
        await grow(tmp_path / "again", 3, tmp_path / "run/config.toml")
        assert (before, server.asked["probe"]) == (1, 2)  # only to see that the server takes the settings
    one, other = (tmp_path / name / "records.jsonl" for name in ("run", "again"))
    assert one.read_bytes() == other.read_bytes()


# Without a probe.


@pytest.mark.parametrize("wanted", ["json", "text"])
async def test_a_format_that_is_named_is_kept_to(tmp_path, wanted):
    """The settings are tried all the same."""
    async with serving() as (server, url):
        found = await grow(tmp_path / "run", 2, teacher=teacher(url, answer_format=wanted))
    assert found == [wanted] * 3
    assert set(server.asked) - {"probe"} == {wanted}


async def test_json_is_read_as_text_where_the_server_ignores_the_schema(tmp_path):
    """Prompts ask for JSON too; an answer in text is read all the same."""
    async with serving("ignored") as (server, url):
        await grow(tmp_path / "run", 2, teacher=teacher(url, answer_format="json"))
    assert set(server.asked) == {"probe", "json"}


async def test_a_base_model_is_never_asked_for_json(tmp_path):
    async with serving() as (server, url):
        found = await grow(tmp_path / "run", 2, teacher=teacher(url, endpoint="completion"))
    assert found == ["text"] * 3
    assert set(server.asked) == {"text"}
    assert {path for path, _ in server.received} == {"/v1/completions"}


@pytest.mark.parametrize("base", FORMATS)
async def test_a_model_that_is_also_asked_as_a_base_model_is_probed_as_a_chat_model(tmp_path, base):
    async with serving() as (server, url):
        found = await grow(tmp_path / "run", 2, teacher=teacher(url), **{base: {"endpoint": "completion"}})
    assert found == ["text" if stage == base else "json" for stage in FORMATS]
    assert server.asked["probe"] == 1


def test_what_the_server_is_asked_for_cannot_be_set_as_sampling():
    with pytest.raises(Exception, match="response_format"):
        parse_config({"propose": {"sampling": {"response_format": {"type": "json_object"}}}}, "test")


# The data.


async def test_the_same_records_at_any_concurrency(tmp_path):
    async with serving() as (_, url):
        for concurrency in (1, 32):
            folder = tmp_path / str(concurrency)
            await grow(folder, 40, teacher=teacher(url), seed=7, running={"concurrency": concurrency})
    assert (tmp_path / "1/records.jsonl").read_bytes() == (tmp_path / "32/records.jsonl").read_bytes()
    assert (tmp_path / "1/records.jsonl").read_bytes().count(b"\n") >= 40


async def test_the_built_in_teacher_is_asked_in_json(tmp_path):
    assert await grow(tmp_path / "run", 5) == ["json"] * 3
    with Store.read(tmp_path / "run") as store:
        usage = {row.stage: row.requests for row in status(store).usage}
        assert usage["probe"] == 1
        before = (tmp_path / "run/records.jsonl").read_bytes()
    with Store.resume(tmp_path / "run") as store:
        write_records(store)
    assert (tmp_path / "run/records.jsonl").read_bytes() == before
