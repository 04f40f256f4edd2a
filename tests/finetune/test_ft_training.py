"""Training end to end: what it leaves behind, how it goes on, what it refuses."""

import json
import os
import resource
import shutil
import signal
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from ft_training import metrics, settings_for, trained, write_data, write_student
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, ViTConfig

from finetune.data.encoding import encode
from finetune.examples import Dialogue
from finetune.inference.student import Student, with_adapter
from finetune.training import checkpoints
from finetune.training.preparing import prepare
from finetune.training.progress import Progress
from finetune.training.settings import parse_settings, to_toml
from finetune.training.train import train
from finetune.training.trainer import rows_of
from selfinstruct.errors import UsageError
from tests.ft_forked import command, forked
from tests.loopback import HANG_S

pytestmark = pytest.mark.usefixtures("one_thread")

N = 40  # rows: five updates


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_student(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def tied(model, tmp_path_factory) -> Path:
    """The same model with one matrix for embeddings and head, as small models often have."""
    folder = tmp_path_factory.mktemp("tied")
    AutoModelForCausalLM.from_pretrained(model, tie_word_embeddings=True).save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "numbers.json", N)


@pytest.fixture(scope="module")
def uninterrupted(model, data, tmp_path_factory) -> Path:
    """A training that others are compared with: adapters with dropout, for random numbers to matter, and new tokens."""
    folder = tmp_path_factory.mktemp("students") / "uninterrupted"
    trained(model, data, folder, **LORA)
    return folder


LORA = {
    "method": "lora", "lora": {"rank": 4, "dropout": 0.2}, "template": "chatml", "epochs": 2, "eval_every": 4,
}  # fmt: skip


def test_command_leaves_a_student_that_answers_and_a_file_that_makes_another_one(cli, model, data, tmp_path):
    folder = tmp_path / "student"
    said = cli("finetune", data, "--model", model, "--out", folder, "--learning-rate", 4e-3, "--epochs", 1).stdout
    assert "No GPU" in said
    assert "Stop test" in said
    assert {path.name for path in folder.iterdir()} >= {
        "model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja", "generation_config.json",
        "finetune.toml", "preflight.json", "metrics.jsonl", "loss.svg", "held_out.jsonl", "checkpoints",
    }  # fmt: skip
    losses = [row["loss"] for row in metrics(folder) if "loss" in row]
    assert losses[-1] < losses[0] - 0.5
    assert "<svg" in (folder / "loss.svg").read_text()

    student, asked = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert asked.pad_token_id != asked.eos_token_id
    assert student.generation_config.eos_token_id == [asked.eos_token_id]
    assert student.generation_config.do_sample is False
    assert len(Student(str(folder)).answer([[{"role": "user", "content": "Say the number 7."}]], 5)) == 1

    held_out = [json.loads(line) for line in (folder / "held_out.jsonl").read_text().splitlines()]
    assert len(held_out) == 2
    assert held_out[0]["messages"][-1]["role"] == "assistant"

    other = tmp_path / "other"
    cli("finetune", "--config", folder / "finetune.toml", "--out", other)
    assert (other / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert metrics(other) == metrics(folder)

    assert "already trained" in cli("finetune", "--out", folder).stdout


def test_dry_run_loads_no_weights_and_writes_nothing(cli, model, data, tmp_path):
    weightless = tmp_path / "weightless"
    shutil.copytree(model, weightless)
    (weightless / "model.safetensors").unlink()
    said = cli("finetune", data, "--model", weightless, "--out", tmp_path / "student", "--dry-run").stdout
    assert "updates of" in said
    assert not (tmp_path / "student").exists()


def test_rows_that_are_too_long_are_treated_as_asked(model, tmp_path):
    data = tmp_path / "mixed.json"
    data.write_text(json.dumps([
        {"instruction": f"Say {n}.", "input": "", "output": "yes " * (60 if n % 2 else 1)} for n in range(60)
    ]))  # fmt: skip
    more = {"max_length": 64, "eval_share": 0, "max_steps": 1}
    prepared = prepare(settings_for(model, data, **more, overlong="drop"))
    assert (prepared.report.dropped, prepared.report.cut) == (30, 0)
    assert len(rows_of(prepared.train.examples, prepared.settings)) == 30  # and none of them is too long
    trained(model, data, tmp_path / "student", **more, overlong="truncate")
    report = json.loads((tmp_path / "student/preflight.json").read_text())
    assert (report["dropped"], report["cut"]) == (0, 30)
    with pytest.raises(UsageError, match="138 tokens, more than the maximum of 64"):
        trained(model, data, tmp_path / "other", **more, overlong="error")


def test_after_ctrl_c_the_same_call_goes_on_as_if_nothing_had_happened(
    model, data, uninterrupted, tmp_path, monkeypatch
):
    folder = tmp_path / "student"
    write = Progress.write

    def press_ctrl_c(*arguments):
        write(*arguments)
        if len(metrics_so_far(folder)) == 6:
            os.kill(os.getpid(), signal.SIGINT)

    settings = settings_for(model, data, **LORA)
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "write", press_ctrl_c)
        assert train(settings, folder) is None
    assert len(metrics_so_far(folder)) < len(metrics_so_far(uninterrupted))
    assert train(settings, folder)
    assert metrics(folder) == metrics(uninterrupted)
    assert weights(folder).keys() == weights(uninterrupted).keys()
    assert all(torch.equal(a, weights(uninterrupted)[name]) for name, a in weights(folder).items())


