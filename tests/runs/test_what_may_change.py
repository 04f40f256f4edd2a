"""Settings of an existing run: what shaped its data stays, what nothing depends on yet may be corrected."""

import pytest

from selfinstruct.config.changes import State, shaping_settings
from selfinstruct.config.config import parse_config
from selfinstruct.errors import UsageError
from selfinstruct.records import IMPORTED, Completion, Request
from selfinstruct.runs.run import open_run
from selfinstruct.settings import MayChange


def begun(folder, *stages, teacher="simulated", **flags):
    """A run in which these stages were answered."""
    with open_run(folder, None, flags, None).store as store:
        for stage in stages:
            request = Request(stage, teacher, "simulated", "chat", "", f"For {stage}.", {})
            store.add_completion(request, Completion(request.id, "text", "stop"))


def resumed(folder, flags=None, config=None):
    run = open_run(folder, config, flags or {}, None)
    with run.store:
        return run.config


SAMPLING = {"sampling": {"temperature": 0.5, "max_tokens": 64}}


@pytest.mark.parametrize("stage", ["classify", "instances"])
def test_a_stage_that_was_never_answered_gets_other_settings(tmp_path, stage):
    begun(tmp_path / "run", "propose")
    config = resumed(tmp_path / "run", {stage: SAMPLING})
    assert config.stage(stage).sampling == SAMPLING["sampling"]
    # They stay, without being named again, and another stage may be corrected next.
    assert resumed(tmp_path / "run").stage(stage).sampling == SAMPLING["sampling"]
    other = {"classify": "instances", "instances": "classify"}[stage]
    config = resumed(tmp_path / "run", {other: {"model": "simulated-large"}})
    assert config.stage(stage).sampling == SAMPLING["sampling"]
    assert config.stage(other).teacher.model == "simulated-large"


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"propose": SAMPLING}, "propose.sampling"),
        ({"teacher": {"model": "other"}}, "propose.model"),
        ({"seed": 8}, "seed"),
        ({"strategy": "alpaca"}, "strategy"),
        ({"proposals_per_request": 4}, "proposals_per_request"),
        ({"filters": {"min_words": 5}}, "filters.min_words"),
        ({"simulated": {"wrong_share": 0.5}}, "simulated.wrong_share"),
    ],
)
def test_what_an_answer_depends_on_is_refused_by_name(tmp_path, flags, named):
    begun(tmp_path / "run", "propose")
    with pytest.raises(UsageError, match=f"begun with other settings(.|\n)*  {named} was "):
        resumed(tmp_path / "run", flags)


def test_an_answered_stage_is_fixed_and_another_is_not(tmp_path):
    begun(tmp_path / "run", "propose", "classify")
    with pytest.raises(UsageError) as refused:
        resumed(tmp_path / "run", {"classify": SAMPLING, "instances": SAMPLING})
    assert "classify.sampling" in str(refused.value)
    assert "instances.sampling" not in str(refused.value)


def test_a_config_file_changes_nothing_of_a_stage_that_it_leaves_out(tmp_path):
    own = {**SAMPLING, "send_seed": False, "model": "simulated-own"}
    begun(tmp_path / "run", "propose", propose=SAMPLING, classify=own)
    file = tmp_path / "other.toml"
    file.write_text("[running]\nconcurrency = 3\n[instances]\nmodel = 'simulated-other'\n")
    config = resumed(tmp_path / "run", config=file)
    assert config.stage("propose").sampling == config.stage("classify").sampling == SAMPLING["sampling"]
    assert (config.stage("classify").teacher.send_seed, config.stage("classify").teacher.model) == (
        False, "simulated-own",
    )  # fmt: skip
    assert config.stage("instances").teacher.model == "simulated-other"


def test_another_endpoint_of_a_stage_that_was_never_answered_has_its_prompts_and_its_format(tmp_path):
    begun(tmp_path / "run", "propose", propose={"answer_format": "json"}, classify={"answer_format": "json"})
    run = open_run(tmp_path / "run", None, {"classify": {"endpoint": "completion", "answer_format": "auto"}}, None)
    with run.store as store:
        assert {"chat/classify", "completion/classify"} <= store.settings()["prompts"].keys()
        assert run.config.stage("classify").teacher.answer_format == "auto"
        assert run.config.stage("propose").teacher.answer_format == "json"


def test_how_a_run_is_carried_out_may_change_at_any_time(tmp_path):
    begun(tmp_path / "run", "propose", "classify", "instances")
    flags = {
        "running": {"concurrency": 3, "deadline_s": 5}, "prices": {"simulated": {"input": 1, "output": 2}},
        "teacher": {"requests_per_minute": 60, "api_key_env": "OTHER"}, "simulated": {"latency_s": 1},
    }  # fmt: skip
    assert resumed(tmp_path / "run", flags).running.concurrency == 3


@pytest.mark.parametrize("answered", [(), ("probe",)])
def test_until_an_answer_all_may_change(tmp_path, answered):
    begun(tmp_path / "run", *answered)
    assert resumed(tmp_path / "run", {"strategy": "alpaca", "seed": 8}).strategy == "alpaca"


def test_recorded_answers_fix_no_teacher(tmp_path):
    begun(tmp_path / "run", "propose", teacher=IMPORTED)
    assert resumed(tmp_path / "run", {"propose": SAMPLING}).stage("propose").sampling == SAMPLING["sampling"]


def test_prompts_of_a_stage_that_was_never_answered_may_change(tmp_path):
    import shutil

    from selfinstruct.asking.prompts import shipped

    begun(tmp_path / "run", "propose")
    folder = shutil.copytree(shipped("prompts"), tmp_path / "prompts")
    file = tmp_path / "own.toml"
    file.write_text(f"prompts = '{folder}'\n")
    classify = folder / "chat/classify.jinja"
    classify.write_text(classify.read_text().replace("{% block system %}", "{% block system %}Be brief. ", 1))
    assert resumed(tmp_path / "run", config=file).prompts == str(folder)
    propose = folder / "chat/propose.jinja"
    propose.write_text(propose.read_text().replace("{% block system %}", "{% block system %}Be brief. ", 1))
    with pytest.raises(UsageError, match="the prompt chat/propose is not the one"):
        resumed(tmp_path / "run", config=file)


def test_a_run_gets_the_prompts_of_stages_that_came_later(tmp_path):
    begun(tmp_path / "run", "propose")
    with open_run(tmp_path / "run", None, {}, None).store as store, store.transaction():
        prompts = store.settings()["prompts"]
        store.set_settings({"prompts": {name: text for name, text in prompts.items() if name != "chat/classify"}})
    with open_run(tmp_path / "run", None, {}, None).store as store:
        assert store.settings()["prompts"] == prompts


def test_every_setting_that_shapes_the_data_has_its_time():
    settings = shaping_settings(parse_config({}, "test"))
    filtered = {name for name, one in settings.items() if one.may_change is MayChange.UNTIL_FILTERED}
    assert {name.partition(".")[0] for name in filtered} == {"filters", "profile", "decontaminate"}
    assert {one.stage for one in settings.values()} == {"", "propose", "classify", "instances"}
    fresh, done = State(False, ()), State(True, ("propose", "classify", "instances"))
    assert not any(fresh.fixes(one) for one in settings.values())
    assert all(done.fixes(one) for one in settings.values())
