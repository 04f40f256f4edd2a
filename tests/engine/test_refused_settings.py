"""Servers that refuse settings: it is found out before anything is paid, said, and kept to."""

import json

import pytest

from selfinstruct.config.stored import config_of
from selfinstruct.errors import TeacherError, UsageError
from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run
from selfinstruct.store.store import Store
from selfinstruct.teachers import scheduler
from tests.engine.test_structured import grow, kind_of, serving, teacher


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(scheduler, "BACKOFF_FIRST_S", 0.001)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def error(message, status=400, **more):
    return status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **more}}


# Servers as they were reported: tests/teachers/test_refused.py says where.


def reasoning_model(body):
    if "max_tokens" in body:
        return error("Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.")
    if body.get("temperature", 1) != 1:
        return error("Unsupported value: 'temperature' does not support 0.0. Only the default (1) value is supported.")
    return error("logprobs is not supported") if "logprobs" in body else None


def no_seed(body):
    if "seed" not in body:
        return None
    return 400, [{"error": {"code": 400, "message": 'Unknown name "seed": Cannot find field.', "status": "INVALID"}}]


def no_zero(body):
    if body.get("temperature") != 0:
        return None
    return 422, {"error": "Input validation error: `temperature` must be strictly positive", "error_type": "validation"}


def no_thinking(body):
    if body.get("enable_thinking") is False:
        return None
    return error("parameter.enable_thinking must be set to false for non-streaming calls")


def stream_only(body):
    if body.get("stream"):
        return error("stream_options is not supported") if "stream_options" in body else None
    return error("This model only support stream mode, please enable the stream parameter to access the model.")


def one_thing_after_the_other(body):
    for refuse in (reasoning_model, no_seed, lambda b: error("no json_schema: unavailable") if "response_format" in b
                   else None):  # fmt: skip
        if found := refuse(body):
            return found
    return None


@pytest.mark.parametrize(
    ("refuse", "settings", "classify", "told"),
    [
        (reasoning_model, {"logprobs": True}, {"max_completion_tokens": 32},
         ["max_completion_tokens instead of max_tokens", "Warning: this shapes the data. Requests to simulated are "
          "sent without temperature (propose, classify, instances)", "logprobs = false"]),
        (no_seed, {}, {}, ["with send_seed = false"]),
        (no_zero, {}, {"temperature": 0.01, "max_tokens": 32}, ["this shapes the data", "must be strictly"]),
        (no_thinking, {}, {"temperature": 0.0, "max_tokens": 32, "enable_thinking": False},
         ["enable_thinking = false"]),
        (stream_only, {}, {"temperature": 0.0, "max_tokens": 32, "stream": True}, ["stream = true"]),
        (one_thing_after_the_other, {}, {"max_completion_tokens": 32},
         ["send_seed = false", 'answer_format = "text"']),
    ],
)  # fmt: skip
async def test_what_is_refused_is_left_out_before_anything_is_paid(tmp_path, capsys, refuse, settings, classify, told):  # noqa: PLR0917
    async with serving(refuse=refuse) as (server, url):
        await grow(tmp_path / "run", 3, teacher=teacher(url, **settings))
        real = [body for _, body in server.received if "Name any number" not in json.dumps(body)]
        assert not any(refuse(body) for body in real)  # refused requests are probes
        said = capsys.readouterr().out
        assert all(words in said for words in told), said
        with Store.read(tmp_path / "run") as store:
            config = config_of(store)
            sent = {body for (body,) in store.query("SELECT sampling FROM requests WHERE stage = 'classify'")}
        assert not classify or config.stage("classify").sampling == classify
        assert all(json.loads(body).items() >= classify.items() for body in sent)
        # The next session asks nothing of this again.
        before = len(server.received)
        await grow(tmp_path / "run", 5)
        assert not any("Name any number" in json.dumps(body) for _, body in server.received[before:])


@pytest.mark.parametrize("refuse", [reasoning_model, no_seed, no_zero, no_thinking, one_thing_after_the_other])
async def test_the_same_command_goes_on_and_ends_with_the_same_bytes(tmp_path, refuse):
    """A config file says what the user wants; what was learned is applied to it again."""
    config = tmp_path / "run.toml"
    async with serving(refuse=refuse) as (server, url):
        config.write_text(
            f'seed = 3\n[teacher]\nkind = "openai"\nmodel = "simulated"\nbase_url = "{url}"\n'
            "[classify]\nsampling = { temperature = 0.0, max_tokens = 32 }\n"
        )
        await grow(tmp_path / "once", 6, config)
        await grow(tmp_path / "twice", 3, config)
        before = len(server.received)
        await grow(tmp_path / "twice", 6, config)
        assert not any("Name any number" in json.dumps(body) for _, body in server.received[before:])
    once, twice = (tmp_path / name / "records.jsonl" for name in ("once", "twice"))
    assert once.read_bytes() == twice.read_bytes()


async def test_settings_that_a_server_takes_cost_one_small_request(tmp_path):
    async with serving() as (server, url):
        await grow(tmp_path / "run", 2, teacher=teacher(url))
    (probe,) = [body for _, body in server.received if kind_of(body) == "probe"]
    assert probe["temperature"] == 0
    assert {"seed", "max_tokens", "response_format"} <= probe.keys()