def test_after_a_kill_the_same_command_goes_on(cli, uninterrupted, tmp_path):
    folder, log = tmp_path / "student", tmp_path / "log"
    config = tmp_path / "settings.toml"
    config.write_text(uninterrupted.joinpath("finetune.toml").read_text())
    begun = command("finetune", "--config", config, "--out", folder)
    write, lines = Progress.write, []

    def counted(*arguments):
        write(*arguments)
        lines.append(1)
        if len(lines) == 8:
            os.kill(os.getpid(), signal.SIGKILL)

    def killed():
        Progress.write = counted  # in this process only
        begun()

    with forked(killed, log) as process:
        process.join(HANG_S)
    assert process.exitcode == -signal.SIGKILL, log.read_text()
    assert len(metrics_so_far(folder)) == 8
    assert [path.name for path in folder.glob("checkpoints/checkpoint-*")] == ["checkpoint-4"]
    # What a kill in the middle of a checkpoint leaves: weights, and no state yet.
    (folder / "checkpoints/checkpoint-9").mkdir()
    (folder / "checkpoints/checkpoint-9/adapter_model.safetensors").write_bytes(b"")
    cli("finetune", "--config", config, "--out", folder)
    assert metrics(folder) == metrics(uninterrupted)
    assert not (folder / "checkpoints/checkpoint-9").exists()
    assert all(torch.equal(a, weights(uninterrupted)[name]) for name, a in weights(folder).items())


@pytest.fixture
def stopped(uninterrupted, tmp_path) -> Path:
    """The uninterrupted training, as if it had been killed before its end."""
    folder = tmp_path / "stopped"
    shutil.copytree(uninterrupted, folder)
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(lines[:-3]))
    return folder


def test_an_edited_file_of_settings_is_refused_unless_it_only_says_how(model, data, stopped):
    file = stopped / "finetune.toml"
    written = file.read_text()
    file.write_text(written.replace("learning_rate = 0.002", "learning_rate = 0.1"))
    with pytest.raises(UsageError, match=r"learning_rate: 0.1, was 0.002"):
        train(parse_settings({}), stopped)
    file.write_text(written.replace("micro_batch = ", "micro_batch = 1 # "))
    assert train(parse_settings({}), stopped)


def cut(path):
    path.write_bytes(path.read_bytes()[:100])


