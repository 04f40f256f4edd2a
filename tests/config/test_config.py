"""Settings: what is wrong is named, secrets are not repeated, and what shapes the data is told apart."""

import datetime

import pytest

from selfinstruct.config.changes import shaping_settings
from selfinstruct.config.config import Config, parse_config
from selfinstruct.errors import UsageError
from selfinstruct.rows.toml import read_toml
from selfinstruct.settings import merge
from selfinstruct.teachers.settings import OPENAI_HOST

SECRET = "sk-secret-0123456789"


def refusal(values, source="run.toml"):
    with pytest.raises(UsageError) as caught:
        parse_config(values, source)
    return str(caught.value)


# What is wrong.


@pytest.mark.parametrize(
    ("values", "key", "near"),
    [
        ({"sed": 7}, "sed", "seed"),
        ({"teachr": {}}, "teachr", "teacher"),
        ({"teacher": {"modle": "x"}}, "teacher.modle", "model"),
        ({"filters": {"rouge_treshold": 0.5}}, "filters.rouge_treshold", "rouge_threshold"),
        ({"instances": {"smapling": {}}}, "instances.smapling", "sampling"),
        ({"running": {"concurency": 3}}, "running.concurency", "concurrency"),
        ({"simulated": {"latency": 1}}, "simulated.latency", "latency_s"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(values, key, near):
    message = refusal(values)
    assert message == f"run.toml: unknown key {key}; did you mean {near}?"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"modle": "x"}, "unknown key modle; did you mean model? It belongs in [teacher]"),
        ({"max_cots": 5}, "unknown key max_cots; did you mean max_cost? It belongs in [running]"),
        ({"temprature": 1}, "did you mean temperature? Set it in sampling of [propose], [classify] or [instances]"),
        ({"teacher": {"temprature": 1}}, "did you mean temperature? Set it in sampling of [propose], [classify] or"),
        ({"propose": {"max_token": 9}}, "did you mean max_tokens? Set it in sampling of [propose], such as"),
    ],
)
def test_an_unknown_key_that_belongs_elsewhere_says_where(values, says):
    assert says in refusal(values)


def test_an_unknown_key_like_no_other_lists_the_known_ones():
    message = refusal({"propose": {"zzz": 1}})
    assert message.startswith("run.toml: unknown key propose.zzz; choose one of: ")
    assert "sampling" in message
    assert "endpoint" in message


@pytest.mark.parametrize("stage", ["grade", "evolve", "rate_prices"])
def test_a_table_of_no_stage_names_the_stages_and_how_to_name_a_strategy(stage):
    message = refusal({stage: {"sampling": {"max_tokens": 4}}})
    assert message.startswith(f"run.toml: unknown table [{stage}]; the strategy self-instruct has no such stage, only ")
    assert "propose, classify, instances" in message
    assert message.endswith('strategy = "FILE.py:NAME"')


def test_an_unknown_key_of_a_price_is_named():
    assert "prices.small-1.imput" in refusal({"prices": {"small-1": {"imput": 1.0, "output": 2.0}}})


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"seed": "seven"}, "seed"),
        ({"teacher": "openai"}, "teacher"),
        ({"teacher": {"endpoint": "chats"}}, "teacher.endpoint"),
        ({"teacher": {"send_seed": "perhaps"}}, "teacher.send_seed"),
        ({"filters": {"rouge_threshold": 1.2}}, "filters.rouge_threshold"),
        ({"filters": {"forbidden_words": 3}}, "filters.forbidden_words"),
        ({"running": {"concurrency": 0}}, "running.concurrency"),
        ({"window": 0}, "window"),
        ({"prices": {"m": {"input": -1, "output": 0}}}, "prices.m.input"),
        ({"prices": {"m": {"input": 1}}}, "prices.m.output"),
        ({"propose": {"sampling": [1]}}, "propose.sampling"),
    ],
)
def test_a_wrong_value_names_its_key(values, key):
    assert refusal(values).startswith(f"run.toml: {key}: ")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"seed": "7"}, "seed: must be a whole number, not text; remove the quotes"),
        ({"seed": True}, "seed: must be a whole number, not true or false"),
        ({"running": {"max_cost": "5"}}, "running.max_cost: must be a number, not text; remove the quotes"),
        ({"running": {"batch": "yes"}}, "running.batch: must be true or false, not text; remove the quotes"),
    ],
)
def test_a_value_of_another_type_is_not_converted(values, says):
    assert refusal(values) == f"run.toml: {says}"


