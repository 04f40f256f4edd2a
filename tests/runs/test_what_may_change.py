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


def test_a_stage_that_the_strategy_does_not_have_is_refused(tmp_path):
    for table in ({"model": "large"}, {"sampling": {"temperature": 0.9}}):
        with pytest.raises(
            UsageError, match=r"\[instances\] would have no effect: the strategy alpaca .* only propose"
        ):
            open_run(tmp_path / "run", None, {"strategy": "alpaca", "instances": table}, None)
    assert not (tmp_path / "run").exists()
    begun(tmp_path / "run", strategy="alpaca")
    # What the run has written out itself may be named again.
    with open_run(tmp_path / "again", tmp_path / "run/config.toml", {}, None).store:
        pass


def test_another_model_is_refused_before_its_key_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    begun(tmp_path / "run", "propose")
    with pytest.raises(UsageError, match="started with different settings"):
        resumed(tmp_path / "run", {"teacher": {"kind": "openai", "model": "other"}})


def test_a_temperature_alone_may_be_named_again(tmp_path):
    alone = {"propose": {"sampling": {"temperature": 0.5}}}
    begun(tmp_path / "run", "propose", **alone)
    for flags in (alone, None):
        assert resumed(tmp_path / "run", flags).stage("propose").sampling == {"temperature": 0.5, "max_tokens": 1024}


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
    with pytest.raises(UsageError, match=f"started with different settings(.|\n)*  {named} was "):
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


def noted(folder, text):
    """The settings of the run in `folder`, resumed with a file of this text, and what that says."""
    file = folder.with_name("other.toml")
    file.write_text(text)
    run = open_run(folder, file, {}, None)
    with run.store:
        return run.config, run.kept


@pytest.mark.parametrize("is_begun", [False, True])
def test_the_simulated_teacher_calls_no_server_of_another_one(tmp_path, is_begun):
    file = tmp_path / "run.toml"
    file.write_text('[teacher]\nkind = "openai"\nmodel = "m"\nbase_url = "http://127.0.0.1:9/v1"\n')
    if is_begun:
        resumed(tmp_path / "run", None, file)
    teacher = resumed(tmp_path / "run", {"teacher": {"kind": "simulated"}}, file).stage("propose").teacher
    assert (teacher.kind, teacher.model, teacher.servers) == ("simulated", "simulated", ("",))


@pytest.mark.parametrize("answered", [(), ("propose",)])
def test_a_config_file_changes_only_what_it_names(tmp_path, answered):
    begun(
        tmp_path / "run", *answered, seed=7, running={"concurrency": 3, "deadline_s": 9},
        filters={"min_words": 2}, simulated={"latency_s": 2, "wrong_share": 0.5},
        prices={"a": {"input": 1, "output": 2}}, classify={**SAMPLING, "send_seed": False},
    )  # fmt: skip
    text = "[running]\ndeadline_s = 5\n[prices.a]\ninput = 3\n[prices.b]\ninput = 4\noutput = 5\n"
    config, kept = noted(tmp_path / "run", text + "[classify]\nmodel = 'simulated-2'\n")
    assert (config.seed, config.filters.min_words) == (7, 2)
    assert (config.running.concurrency, config.running.deadline_s) == (3, 5)
    assert (config.simulated.latency_s, config.simulated.wrong_share) == (2, 0.5)
    assert (config.prices["a"].input, config.prices["a"].output, config.prices["b"].input) == (3, 2, 4)
    teacher, sampling, _ = config.stage("classify")
    assert (teacher.model, teacher.send_seed, sampling) == ("simulated-2", False, SAMPLING["sampling"])
    assert kept.startswith("Kept from the run, because ")
    assert sorted(kept.rpartition(": ")[2].rstrip(".").split(", ")) == [
        "classify.sampling", "classify.send_seed", "filters.min_words", "prices.a.output", "running.concurrency",
        "seed", "simulated.latency_s", "simulated.wrong_share",
    ]  # fmt: skip


def test_a_run_of_defaults_has_nothing_to_say_of_what_a_file_leaves_out(tmp_path):
    begun(tmp_path / "run", "propose", strategy="alpaca", profile="paper")
    config, kept = noted(tmp_path / "run", "strategy = 'alpaca'\nprofile = 'paper'\n[running]\nconcurrency = 3\n")
    assert (config.running.concurrency, kept) == (3, "")


def test_lists_and_mixes_are_replaced_as_a_whole(tmp_path):
    mix = [{"model": "simulated-a", "weight": 2.0}, {"model": "simulated-b"}]
    begun(tmp_path / "run", "propose", instances={"mix": mix}, filters={"forbidden_words": ["map"]})
    config, kept = noted(tmp_path / "run", "[running]\nconcurrency = 3\n")
    assert [choice.teacher.model for choice in config.choices("instances")] == ["simulated-a", "simulated-b"]
    assert "filters.forbidden_words, instances.mix" in kept
    config, _ = noted(tmp_path / "run", "[[instances.mix]]\nmodel = 'simulated-c'\n")
    assert [choice.teacher.model for choice in config.choices("instances")] == ["simulated-c"]
    # One model takes the place of several, and stays.
    config, _ = noted(tmp_path / "run", "[instances]\nmodel = 'simulated-d'\n")
    assert [choice.teacher.model for choice in config.choices("instances")] == ["simulated-d"]
    assert [choice.teacher.model for choice in resumed(tmp_path / "run").choices("instances")] == ["simulated-d"]


def test_what_a_file_names_is_refused_as_before_and_what_it_leaves_out_is_not(tmp_path):
    begun(tmp_path / "run", "propose", seed=7, filters={"min_words": 2})
    with pytest.raises(UsageError) as refused:
        noted(tmp_path / "run", "window = 3\n")
    assert "window was 64, now 3" in str(refused.value)
    assert "seed" not in str(refused.value)


def test_a_file_that_names_no_test_sets_and_no_prompts_reads_none(tmp_path):
    import shutil

    from selfinstruct.asking.prompts import shipped

    folder = shutil.copytree(shipped("prompts"), tmp_path / "prompts")
    questions = tmp_path / "questions.txt"
    questions.write_text("What is the boiling point of water at sea level?\n")
    begun(tmp_path / "run", "propose", prompts=str(folder), decontaminate=[str(questions)])
    shutil.rmtree(folder)
    questions.unlink()
    config, kept = noted(tmp_path / "run", "[running]\nconcurrency = 3\n")
    assert config.decontaminate == (str(questions),)
    assert kept.endswith(": decontaminate, prompts.")


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
    with pytest.raises(UsageError, match="the prompt chat/propose differs from the one"):
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
