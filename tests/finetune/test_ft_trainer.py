"""What the trainer computes: batches, losses, gradients. Every trap of TRL that is known has a test here."""

import math
import random
import signal
import socket
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.run
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from accelerate.state import AcceleratorState
from ft_training import metrics, settings_for, write_data, write_student
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, pack_dataset

import selfinstruct
from finetune.examples import Example
from finetune.training.defaults import Schedule
from finetune.training.settings import FinetuneSettings, to_toml
from finetune.training.train import train
from finetune.training.trainer import SortedUpdates, Trainer, make_trainer, rows_of, sft_config
from finetune.training.weights import add_tokens

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_student(tmp_path_factory.mktemp("model"))


def whole(**more: object) -> FinetuneSettings:
    """Settings without gaps."""
    values = {
        "model": "m", "method": "full", "precision": "float32", "learning_rate": 1e-3, "max_length": 64,
        "packing": False, "micro_batch": 4, "attention": "sdpa", "activation_checkpointing": False, "keep": "last",
        "eval_every": 100, "save_every": 100, "schedule": "constant", "warmup": 0.0,
    }  # fmt: skip
    return FinetuneSettings.model_validate(values | more)


def examples(n: int, seed: int = 0) -> list[Example]:
    """Dialogues of 4 to 31 tokens, of which the last half is trained."""
    rng = random.Random(seed)
    made = []
    for _ in range(n):
        ids = [rng.randrange(2, 600) for _ in range(rng.randrange(4, 32))]
        made.append(Example(ids, [-100] * (len(ids) // 2) + ids[len(ids) // 2 :]))
    return made


def trainer_over(model: Path, rows: list[Example], folder: Path, n: int, steps: int, **more: object) -> Trainer:
    settings = whole(**more)
    held_out = examples(7, seed=1)
    loaded = AutoModelForCausalLM.from_pretrained(model)
    tokenizer = AutoTokenizer.from_pretrained(model)
    return make_trainer(
        loaded, tokenizer, rows_of(rows, settings), held_out, settings, folder, Schedule(steps, n)
    )  # fmt: skip


def losses(trainer: Trainer) -> list[float]:
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


def test_golden_batch_of_two_packed_dialogues(model, tmp_path):
    rows = [Example([11, 12, 13, 14], [-100, -100, 13, 14]), Example([21, 22, 23], [-100, 22, 23])]
    trainer = trainer_over(model, rows, tmp_path, 1, 1, packing=True, max_length=8)
    batch = trainer.data_collator([trainer.train_dataset[0]])
    assert batch["input_ids"].tolist() == [[11, 12, 13, 14, 21, 22, 23]]
    assert batch["labels"].tolist() == [[-100, -100, 13, 14, -100, 22, 23]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1, 2]]
    assert batch["cu_seq_lens_q"].tolist() == [0, 4, 7]
    assert "attention_mask" not in batch


def test_golden_batch_of_two_padded_dialogues(model, tmp_path):
    rows = [Example([11, 12, 13, 14], [-100, -100, 13, 14]), Example([21, 22, 1], [-100, 22, 1])]
    batch_of = trainer_over(model, rows, tmp_path, 2, 1)
    batch = batch_of.data_collator(list(batch_of.train_dataset))
    assert batch["input_ids"].tolist() == [[11, 12, 13, 14], [21, 22, 1, 1]]  # this tokenizer pads with its eos ...
    assert batch["labels"].tolist() == [[-100, -100, 13, 14], [-100, 22, 1, -100]]  # ... which is trained all the same
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packing_leaves_logits_and_loss_of_each_dialogue_as_they_are_alone(model, tmp_path, attention):
    rows = examples(9)
    trainer = trainer_over(model, rows, tmp_path, 1, 1, packing=True)
    packed = trainer.train_dataset
    assert len(packed) < 5
    assert sorted(tuple(ids) for ids in _apart(packed)) == sorted(tuple(row.ids) for row in rows)
    alone = AutoModelForCausalLM.from_pretrained(model, attn_implementation=attention).eval()
    labels = {tuple(row.ids): row.labels for row in rows}
    for row in packed:
        batch = trainer.data_collator([row])
        with torch.no_grad():
            logits = alone(
                **{name: value for name, value in batch.items() if name != "labels"}, use_cache=False
            ).logits[0]
            loss = trainer.model(**batch, fused_lm_head=True).log_probs.sum()
            expected = torch.zeros(())
            at = 0
            for length in row["seq_lengths"]:
                ids = row["input_ids"][at : at + length]
                single = alone(input_ids=torch.tensor([ids])).logits[0]
                assert torch.allclose(logits[at : at + length], single, atol=1e-5)
                wanted = torch.tensor(labels[tuple(ids)][1:])
                expected -= torch.nn.functional.cross_entropy(single[:-1], wanted, reduction="sum")
                at += length
        assert torch.allclose(loss, expected, rtol=1e-5)


def test_wrapped_packing_would_tear_dialogues_apart_and_show_them_to_each_other():
    rows = rows_of(examples(9), whole())
    wrapped = pack_dataset(rows, 64, "wrapped")
    begun = {tuple(row.ids[:4]) for row in examples(9)}
    assert not all(tuple(row["input_ids"][:4]) in begun for row in wrapped)
    assert "seq_lengths" not in wrapped.column_names


def test_packed_and_padded_rows_have_the_same_loss(model, tmp_path):
    rows = examples(8)
    seen = []
    for packing in (True, False):
        data = rows_of(rows, whole(packing=packing))
        trainer = trainer_over(model, rows, tmp_path / str(packing), len(data), 1, packing=packing)
        trainer.train()
        seen.append(losses(trainer)[0])
    assert seen[0] == pytest.approx(seen[1], rel=1e-5)


def test_accumulating_gradients_changes_neither_losses_nor_weights(model, tmp_path):
    """One update of 8 rows at once, and of 8 rows one after the other; the rows' answers differ in length."""
    found = []
    for micro in (8, 1):
        trainer = trainer_over(model, examples(24), tmp_path / str(micro), 8, 3, micro_batch=micro)
        assert trainer.args.gradient_accumulation_steps == 8 // micro
        trainer.train()
        found.append((losses(trainer), trainer.model.state_dict()))
    (at_once, weights), (one_by_one, others) = found
    assert at_once == pytest.approx(one_by_one, rel=1e-4)
    for name, weight in weights.items():
        assert torch.allclose(weight, others[name], atol=2e-4), name


def test_loss_is_the_mean_over_all_trained_tokens_of_an_update(model, tmp_path):
    rows = examples(8)
    trainer = trainer_over(model, rows, tmp_path, 8, 1, micro_batch=2)
    trainer.train()
    assert losses(trainer)[0] == pytest.approx(_mean_loss(model, rows), rel=1e-5)


def test_sorting_the_rows_of_an_update_saves_padding_and_changes_neither_losses_nor_weights(
    model, tmp_path, monkeypatch
):
    found = []
    for is_sorted in (True, False):
        if not is_sorted:
            monkeypatch.delattr(Trainer, "get_train_dataloader")
        trainer = trainer_over(model, examples(40), tmp_path / str(is_sorted), 16, 3)
        padded = sum(batch["input_ids"].numel() for batch in trainer.get_train_dataloader())
        trainer.train()
        found.append((padded, losses(trainer), trainer.model.state_dict()))
    (less, ours, weights), (more, theirs, others) = found
    assert less < 0.8 * more
    assert ours == pytest.approx(theirs, rel=1e-4)
    for name, weight in weights.items():
        assert torch.allclose(weight, others[name], atol=2e-4), name


def test_packed_rows_stay_in_their_order(model, tmp_path, monkeypatch):
    trainer = trainer_over(model, examples(40), tmp_path, 8, 2, packing=True, micro_batch=1)
    ours = [batch["input_ids"].tolist() for batch in trainer.get_train_dataloader()]
    monkeypatch.delattr(Trainer, "get_train_dataloader")
    assert ours == [batch["input_ids"].tolist() for batch in trainer.get_train_dataloader()]


@pytest.mark.parametrize(("processes", "n"), [(1, 21), (2, 24)])
def test_an_update_has_the_same_rows_whether_sorted_or_not_in_every_process_and_epoch_and_when_resumed(processes, n):
    lengths = [len(row.ids) for row in examples(n)]

    def updates(epoch: int, is_sorted: bool, skipped: int = 0) -> list[list[list[int]]]:
        """The batches of two rows of each update of eight, over all processes."""
        each = []
        for process in range(processes):
            loader: Any = prepare_data_loader(
                DataLoader(range(n), batch_size=2, shuffle=True, collate_fn=list), use_seedable_sampler=True,
                data_seed=0, num_processes=processes, process_index=process, put_on_device=False,
            )  # fmt: skip
            if is_sorted:
                loader.set_sampler(SortedUpdates(loader.get_sampler(), lengths, 8))
            loader = skip_first_batches(loader, skipped * 4 // processes)
            loader.set_epoch(epoch)
            each.append(list(loader))
        batches = [batch for at_once in zip(*each, strict=True) for batch in at_once]
        return [batches[at : at + 4] for at in range(0, len(batches), 4)]

    for epoch in (0, 1):
        ours, theirs = updates(epoch, True), updates(epoch, False)
        assert [sorted(chain(*one)) for one in ours] == [sorted(chain(*one)) for one in theirs]
        assert sorted(chain(*chain(*ours))) == list(range(n))  # no process sees another one's rows
        for update in ours:
            assert [lengths[row] for row in chain(*update)] == sorted(lengths[row] for row in chain(*update))[::-1]
        assert updates(epoch, True, skipped=1) == ours[1:]
    assert updates(0, True) != updates(1, True)


def test_held_out_loss_is_over_tokens_whatever_the_batch(model, tmp_path):
    expected = _mean_loss(model, examples(7, seed=1))
    for micro, packing in ((1, False), (3, False), (4, True)):
        trainer = trainer_over(model, examples(8), tmp_path / f"{micro}", 4, 1, micro_batch=micro, packing=packing)
        assert trainer.evaluate()["eval_loss"] == pytest.approx(expected, rel=1e-5)


def test_evaluation_makes_no_logits(model, tmp_path):
    args = sft_config(whole(), tmp_path, Schedule(1, 4), evaluate=True)
    assert args.prediction_loss_only
    trainer = trainer_over(model, examples(8), tmp_path, 4, 1)
    output = trainer.predict(trainer.eval_dataset)
    assert output.predictions is None


def test_rows_are_never_cut(model, tmp_path):
    with pytest.raises(ValueError, match="longer than max_length"):
        rows_of([Example([1] * 65, [1] * 65)], whole())
    exact = [Example(list(range(2, 66)), list(range(2, 66)))]
    assert list(rows_of(exact, whole(packing=True))["input_ids"]) == [exact[0].ids]
    trainer = trainer_over(model, [*exact, *examples(3)], tmp_path, 2, 1)
    assert trainer.train_dataset[0]["input_ids"] == exact[0].ids


def test_bare_sft_config_needs_a_gpu_and_ours_does_not(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.warns(FutureWarning), pytest.raises(ValueError, match="bf16"):  # it warns of its own default
        SFTConfig(output_dir=str(tmp_path))
    args = sft_config(whole(), tmp_path, Schedule(10, 8), evaluate=False)
    assert (args.use_cpu, args.bf16, args.report_to) == (True, False, [])


@pytest.mark.parametrize("gone", ["warmup_ratio", "max_seq_length", "no_cuda", "evaluation_strategy"])
def test_names_that_are_gone_are_not_ours(gone, tmp_path):
    with pytest.raises(TypeError, match=gone):
        SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, **{gone: None})
    args = sft_config(whole(warmup=0.1), tmp_path, Schedule(20, 8), evaluate=False)
    assert args.get_warmup_steps(20) == 2


def test_deprecated_name_warns_and_ours_says_the_same_without(tmp_path):
    with pytest.warns(FutureWarning, match="activation_checkpointing"):
        SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, gradient_checkpointing=True)
    args = sft_config(whole(activation_checkpointing=True), tmp_path, Schedule(10, 8), evaluate=False)
    assert args.activation_checkpointing


def test_checkpointed_activations_give_the_same_losses(model, tmp_path):
    found = []
    for checkpointing in (False, True):
        trainer = trainer_over(
            model, examples(8), tmp_path / str(checkpointing), 4, 2, activation_checkpointing=checkpointing
        )
        trainer.train()
        found.append(losses(trainer))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_bfloat16_computes_on_a_cpu_too(model, tmp_path):
    trainer = trainer_over(model, examples(8), tmp_path, 4, 2, precision="mixed")
    trainer.train()
    assert all(math.isfinite(loss) for loss in losses(trainer))
    assert trainer.model.dtype == torch.float32  # the weights, so that small updates are not rounded away


@pytest.mark.parametrize("is_tied", [False, True])
def test_added_tokens_begin_as_the_mean_of_the_others(model, is_tied):
    loaded = AutoModelForCausalLM.from_pretrained(model, tie_word_embeddings=is_tied)
    before = loaded.get_input_embeddings().weight.detach().clone()
    add_tokens(loaded, 600, 603)
    into, out = loaded.get_input_embeddings().weight, loaded.get_output_embeddings().weight
    assert into.shape == out.shape == (603, 64)
    assert loaded.config.vocab_size == 603
    assert torch.equal(into[:600], before)
    assert torch.allclose(into[600:], before.mean(0).expand(3, -1))
    assert torch.allclose(out[600:], out[:600].mean(0).expand(3, -1))
    assert (into is out) == is_tied


@pytest.fixture
def torchrun(monkeypatch, capfd):
    """The command `torchrun`, run in this process and forking it, to save their starts; what its processes print."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    before = [signal.getsignal(number) for number in signals]

    def run(*arguments: object) -> str:
        capfd.readouterr()
        # Or what it forks would take itself for the only process.
        AcceleratorState._reset_state(reset_partial_state=True)
        torch.distributed.run.main([str(argument) for argument in arguments])
        return capfd.readouterr().out

    yield run
    for number, handler in zip(signals, before, strict=True):
        signal.signal(number, handler)


def test_two_processes_learn_what_one_learns(model, tmp_path, torchrun):
    """On CPUs: the batch is counted over both, and of five held-out rows none counts twice."""
    data = write_data(tmp_path / "numbers.json", n=29)
    settings = settings_for(model, data, batch_size=8, micro_batch=4, eval_share=5, eval_every=2)
    assert train(settings, tmp_path / "one")  # first, so that what is forked knows how large the model is
    file = tmp_path / "settings.toml"
    file.write_text(to_toml(settings))
    # The rendezvous of --standalone looks at the source of all modules each time it says what it does: two seconds.
    said = torchrun(
        "--nproc_per_node", 2, "--master-addr", "127.0.0.1", "--master-port", free_port(), "--start-method", "fork",
        "--run-path",
        Path(selfinstruct.__file__).with_name("__main__.py"), "finetune", "--config", file, "--out", tmp_path / "two",
    )  # fmt: skip
    assert "in 2 processes" in said
    assert said.count("Stop test") == 1
    one, two = metrics(tmp_path / "one"), metrics(tmp_path / "two")
    assert [row["step"] for row in two] == [row["step"] for row in one]
    for key in ("loss", "eval_loss"):
        expected = [row[key] for row in one if key in row]
        assert [row[key] for row in two if key in row] == pytest.approx(expected, rel=1e-3)
    assert [row["tokens"] for row in two] == [row["tokens"] for row in one]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _apart(packed: object) -> list[list[int]]:
    found = []
    for row in packed:
        at = 0
        for length in row["seq_lengths"]:
            found.append(row["input_ids"][at : at + length])
            at += length
    return found


def _mean_loss(model: Path, rows: list[Example]) -> float:
    loaded = AutoModelForCausalLM.from_pretrained(model).eval()
    total, n = 0.0, 0
    for row in rows:
        with torch.no_grad():
            logits = loaded(input_ids=torch.tensor([row.ids])).logits[0, :-1]
        wanted = torch.tensor(row.labels[1:])
        total += float(torch.nn.functional.cross_entropy(logits, wanted, reduction="sum"))
        n += int((wanted != -100).sum())
    return total / n