DAMAGE = {
    "no state (hiyouga/LlamaFactory#8300)": lambda folder: (folder / "trainer_state.json").unlink(),
    "an empty state (huggingface/transformers#35782)": lambda folder: (folder / "trainer_state.json").write_bytes(b""),
    "a state in another encoding": lambda folder: (folder / "trainer_state.json").write_bytes(b"\xff\xfe"),
    "a state that is none": lambda folder: (folder / "trainer_state.json").write_text("[]"),
    "the state of another": lambda folder: (folder / "trainer_state.json").write_text('{"global_step": 1}'),
    "weights cut off (vllm-project/speculators#739)": lambda folder: cut(folder / "adapter_model.safetensors"),
    "no adapter's settings": lambda folder: (folder / "adapter_config.json").write_text("{"),
    "no weights": lambda folder: (folder / "adapter_model.safetensors").unlink(),
    "no optimizer": lambda folder: (folder / "optimizer.pt").unlink(),
    "optimizer cut off (Lightning-AI/pytorch-lightning#688)": lambda folder: cut(folder / "optimizer.pt"),
    "no schedule": lambda folder: (folder / "scheduler.pt").unlink(),
    "an empty schedule": lambda folder: (folder / "scheduler.pt").write_bytes(b""),
    "no random numbers": lambda folder: (folder / "rng_state.pth").unlink(),
    "an empty folder": lambda folder: [path.unlink() for path in folder.iterdir()],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(stopped, damage):
    latest = checkpoints.latest(stopped)
    damage(latest)
    before = checkpoints.latest(stopped)
    assert before not in (latest, None)
    (said,) = checkpoints.drop_damaged(stopped)
    assert said.startswith(f"{latest} was incomplete or damaged (")
    assert not latest.exists()
    assert checkpoints.latest(stopped) == before


def test_a_training_whose_latest_checkpoint_is_damaged_says_so_and_ends_as_if_nothing_had_happened(
    stopped, uninterrupted, capsys
):
    cut(checkpoints.latest(stopped) / "optimizer.pt")
    assert train(parse_settings({}), stopped)
    said = capsys.readouterr().out
    assert "was incomplete or damaged (optimizer.pt: " in said
    assert f"Training resumes from {stopped}/checkpoints/checkpoint-8." in said
    assert all(torch.equal(a, weights(uninterrupted)[name]) for name, a in weights(stopped).items())


def test_damage_that_shows_only_when_it_is_read_is_named(stopped):
    latest = checkpoints.latest(stopped)
    whole = (latest / "scheduler.pt").read_bytes()
    with zipfile.ZipFile(latest / "scheduler.pt", "w") as file:
        file.writestr("archive/data.pkl", b"no pickle")
    with pytest.raises(UsageError, match=rf"{latest.name} cannot be read .*Delete it"):
        train(parse_settings({}), stopped)
    (latest / "scheduler.pt").write_bytes(whole)
    (stopped / "metrics.jsonl").write_bytes(b"\xff\n3\n" + (stopped / "metrics.jsonl").read_bytes() + b'{"step"')
    assert train(parse_settings({}), stopped)


@pytest.fixture(scope="module")
def ended(model, tmp_path_factory) -> Path:
    """A training whose best checkpoint is not its last."""
    folder = tmp_path_factory.mktemp("students") / "ended"
    data = write_data(folder.with_name("numbers.json"))
    trained(model, data, folder, max_steps=7, eval_every=2, schedule="constant", learning_rate=0.3, warmup=0.0)
    state = json.loads((folder / "checkpoints/checkpoint-7/trainer_state.json").read_text())
    assert state["best_global_step"] == 2
    return folder


@pytest.fixture
def best_first(ended, tmp_path) -> Path:
    """That training, as if its last checkpoint had been written, but not its student."""
    return unfinished(shutil.copytree(ended, tmp_path / "best_first"))


def test_the_best_checkpoint_is_found_where_the_folder_was_moved(best_first, tmp_path):
    """huggingface/transformers#10412: the state of a training holds the path."""
    best = load_file(best_first / "checkpoints/checkpoint-2/model.safetensors")
    moved = best_first.rename(tmp_path / "moved")
    assert train(parse_settings({}), moved)
    kept = load_file(moved / "model.safetensors")
    assert all(torch.equal(kept[name], best[name]) for name in best)


def test_without_the_best_checkpoint_a_later_one_is_of_no_use(best_first, capsys):
    best = load_file(best_first / "checkpoints/checkpoint-2/model.safetensors")
    (best_first / "checkpoints/checkpoint-2/model.safetensors").unlink()
    assert train(parse_settings({}), best_first)
    said = capsys.readouterr().out
    assert "checkpoint-7 was incomplete or damaged (checkpoint-2, the best one before it: model is missing)" in said
    assert "Training starts over." in said
    kept = load_file(best_first / "model.safetensors")
    assert all(torch.equal(kept[name], best[name]) for name in best)


def unfinished(folder):
    """The training as it is right after its last checkpoint."""
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(line for line in lines if "stopped" not in line))
    for weights in folder.glob("*.safetensors"):
        weights.unlink()
    return folder


@pytest.mark.parametrize(
    "how",
    [
        {"schedule": "linear", "keep": "eval_loss"},
        {"schedule": "cosine", "warmup": 0.5, "micro_batch": 3},
        {"schedule": "constant", "precision": "mixed", "packing": True, "max_length": 128},
        {"schedule": "constant", "method": "lora", "precision": "bfloat16", "lora": {"rank": 4, "dropout": 0.2}},
    ],
    ids=str,
)
def test_a_training_that_was_killed_after_its_last_checkpoint_makes_no_further_update(model, data, tmp_path, how):
    """As others did: Lightning-AI/pytorch-lightning#19403, verl-project/verl#6232, vllm-project/speculators#898."""
    folder = tmp_path / "student"
    trained(model, data, folder, **{"keep": "last", "eval_share": 4, "max_steps": 5, "eval_every": 3, **how})
    before, lines = weights(folder), metrics(folder)
    assert train(parse_settings({}), unfinished(folder))
    assert metrics(folder) == lines
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(folder).items())