def test_every_wrong_key_is_named_at_once():
    message = refusal({"seed": "x", "window": 0, "teacher": {"modle": 1}})
    assert [line.split(": ")[1].split(";")[0] for line in message.splitlines()] == [
        "seed", "window", "unknown key teacher.modle",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        {"api_key": SECRET},
        {"teacher": {"api_key": SECRET}},
        {"instances": {"api_key": SECRET}},
        {"teacher": {"kind": SECRET}},
        {"teacher": {"logprobs": SECRET}},
        {"seed": SECRET},
        {"teacher": {"base_url": SECRET}},
        {"teacher": {"base_url": f"http://me:{SECRET}@host/v1"}},
        {"teacher": {"base_url": f"http://{SECRET}@host/v1"}},
        {"teacher": {"base_url": f"http://host/v1?key={SECRET}"}},
        {"classify": {"base_url": f"http://host/v1?key={SECRET}"}},
        {"propose": {"base_url": f"http://me:{SECRET}@host/v1"}},
        {"propose": {"sampling": {"model": SECRET}}},
    ],
)
def test_a_wrong_value_is_never_repeated(values):
    message = refusal(values)
    assert SECRET not in message
    assert next(iter(values)) in message


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://", "host/v1", "http://[bad/v1"])
def test_an_address_that_is_none_says_what_one_looks_like(url):
    message = refusal({"teacher": {"base_url": url}})
    assert message.startswith("run.toml: teacher.base_url (--base-url): ")


def test_an_address_with_a_key_says_where_the_key_belongs():
    assert "api_key_env" in refusal({"teacher": {"base_url": "http://me:pw@host/v1"}})


def test_a_wrong_address_of_a_stage_is_named_by_its_own_key():
    assert refusal({"propose": {"base_url": "http://me:pw@host/v1"}}).startswith("run.toml: propose.base_url: ")


def test_an_address_loses_its_last_slash():
    config = parse_config({"teacher": {"base_url": "http://h:1/v1/"}, "propose": {"base_url": "http://p/v1/"}}, "s")
    assert config.teacher.base_url == "http://h:1/v1"
    assert config.section("propose").base_url == "http://p/v1"


@pytest.mark.parametrize("key", ["model", "messages", "prompt", "n", "best_of", "seed", "logprobs"])
def test_sampling_must_not_hold_what_the_program_sets_itself(key):
    message = refusal({"instances": {"sampling": {"temperature": 0, key: 1}}})
    assert message == f"run.toml: instances.sampling: must not contain {key}, which selfinstruct sets itself"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"decontaminate": "x"}, "decontaminate: must be a list"),
        ({"prices": {"a": 3}}, "prices.a: must be a table"),
        ({"filters": 3}, "filters: must be a table"),
        ({"seed": 1.5}, "seed: must be a whole number"),
        ({"seed": "x"}, "seed: must be a whole number"),
        ({"running": {"deadline_s": "x"}}, "running.deadline_s: must be a number"),
        ({"running": {"batch": "maybe"}}, "running.batch: must be true or false"),
        ({"teacher": {"model": 3}}, "teacher.model: must be text"),
        (
            {"teacher": {"base_url": 3}},
            "teacher.base_url (--base-url): must be text\nrun.toml: teacher.base_url (--base-url): must be a list",
        ),
        ({"teacher": {"rouge": 3}}, "unknown key teacher.rouge; choose one of: "),
        (
            {"field_names": {"outputs": ["x"]}},
            "unknown key field_names.outputs; it must be 'instruction', 'input', 'output', 'label' or 'example'",
        ),
    ],
    ids=str,
)
def test_a_wrong_value_is_named_without_words_of_the_code(values, problem):
    assert refusal(values).startswith(f"run.toml: {problem}")


