"""Settings of a training: read, refused, filled in, written out; presets and launch configs."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from accelerate.commands.config import load_config_from_file

from finetune.training import defaults
from finetune.training.defaults import Machine, Schedule
from finetune.training.launching import CONFIGS, command
from finetune.training.loss_picture import draw
from finetune.training.settings import FinetuneSettings, named_settings, parse_settings, presets, to_toml
from selfinstruct.errors import UsageError
from tests.loopback import HANG_S

CPU, GPU, OLD_GPU = Machine(False, False), Machine(True, True), Machine(True, False)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"learning_rat": 1e-4}, "unknown key learning_rat; did you mean learning_rate?"),
        ({"lora": {"rang": 4}}, "unknown key lora.rang; did you mean rank?"),
        ({"data": [{"path": "a", "wait": 2}]}, "unknown key data.0.wait; did you mean weight?"),
        ({"epochs": 0}, "epochs: must be greater than 0"),
        ({"method": "lor"}, "method: must be 'full', 'lora' or 'qlora'"),
        ({"batch_size": 8, "batch_tokens": 8}, "mutually exclusive"),
        ({"keep": "generation", "eval_share": 0}, "needs held-out rows"),
        ({"keep": "eval_loss", "eval_every": 10, "save_every": 20}, "must be equal"),
    ],
)
def test_what_is_wrong_with_settings_is_said(values, said):
    with pytest.raises(UsageError) as caught:
        parse_settings(values)
    assert said in str(caught.value)


def test_what_is_written_out_is_read_back():
    settings = parse_settings({"model": "m", "data": [{"path": "a", "weight": 0.5}], "lora": {"targets": ["q_proj"]}})
    assert parse_settings(tomllib.loads(to_toml(settings))) == settings


def test_options_lie_above_the_file_and_the_file_above_the_preset(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("epochs = 5\nmax_length = 1024\n")
    named = named_settings(file, "alpaca-7b", {"epochs": 7.0})
    assert (named["epochs"], named["max_length"], named["learning_rate"]) == (7.0, 1024, 2e-5)


def test_presets_hold_the_published_figures():
    assert presets() == ["alpaca-7b", "koala-13b"]
    alpaca = parse_settings(named_settings(None, "alpaca-7b", {}))
    assert (alpaca.epochs, alpaca.batch_size, alpaca.learning_rate, alpaca.max_length) == (3, 128, 2e-5, 512)
    assert (alpaca.schedule, alpaca.warmup, alpaca.weight_decay, alpaca.template) == ("cosine", 0.03, 0, "alpaca")
    koala = parse_settings(named_settings(None, "koala-13b", {}))
    assert (koala.epochs, koala.method) == (2, "full")
    with pytest.raises(UsageError, match="Choose one of: alpaca-7b, koala-13b"):
        named_settings(None, "vicuna", {})


def test_unknown_key_of_a_file_names_the_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("epoch = 5\n")
    with pytest.raises(UsageError, match=r"mine.toml: unknown key epoch; did you mean epochs\?"):
        named_settings(file, None, {})


def test_precision_follows_method_and_machine():
    def filled(here: Machine, method: str) -> FinetuneSettings:
        return defaults.with_method(FinetuneSettings(method=method), here, lambda: True)

    assert [filled(here, "full").precision for here in (CPU, GPU, OLD_GPU)] == ["float32", "mixed", "float32"]
    assert filled(GPU, "lora").precision == "bfloat16"
    assert (filled(GPU, "full").learning_rate, filled(GPU, "lora").learning_rate) == (2e-5, 2e-4)


@pytest.mark.parametrize(
    ("width", "avx512", "amx", "has_bf16"),
    [(576, True, False, True), (576, False, True, True), (576, False, False, False), (64, True, True, False)],
)
def test_a_processor_computes_bfloat16_for_wide_layers(width, avx512, amx, has_bf16, monkeypatch):
    monkeypatch.setattr(defaults.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(defaults.torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(defaults.torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert defaults.machine(width) == Machine(False, has_bf16)


def test_all_weights_are_trained_where_they_fit_and_adapters_elsewhere():
    assert defaults.with_method(FinetuneSettings(), GPU, lambda: True).method == "full"
    assert defaults.with_method(FinetuneSettings(), GPU, lambda: False).method == "lora"


def test_length_is_what_the_data_needs_within_the_models_context():
    alone, packed = FinetuneSettings(packing=False), FinetuneSettings(packing=True)
    assert defaults.with_length(alone, [10, 33], 4096).max_length == 40
    assert defaults.with_length(packed, [10, 33], 4096).max_length == 2048
    assert defaults.with_length(packed, [10, 33], 1024).max_length == 1024
    assert defaults.with_length(alone, [30_000], None).max_length == defaults.MOST_LENGTH
    with pytest.raises(UsageError, match=r"the context of .* is 1,024 tokens"):
        defaults.with_length(FinetuneSettings(max_length=2048), [10], 1024)


@pytest.mark.parametrize("world", [1, 2, 8])
def test_a_batch_is_counted_over_all_processes(world):
    settings = FinetuneSettings(batch_size=128, epochs=3)
    _, schedule = defaults.with_batches(settings, 52_000, [100] * 52_000, 0, world)
    assert schedule == Schedule(steps=3 * 407, rows=128)


def test_a_batch_of_packed_rows_has_as_many_dialogues():
    settings = FinetuneSettings(batch_size=128, epochs=2)
    _, schedule = defaults.with_batches(settings, 500, [100] * 8000, 0, 1)  # 16 dialogues in a row
    assert schedule == Schedule(steps=2 * 63, rows=8)
    by_tokens = FinetuneSettings(batch_tokens=12_800, epochs=2)
    assert defaults.with_batches(by_tokens, 500, [100] * 8000, 0, 1)[1] == schedule


def test_small_data_gets_small_batches_and_ten_evaluations():
    filled, schedule = defaults.with_batches(FinetuneSettings(), 400, [50] * 400, 20, 1)
    assert (filled.batch_size, filled.keep, filled.eval_every) == (8, "eval_loss", 15)
    assert schedule == Schedule(150, 8)
    assert defaults.with_batches(FinetuneSettings(), 400, [50] * 400, 0, 1)[0].keep == "last"


def test_micro_batch_is_what_the_memory_bears():
    settings = FinetuneSettings(max_length=512, packing=False)
    plenty = defaults.with_memory(settings, GPU, lambda checked: 10**6)
    assert (plenty.micro_batch, plenty.activation_checkpointing) == (16, False)
    short = defaults.with_memory(settings, GPU, lambda checked: 3000 if checked else 600)
    assert (short.micro_batch, short.activation_checkpointing) == (5, True)
    packed = FinetuneSettings(max_length=2048, packing=True, attention="sdpa")
    assert defaults.with_memory(packed, GPU, lambda checked: 10**6).micro_batch == 1


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_launch_configs_are_valid(path: Path):
    config = load_config_from_file(str(path))
    assert config.mixed_precision == "bf16"
    assert config.num_processes % config.num_machines == 0
    if config.distributed_type == "FSDP":
        assert config.fsdp_config["fsdp_version"] == 2  # 1 is deprecated
        assert config.fsdp_config["fsdp_state_dict_type"] == "FULL_STATE_DICT"  # so that the student is one file


def test_launching_leaves_its_own_option_out(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("distributed_type: MULTI_GPU\nnum_processes: 2\n")
    for option in (["--launch", str(file)], [f"--launch={file}"]):
        run = command(str(file), ["finetune", "a.json", *option, "--out", "DIR"])
        assert run[-5:] == ["selfinstruct", "finetune", "a.json", "--out", "DIR"]
    with pytest.raises(UsageError, match="Use ddp, fsdp, fsdp-machines"):
        command("everywhere", ["--launch", "everywhere"])
    file.write_text("{")
    with pytest.raises(UsageError, match="not an accelerate config"):
        command(str(file), ["--launch", str(file)])


def test_a_kept_checkpoint_must_be_there_and_chosen_by_something():
    few = [10] * 8
    with pytest.raises(UsageError, match="held-out rows"):
        defaults.with_batches(parse_settings({"keep": "eval_loss"}), 8, few, 0, 1)
    with pytest.raises(UsageError, match="eval_every and save_every"):
        defaults.with_batches(parse_settings({"eval_every": 4, "save_every": 3}), 8, few, 2, 1)
    filled, _ = defaults.with_batches(parse_settings({"eval_every": 4, "save_every": 3}), 8, few, 0, 1)
    assert filled.keep == "last"


@pytest.mark.parametrize("values", [{"epochs": float("inf")}, {"eval_share": float("inf")}, {"clip": float("nan")}])
def test_a_number_is_finite(values):
    with pytest.raises(UsageError, match="finite"):
        parse_settings(values)


def test_attention_that_this_machine_has_not_is_refused():
    with pytest.raises(UsageError, match="needs a GPU"):
        defaults.with_method(
            parse_settings({"attention": "flex_attention"}), defaults.Machine(False, False), lambda: True
        )


def test_ctrl_c_waits_for_what_was_launched(tmp_path):
    """As in a terminal it reaches both: the launched command ends gently, with its own exit code."""
    os.mkfifo(tmp_path / "pipe")
    child = "import signal, sys\n"
    child += f"def end(*_):\n    print('asked to', flush=True); open({str(tmp_path / 'pipe')!r}).read(); sys.exit(7)\n"
    child += "signal.signal(signal.SIGINT, end)\nprint('ready', flush=True)\nwhile True: signal.pause()\n"
    called = f"waited_for({[sys.executable, '-c', child]!r})"
    parent = f"import sys; from finetune.training.launching import waited_for; sys.exit({called})"
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "asked to\n"
    assert process.poll() is None
    (tmp_path / "pipe").write_text("")
    process.communicate(timeout=HANG_S)
    assert process.returncode == 7


def test_loss_picture_shows_every_kind_of_line_and_bears_none():
    rows = [{"step": n, "loss": 3.0 / n} for n in range(1, 2000)] + [{"step": 1000, "eval_loss": 0.5}]
    picture = draw(rows)
    assert picture.count("<polyline") == 3
    assert picture.count("<circle") == 1
    assert "training 0.0" in picture
    assert len(picture) < 40_000
    assert "none yet" in draw([])