async def test_each_stages_own_settings_are_tried(tmp_path):
    def refuse(body):
        return error("top_k is not supported") if "top_k" in body else None

    async with serving(refuse=refuse) as (server, url):
        sampling = {"temperature": 0.0, "max_tokens": 32, "top_k": 5}
        await grow(tmp_path / "run", 2, teacher=teacher(url), classify={"sampling": sampling})
    tried = [set(body) for _, body in server.received if kind_of(body) == "probe"]
    assert [("top_k" in body) for body in tried] == [False, True, False]


async def test_a_format_that_the_user_insists_on_stops_the_run_before_anything_is_paid(tmp_path):
    async with serving("refused") as (server, url):
        with pytest.raises(TeacherError, match=r'Set answer_format = "text" in \[propose\] or \[teacher\]'):
            await grow(tmp_path / "run", 2, teacher=teacher(url, answer_format="json"))
        assert server.asked == {"probe": 1}
        assert await grow(tmp_path / "run", 2, teacher=teacher(url, answer_format="text")) == ["text"] * 3


async def test_a_value_out_of_range_is_the_users_to_change(tmp_path):
    """It is found in the stage that is asked last, and the corrected settings go on with the same folder."""

    def refuse(body):
        return error("max_tokens must be less than or equal to 64") if body.get("max_tokens") == 99 else None

    def stage(limit):
        return {"sampling": {"temperature": 0.0, "max_tokens": limit, "top_k": 5}}

    async with serving(refuse=refuse) as (server, url):
        with pytest.raises(TeacherError, match=r"Change or leave out max_tokens in sampling of \[instances\]"):
            await grow(tmp_path / "run", 2, teacher=teacher(url), instances=stage(99))
        assert all("Name any number" in json.dumps(body) for _, body in server.received)
        await grow(tmp_path / "run", 2, teacher=teacher(url), instances=stage(64))


async def test_a_window_that_is_too_small_for_any_answer_stops_the_run(tmp_path):
    message = "'max_tokens' is too large: 1024. This model's maximum context length is 512 tokens"
    async with serving(refuse=lambda body: error(message)) as (server, url):
        with pytest.raises(TeacherError, match=r"context window: .* Start the server with a larger window"):
            await grow(tmp_path / "run", 2, teacher=teacher(url))
        assert len(server.received) == 1


def no_seed_and_no_answers(body):
    return no_seed(body) or (None if kind_of(body) == "probe" else error("no such stage"))


@pytest.mark.parametrize("refuse", [lambda body: error("the model is being replaced"), no_seed_and_no_answers])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_what_a_server_refused_is_tried_again_after_it_has_stopped_the_run(tmp_path, refuse, elsewhere):
    """Of another server, nothing is known yet. Where the same one is mended, what stopped the run is open again."""
    down = [True]
    async with (
        serving(refuse=lambda body: refuse(body) if down else None) as (_, url),
        serving() as (second, other),
    ):
        with pytest.raises(TeacherError):
            await grow(tmp_path / "run", 2, teacher=teacher(url))
        down.clear()
        await grow(tmp_path / "run", 2, teacher=teacher(other if elsewhere else url))
        assert bool(second.received) == elsewhere
        assert all("seed" in body for _, body in second.received)


async def test_a_stage_that_was_never_answered_may_get_other_settings(tmp_path):
    """A refusal that only the stage's own requests meet: nothing of it is stored, so its settings are open."""

    def refuse(body):
        is_classify = "classif" in json.dumps(body.get("messages", "")).lower()
        return error("no such thing") if is_classify and body["max_tokens"] == 32 else None

    async with serving(refuse=refuse) as (_, url):
        with pytest.raises(TeacherError, match="first 5 classify requests were all refused: http_400: no such thing"):
            await grow(tmp_path / "run", 3, teacher=teacher(url))
        await grow(tmp_path / "run", 3, classify={"sampling": {"temperature": 0.0, "max_tokens": 40}})


@pytest.mark.parametrize(
    ("refuse", "told"),
    [
        (no_seed, "are now sent without seed, because"),
        (lambda body: reasoning_model(body) if "max_tokens" in body else None, "max_completion_tokens instead of max"),
        (stream_only, "are now sent with stream = true"),
        (no_zero, None),
    ],
)
async def test_what_is_refused_late_is_left_out_where_the_data_keeps_its_settings(tmp_path, capsys, refuse, told):
    """A gateway that takes another server in the middle of a run. The requests stay those of the run."""
    answers = 0

    def late(body):
        nonlocal answers
        answers += 1
        return refuse(body) if answers > 12 else None

    async with serving(refuse=late) as (server, url):
        if told is None:
            with pytest.raises(TeacherError, match="Earlier ones were accepted"):
                await grow(tmp_path / "run", 40, teacher=teacher(url))
            return
        await grow(tmp_path / "run", 6, teacher=teacher(url))
        assert capsys.readouterr().out.count(told) == 1
        await grow(tmp_path / "run", 8)
        assert any(map(refuse, (body for _, body in server.received)))
        assert not refuse(server.received[-1][1])
        with Store.read(tmp_path / "run") as store:
            assert not list(store.query("SELECT 1 FROM completions WHERE error <> ''"))


async def test_a_budget_needs_a_limit_of_answers_that_the_server_takes(tmp_path):
    def refuse(body):
        return error("max_tokens is not supported") if "max_tokens" in body else None

    async with serving(refuse=refuse) as (server, url):
        run = open_run(tmp_path / "run", None, {"teacher": teacher(url), "running": {"max_tokens": 10**6}}, None)
        with run.store, pytest.raises(UsageError, match="A budget needs a maximum answer length"):
            await generate(run, 2)
        assert set(server.asked) == {"probe"}