@pytest.mark.parametrize(
    ("sampling", "problem"),
    [
        ({"max_tokens": 0}, "max_tokens must be a whole number of at least 1"),
        ({"max_tokens": "64"}, "max_tokens must be a whole number of at least 1"),
        ({"max_tokens": True}, "max_tokens must be a whole number of at least 1"),
        ({"max_tokens": 64.0}, "max_tokens must be a whole number of at least 1"),
        ({"max_completion_tokens": -1}, "max_completion_tokens must be a whole number of at least 1"),
        ({"temperature": -0.1}, "temperature must be a number of at least 0"),
        ({"temperature": "0.7"}, "temperature must be a number of at least 0"),
        ({"top_p": 1.5}, "top_p must be a number from 0 to 1"),
    ],
    ids=str,
)
def test_sampling_out_of_range_is_refused_before_a_server_is_asked(sampling, problem):
    assert refusal({"classify": {"sampling": sampling}}) == f"run.toml: classify.sampling: {problem}"


@pytest.mark.parametrize(
    ("values", "key", "places"),
    [
        ({"temperature": 1}, "temperature", "[propose], [classify] or [instances]"),
        ({"teacher": {"temperature": 1}}, "teacher.temperature", "[propose], [classify] or [instances]"),
        ({"teacher": {"max_tokens": 9}}, "teacher.max_tokens", "[propose], [classify] or [instances]"),
        ({"instances": {"top_p": 1}}, "instances.top_p", "[instances]"),
        ({"strategy": "alpaca", "teacher": {"stop": "."}}, "teacher.stop", "[propose]"),
    ],
    ids=str,
)
def test_a_sampling_setting_elsewhere_is_told_where_it_belongs(values, key, places):
    assert refusal(values).startswith(
        f"run.toml: unknown key {key}; set it in sampling of {places}, such as sampling ="
    )


def test_settings_cannot_be_changed_once_they_are_read():
    with pytest.raises(ValueError, match="frozen"):
        Config().seed = 3


# Files.


def test_a_toml_file_is_read(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('seed = 7\n[instances]\nmodel = "größer"\nsampling = { temperature = 0.5 }\n', encoding="utf-8")
    assert read_toml(path) == {"seed": 7, "instances": {"model": "größer", "sampling": {"temperature": 0.5}}}


@pytest.mark.parametrize(
    "content", [b"seed = \n", b"seed = 1\nseed = 2\n", b"[teacher\n", b"name = '\xff\xfe'\n", b'model = "a\n']
)
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"run\.toml: not (valid TOML: |UTF-8 text)"):
        read_toml(path)