def test_two_at_once_in_a_folder_are_one_too_many(model, data, tmp_path):
    with checkpoints.locked(tmp_path / "student"), pytest.raises(UsageError, match="another process"):
        trained(model, data, tmp_path / "student")


def test_a_start_that_came_to_nothing_does_not_hold_the_folder_and_the_only_update_counts(model, data, tmp_path):
    weightless = tmp_path / "weightless"
    shutil.copytree(model, weightless)
    (weightless / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="cannot load a model"):
        trained(weightless, data, tmp_path / "student")
    assert trained(model, data, tmp_path / "student", max_steps=1)
    assert metrics(tmp_path / "student")[0]["learning_rate"] > 0


@pytest.mark.parametrize("targets", [["nothing"], ["q_proj", "lm_head"]])
def test_layers_that_cannot_have_adapters_are_named(model, data, tmp_path, targets):
    with pytest.raises(UsageError, match=r"lora\.targets = \['"):
        trained(model, data, tmp_path / "student", method="lora", lora={"targets": targets})


@contextmanager
def full_disk(size):
    """Let no file grow beyond so many bytes, as at the end of a disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_is_said_and_later_the_same_command_goes_on(cli, model, data, tmp_path):
    folder = tmp_path / "student"
    file = tmp_path / "settings.toml"
    file.write_text(to_toml(settings_for(model, data, max_steps=4, eval_every=2)))
    with full_disk(200_000):
        done = cli("finetune", "--config", file, "--out", folder, code=2)
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert train(parse_settings({}), folder)


def test_other_settings_are_refused_by_name_unless_they_only_say_how(model, data, uninterrupted):
    with pytest.raises(UsageError, match=r"started with different settings:\n  learning_rate: 0.5, was 0.002"):
        train(settings_for(model, data, **LORA | {"learning_rate": 0.5}), uninterrupted)
    with pytest.raises(UsageError, match=r"lora.rank: 8, was 4"):
        train(settings_for(model, data, **LORA | {"lora": {"rank": 8}}), uninterrupted)
    assert train(settings_for(model, data, **LORA, micro_batch=2), uninterrupted)


def test_other_data_is_refused_where_a_training_would_go_on(data, stopped, tmp_path):
    own = write_data(tmp_path / "numbers.json", N)
    for file in (stopped / "finetune.toml", stopped / "checkpoints/finetune.toml"):
        file.write_text(file.read_text().replace(str(data), str(own)))
    write_data(own, N, words=2)
    with pytest.raises(UsageError, match="has changed since"):
        train(parse_settings({}), stopped)
    write_data(own, N)
    assert train(parse_settings({}), stopped)


def test_a_folder_with_other_things_is_left_alone(model, data, tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(UsageError, match="not a training run of selfinstruct"):
        trained(model, data, tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        trained(model, data, tmp_path / "letters.txt" / "student")


def test_what_is_no_model_is_said(model, data, tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        trained(tmp_path / "nowhere", data, tmp_path / "student")
    pictures = tmp_path / "pictures"
    shutil.copytree(model, pictures)
    ViTConfig().save_pretrained(pictures)
    with pytest.raises(UsageError, match="is not a language model, but vit"):
        trained(pictures, data, tmp_path / "student")


@pytest.fixture(scope="module")
def adapter(model, data, tmp_path_factory) -> Path:
    """A training of an adapter with the model's own template, which adds no tokens but padding."""
    folder = tmp_path_factory.mktemp("students") / "adapter"
    trained(model, data, folder, method="lora", learning_rate=5e-3)
    return folder


@pytest.fixture(scope="module")
def tied_adapter(tied, data, tmp_path_factory) -> Path:
    """A training of an adapter of the tied model with a template that adds tokens."""
    folder = tmp_path_factory.mktemp("students") / "tied_adapter"
    trained(tied, data, folder, method="lora", template="chatml", learning_rate=5e-3)
    return folder


@pytest.mark.parametrize(("base", "made"), [("model", "adapter"), ("model", "uninterrupted"), ("tied", "tied_adapter")])
def test_adapters_say_the_same_saved_loaded_and_merged(request, tmp_path, base, made):
    """Without and with tokens that the template adds."""
    model, folder = request.getfixturevalue(base), request.getfixturevalue(made)
    student = Student(str(folder))
    asked = [[{"role": "user", "content": f"Say the number {n} some times."}] for n in range(8)]
    said = student.answer(asked, 12, temperature=1.0)
    assert len({answer.text for answer in said}) == 8
    untaught = Student(str(model)).answer(asked, 12, temperature=1.0)
    assert sum(a.text == b.text for a, b in zip(said, untaught, strict=True)) < 4
    assert held_out_loss(folder, student) == pytest.approx(least_eval_loss(folder), rel=1e-5)
    tokenizer, adapted = with_adapter(folder)
    merged = tmp_path / "merged"
    adapted.merge_and_unload().save_pretrained(merged)
    tokenizer.save_pretrained(merged)
    assert Student(str(merged)).answer(asked, 12, temperature=1.0) == said