def test_a_syntax_error_tells_the_line_and_not_the_text(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(f"seed = 1\napi_key = {SECRET}\n")
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    assert "line 2" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "says"), [("nothing.toml", "no such file"), (".", "this is a folder"), ("/dev/null", "not a regular file")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, says):
    with pytest.raises(UsageError, match=says) as caught:
        read_toml(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


# Laying settings over each other.


def test_merge_lays_tables_over_each_other_key_by_key():
    below = {"seed": 1, "teacher": {"kind": "openai", "model": "a"}, "window": 3}
    above = {"seed": 2, "teacher": {"model": "b"}, "filters": {"min_words": 2}}
    assert merge(below, above) == {
        "seed": 2,
        "teacher": {"kind": "openai", "model": "b"},
        "window": 3,
        "filters": {"min_words": 2},
    }


def test_merge_takes_sampling_as_a_whole():
    below = {"propose": {"model": "a", "sampling": {"temperature": 1, "top_p": 0.5}}, "prices": {"a": 1, "b": 2}}
    above = {"propose": {"sampling": {"temperature": 0}}, "prices": {"b": 3}}
    assert merge(below, above) == {
        "propose": {"model": "a", "sampling": {"temperature": 0}},
        "prices": {"a": 1, "b": 3},
    }


def test_merge_changes_neither_of_its_arguments():
    below, above = {"teacher": {"model": "a"}}, {"teacher": {"kind": "openai"}}
    merged = merge(below, above)
    merged["teacher"]["model"] = "z"
    assert below == {"teacher": {"model": "a"}}
    assert above == {"teacher": {"kind": "openai"}}


# What shapes the data.


def test_what_only_says_how_a_run_is_carried_out_does_not_shape_the_data():
    plain = shaping_settings(parse_config({"teacher": {"kind": "openai", "model": "m"}}, "s"))
    other = shaping_settings(
        parse_config(
            {
                "teacher": {"kind": "openai", "model": "m", "api_key_env": "OTHER_KEY"},
                "running": {"concurrency": 99, "deadline_s": 3, "attempts": 2},
                "prices": {"m": {"input": 1, "output": 2}},
                "simulated": {"latency_s": 2, "error_share": 0.5, "rate_limit_per_s": 3, "api_key": "x"},
                "classify": {"api_key_env": "THIRD_KEY"},
                "prompts": "elsewhere",
            },
            "s",
        )
    )
    assert plain == other


def test_the_address_does_not_shape_the_data():
    one, two = (
        shaping_settings(parse_config({"teacher": {"kind": "openai", "model": "m", "base_url": url}}, "s"))
        for url in ("http://here:1/v1", "http://there:2/v1")
    )
    assert one == two
    assert not [key for key in one if "base_url" in key or "api_key" in key or key.startswith(("running", "prices"))]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"seed": 9}, "seed"),
        ({"window": 9}, "window"),
        ({"proposals_per_request": 9}, "proposals_per_request"),
        ({"filters": {"rouge_threshold": 0.5}}, "filters.rouge_threshold"),
        ({"filters": {"forbidden_words": ["x"]}}, "filters.forbidden_words"),
        ({"filters": {"max_instances": 2}}, "filters.max_instances"),
        ({"teacher": {"model": "x"}}, "propose.model"),
        ({"teacher": {"endpoint": "completion"}}, "classify.endpoint"),
        ({"teacher": {"send_seed": False}}, "instances.send_seed"),
        ({"instances": {"model": "x"}}, "instances.model"),
        ({"propose": {"sampling": {"temperature": 0.3}}}, "propose.sampling"),
        ({"simulated": {"wrong_share": 0.25}}, "simulated.wrong_share"),
        ({"simulated": {"malformed_share": 0.25}}, "simulated.malformed_share"),
        ({"simulated": {"families": ["parity"]}}, "simulated.families"),
    ],
)
def test_what_shapes_the_data_is_among_the_shaping_settings(change, key):
    before, after = shaping_settings(Config()), shaping_settings(parse_config(change, "s"))
    assert before[key].value != after[key].value


def test_an_unknown_family_names_the_nearest_known_one():
    message = refusal({"simulated": {"families": ["parity", "sentimnt"]}})
    assert message == "run.toml: simulated.families: unknown family sentimnt; did you mean sentiment?"


def test_a_model_named_for_every_stage_is_the_same_as_one_named_for_all():
    stages = {stage: {"model": "m"} for stage in ("propose", "classify", "instances")}
    assert shaping_settings(parse_config(stages, "s")) == shaping_settings(
        parse_config({"teacher": {"model": "m"}}, "s")
    )


def test_of_the_simulated_teacher_only_what_it_says_shapes_the_data():
    found = {key.removeprefix("simulated.") for key in shaping_settings(Config()) if key.startswith("simulated.")}
    assert found == {
        "families", "json_schema", "wrong_share", "repeat_share", "forbidden_share", "malformed_share",
        "malformed_kinds", "refusal_share", "poison_share", "too_long_tokens",
    }  # fmt: skip


# The teacher of each stage.

DEFAULT_SAMPLING = {
    ("propose", "chat"): {"temperature": 1.0, "max_tokens": 1024},
    ("classify", "chat"): {"temperature": 0.0, "max_tokens": 32},
    ("instances", "chat"): {"temperature": 0.0, "max_tokens": 1024},
    ("propose", "completion"): {  # the last: behind 8 tasks shown and 8 new ones
        "temperature": 0.7, "top_p": 0.5, "presence_penalty": 2.0, "max_tokens": 1024, "stop": ["\n\n", "\n17."],
    },
    ("classify", "completion"): {"temperature": 0.0, "max_tokens": 3, "stop": ["\n"]},
    ("instances", "completion"): {
        "temperature": 0.0, "presence_penalty": 1.5, "max_tokens": 350, "stop": ["\nTask:"],
    },
}  # fmt: skip


def test_a_stage_is_laid_over_the_teacher():
    config = parse_config(
        {
            "teacher": {"kind": "openai", "model": "small", "base_url": "http://a/v1", "logprobs": True},
            "instances": {"model": "large", "base_url": "http://b/v1", "send_seed": False},
        },
        "s",
    )
    propose, instances = config.stage("propose").teacher, config.stage("instances").teacher
    assert (propose.model, propose.base_url, propose.send_seed, propose.logprobs) == (
        "small", "http://a/v1", True, True,
    )  # fmt: skip
    assert (instances.model, instances.base_url, instances.send_seed, instances.logprobs) == (
        "large", "http://b/v1", False, True,
    )  # fmt: skip
    assert instances.kind == "openai"


@pytest.mark.parametrize("endpoint", ["chat", "completion"])
@pytest.mark.parametrize("stage", ["propose", "classify", "instances"])
def test_each_stage_and_endpoint_has_its_own_default_sampling(stage, endpoint):
    config = parse_config({stage: {"endpoint": endpoint}}, "s")
    assert config.stage(stage).sampling == DEFAULT_SAMPLING[stage, endpoint]


@pytest.mark.parametrize(
    ("sampling", "written_out"),
    [
        ({"temperature": 0.3}, {"temperature": 0.3, "max_tokens": 1024}),
        ({"temperature": 0.3, "max_tokens": 64}, {"temperature": 0.3, "max_tokens": 64}),
        ({"max_completion_tokens": 64}, {"max_completion_tokens": 64}),
    ],
)
def test_a_temperature_alone_leaves_the_limit_of_tokens(sampling, written_out):
    config = parse_config({"propose": {"sampling": sampling}}, "s")
    assert config.resolved().stage("propose").sampling == written_out
    # A run of a version that sent no limit goes on without.
    assert config.resolved(before=config).stage("propose").sampling == sampling


def test_sampling_of_ones_own_replaces_the_default_and_leaves_it_as_it_was():
    config = parse_config({"propose": {"sampling": {"top_k": 5}}}, "s")
    assert config.stage("propose").sampling == {"top_k": 5}
    changed = config.stage("classify").sampling
    changed["temperature"] = 99
    assert config.stage("classify").sampling["temperature"] == 0.0


OPENAI = {"kind": "openai", "model": "m"}


@pytest.mark.parametrize(
    "teacher",
    [
        OPENAI,
        {**OPENAI, "base_url": OPENAI_HOST},
        {**OPENAI, "base_url": OPENAI_HOST + "/"},
    ],
)
def test_openais_own_host_is_told_the_limit_by_its_new_name(teacher):
    sampling = parse_config({"teacher": teacher}, "s").stage("propose").sampling
    assert sampling["max_completion_tokens"] == DEFAULT_SAMPLING["propose", "chat"]["max_tokens"]
    assert "max_tokens" not in sampling


@pytest.mark.parametrize(
    "teacher",
    [
        {**OPENAI, "base_url": "http://localhost:8000/v1"},
        {**OPENAI, "endpoint": "completion"},
        {"kind": "simulated"},
    ],
)
def test_every_other_server_is_told_the_limit_by_its_old_name(teacher):
    sampling = parse_config({"teacher": teacher}, "s").stage("propose").sampling
    assert "max_tokens" in sampling
    assert "max_completion_tokens" not in sampling


def test_one_stage_elsewhere_is_told_the_limit_as_that_server_knows_it():
    config = parse_config({"teacher": OPENAI, "classify": {"base_url": "http://localhost:8000/v1"}}, "s")
    assert "max_completion_tokens" in config.stage("propose").sampling
    assert "max_tokens" in config.stage("classify").sampling