def test_the_student_that_is_saved_has_the_loss_that_was_reported(model, data, tmp_path):
    folder = tmp_path / "student"
    trained(model, data, folder, template="alpaca", learning_rate=5e-3)
    assert held_out_loss(folder, Student(str(folder))) == pytest.approx(least_eval_loss(folder), rel=1e-5)


def test_an_adapter_holds_no_embeddings_where_only_padding_was_missing(adapter, tied, data, tmp_path):
    """Servers refuse them: vllm-project/vllm#9280, hiyouga/LlamaFactory#9545, vllm-project/vllm#4186."""
    trained(tied, data, tmp_path / "student", method="lora", max_steps=1)
    for folder in (adapter, tmp_path / "student"):
        assert all(".lora_" in name for name in weights(folder))


def test_adapters_learn_the_tokens_that_a_template_adds(model, data, uninterrupted):
    trained_weights = weights(uninterrupted)
    delta = next(value for name, value in trained_weights.items() if name.endswith("trainable_tokens_delta"))
    assert delta.shape == (2, 64)  # <|im_start|> and <|im_end|>; padding is never trained
    tokenizer = AutoTokenizer.from_pretrained(uninterrupted)
    head = trained_weights["base_model.model.lm_head.modules_to_save.weight"]
    assert head.shape[0] == len(tokenizer)


def test_the_best_answers_are_kept_rather_than_the_last(model, data, tmp_path):
    folder = tmp_path / "student"
    trained(model, data, folder, keep="generation", eval_every=4, epochs=2, generation_rows=3, learning_rate=5e-3)
    rows = [row for row in metrics(folder) if "eval_rouge_l" in row]
    best = max(rows, key=lambda row: row["eval_rouge_l"])  # the first of equals
    kept = load_file(folder / "model.safetensors")
    assert best["step"] < rows[-1]["step"]
    chosen = load_file(folder / f"checkpoints/checkpoint-{best['step']}/model.safetensors")
    assert all(torch.equal(kept[name], chosen[name]) for name in chosen)
    assert all(0 <= row["eval_exact_match"] <= row["eval_rouge_l"] <= 1 for row in rows)


def test_out_of_memory_says_what_to_change_and_what_it_takes(model, tmp_path):
    data = tmp_path / "long.json"
    data.write_text(json.dumps([{"instruction": f"{n} " * 1500, "input": "", "output": "yes"} for n in range(8)]))
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, before[1]))
    try:
        with pytest.raises(UsageError) as caught:
            trained(model, data, tmp_path / "student", attention="eager", micro_batch=8, batch_size=8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert "micro_batch = 4" in str(caught.value)
    assert "GiB were free" in str(caught.value)


def test_a_loss_that_runs_away_ends_the_training(model, data, tmp_path):
    with pytest.raises(UsageError, match=r"--learning-rate\) below 1e"):
        trained(model, data, tmp_path / "student", learning_rate=1e30, warmup=0.0)


def test_qlora_without_bitsandbytes_says_what_to_install(model, data, tmp_path):
    with pytest.raises(UsageError, match="pip install bitsandbytes"):
        trained(model, data, tmp_path / "student", method="qlora")


def least_eval_loss(folder: Path) -> float:
    return min(row["eval_loss"] for row in metrics(folder) if "eval_loss" in row)


def held_out_loss(folder: Path, student: Student) -> float:
    """Over all trained tokens of DIR/held_out.jsonl, one row after the other."""
    total, n = 0.0, 0
    for line in (folder / "held_out.jsonl").read_text().splitlines():
        row = json.loads(line)
        ids, labels = encode(student.tokenizer, Dialogue(row["messages"], "", "held out"))
        with torch.no_grad():
            logits = student.model(input_ids=torch.tensor([ids])).logits[0, :-1]
        total += float(torch.nn.functional.cross_entropy(logits, torch.tensor(labels[1:]), reduction="sum"))
        n += sum(label != -100 for label in labels[1:])
    return total / n


def metrics_so_far(folder: Path) -> list[str]:
    path = folder / "metrics.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (file,) = folder.glob("*model.safetensors")  # of a model, or of an adapter
    return load_file(file)