@pytest.mark.parametrize("section", ["teacher", "instances"])
def test_a_key_in_place_of_its_variables_name_is_refused_and_not_repeated(section):
    with pytest.raises(UsageError, match="NAME of an environment variable") as caught:
        parse_config({section: {"api_key_env": "sk-very-secret-42"}}, "run.toml")
    assert "sk-very" not in str(caught.value)
    assert f"{section}.api_key_env" in str(caught.value)


def test_more_words_than_the_most_are_no_length():
    with pytest.raises(UsageError, match="min_words must not be greater"):
        parse_config({"filters": {"min_words": 10, "max_words": 5}}, "run.toml")


def test_sampling_must_be_what_json_can_carry():
    with pytest.raises(UsageError, match="what JSON can express"):
        parse_config({"propose": {"sampling": {"user": datetime.date(2020, 1, 1)}}}, "run.toml")


# What a profile and a strategy set.


def test_the_paper_profile_has_the_published_rules():
    filters = parse_config({"profile": "paper"}, "test").filters
    assert (filters.ascii_start, filters.ascii_tokens) == (True, True)
    assert filters.forbidden_words == (
        "image", "images", "graph", "graphs", "picture", "pictures", "file", "files", "map", "maps", "draw", "plot",
        "go to",
    )  # fmt: skip
    ours = parse_config({}, "test").filters
    assert (ours.ascii_start, ours.ascii_tokens) == (False, False)
    assert set(ours.forbidden_words) - set(filters.forbidden_words) == {
        "video", "audio", "music", "flowchart", "diagram"
    }  # fmt: skip


def test_what_the_user_sets_goes_before_a_profile_and_a_strategy():
    asked = {
        "profile": "paper", "strategy": "alpaca", "seed_demonstrations": 4,
        "filters": {"ascii_start": False, "min_words": 2},
    }  # fmt: skip
    config = parse_config(asked, "test")
    assert (config.filters.ascii_start, config.filters.ascii_tokens, config.filters.min_words) == (False, True, 2)
    assert (config.seed_demonstrations, config.generated_demonstrations, config.proposals_per_request) == (4, 0, 20)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"profile": "papers"}, "profile"),
        ({"strategy": "alpacas"}, "strategy"),
        ({"strategy": 3}, "strategy"),
        ({"profile": ["paper"]}, "profile"),
        ({"teacher": {"answer_format": "yaml"}}, "teacher.answer_format"),
        ({"classify": {"answer_format": 1}}, "classify.answer_format"),
        ({"filters": {"near_duplicate": 0.4}}, "filters.near_duplicate"),
        ({"profile": "paper", "filters": 3}, "filters"),
    ],
)
def test_a_profile_strategy_or_format_that_is_none_is_named(values, named):
    with pytest.raises(UsageError, match=rf"test: {named}"):
        parse_config(values, "test")


def test_only_what_is_asked_is_settled():
    config = parse_config({"classify": {"answer_format": "text"}}, "test")
    assert [config.stage(stage).teacher.answer_format for stage in config.stages] == ["auto", "text", "auto"]
    settled = config.with_choices({"propose": [{"answer_format": "json"}]})
    assert [settled.stage(stage).teacher.answer_format for stage in settled.stages] == ["json", "text", "auto"]
    assert config.section("propose").answer_format is None, "the settings themselves do not change"


def test_filters_are_switched_off_by_name():
    assert parse_config({"filters": {"without": ["too_long", "cut_off", "too_long"]}}, "test").filters.without == (
        "cut_off", "too_long",
    )  # fmt: skip
    for name, message in {
        "empty_outptu": "did you mean empty_output",
        "empty_output": "empty_output cannot be switched off: there is nothing to learn from",
        "no_words": "no_words cannot be switched off",
        "zzzz": "choose one of: cut_off, too_short",
    }.items():
        with pytest.raises(UsageError, match=message):
            parse_config({"filters": {"without": [name]}}, "test")
