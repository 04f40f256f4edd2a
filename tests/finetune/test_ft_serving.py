"""A student as a server, and as the teacher of a run."""

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import sys
from contextlib import closing, contextmanager

import pytest
from test_ft_real_server import answers, served, wait_until

from tests.conftest import environment, json_lines
from tests.ft_forked import command, forked
from tests.ft_tokenizers import assistant, system, user
from tests.loopback import HANG_S
from tests.tiny_model import write_adapter, write_model

pytestmark = [
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("torch", "transformers", "peft", "fastapi", "uvicorn"))),
        reason="needs pip install 'selfinstruct[finetune]'",
    ),
    pytest.mark.filterwarnings("default:::torch", "default:::transformers"),
]

SMALL_RUN = """
proposals_per_request = 2
seed_demonstrations = 3
instances_per_task = 2
seed = 7
[teacher]
answer_format = "text"
[propose]
sampling = { temperature = 0.0, max_tokens = 300 }
[running]
concurrency = 2
"""


@pytest.fixture
def model(tmp_path):
    write_model(tmp_path / "model", [])
    return tmp_path / "model"


@contextmanager
def serving(folder, log):
    """`selfinstruct serve FOLDER`, ready to answer: what it said before, the process."""

    def serve():
        os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        command("serve", folder, "--port", 0)()

    with forked(serve, log) as process:
        wait_until(lambda: "--model" in log.read_text(), process, log)
        said = log.read_text()
        url = re.search(r"at (http://\S+)/v1\.", said).group(1)
        wait_until(lambda: answers(f"{url}/health"), process, log)
        yield said, process


# The circle: seeds -> run -> student -> teacher -> run.


def prompts_and_answers(run):
    """What was asked and said in a run, as dialogues."""
    from finetune.examples import Dialogue

    sql = (
        "SELECT system_prompts.text, user, completions.text FROM requests "
        "JOIN completions ON request_id = requests.id JOIN system_prompts ON system_prompts.id = system_prompt "
        "WHERE stage != 'probe'"
    )
    with closing(sqlite3.connect(run / "run.db")) as db:
        asked = db.execute(sql).fetchall()
    return [Dialogue([system(first), user(then), assistant(said)], then, "") for first, then, said in asked]


def memorise(dialogues, folder):
    """Write a tiny LLaMA, with a tokenizer of its own, that has learned these dialogues by heart."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from finetune.data.encoding import encode
    from finetune.data.templates import prepare_tokenizer

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1500, initial_alphabet=alphabet, show_progress=False)
    turns = [message["content"] for dialogue in dialogues for message in dialogue.messages]
    bpe.train_from_iterator(turns, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe)
    tokenizer.add_tokens(
        sorted({dialogue.messages[0]["content"] for dialogue in dialogues})
    )  # 700 tokens, to save time
    prepare_tokenizer(tokenizer, "chatml")
    tokenizer.save_pretrained(folder)

    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=1024, eos_token_id=None, bos_token_id=None,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    examples = sorted((encode(tokenizer, dialogue) for dialogue in dialogues), key=lambda example: len(example.ids))
    batches = []
    for at in range(0, len(examples), 3):  # of about the same length
        batch = examples[at : at + 3]
        longest = len(batch[-1].ids)
        ids = torch.tensor([example.ids + [0] * (longest - len(example.ids)) for example in batch])
        labels = torch.tensor([example.labels + [-100] * (longest - len(example.ids)) for example in batch])
        batches.append((ids[:, :-1], labels[:, 1:]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(300):
        most = 0.0
        for ids, labels in batches:
            states = model.model(input_ids=ids).last_hidden_state
            trained = labels != -100  # of the others no probabilities are worked out, to save time
            losses = torch.nn.functional.cross_entropy(
                model.lm_head(states[trained]), labels[trained], reduction="none"
            )
            losses.mean().backward()
            most = max(most, losses.max().item())
        optimizer.step()
        optimizer.zero_grad()
        if most < 0.5:  # each token is likelier than all others together
            break
    model.save_pretrained(folder)


def test_a_student_that_is_served_is_the_teacher_of_a_run(cli, tmp_path):
    import torch

    torch.set_num_threads(1)
    config = tmp_path / "config.toml"
    config.write_text(SMALL_RUN)
    settings = ("--target", 2, "--config", config)
    cli("generate", tmp_path / "first", *settings)
    dialogues = prompts_and_answers(tmp_path / "first")
    assert len(dialogues) >= 5
    student = tmp_path / "student"
    memorise(dialogues, student)

    log = tmp_path / "server.log"
    with serving(student, log) as (said, process):
        # What it said is the command to run, but for the run's own settings.
        told = re.search(r"selfinstruct generate RUN --target N (.*)", said).group(1).split()
        cli("generate", tmp_path / "second", *settings, "--teacher", "openai", *told, env=environment())
        assert served(log) >= len(dialogues)
        os.kill(process.pid, signal.SIGINT)
        process.join(HANG_S)
        assert "Traceback" not in log.read_text()
    cli("verify", tmp_path / "second")
    first, second = (json_lines((tmp_path / run / "records.jsonl").read_text()) for run in ("first", "second"))
    fields = ("task", "instruction", "input", "output", "is_classification")
    assert [[row[f] for f in fields] for row in second] == [[row[f] for f in fields] for row in first]
    assert len({row["task"] for row in second}) == 2
    assert prompts_and_answers(tmp_path / "second") == dialogues


# What is handed over.


def test_vllm_is_taken_where_it_is_installed_and_an_adapter_merged_for_it(cli, model, tmp_path, monkeypatch):
    write_adapter(model, tmp_path / "adapter")
    vllm = tmp_path / "bin/vllm"
    vllm.parent.mkdir()
    vllm.touch(0o755)
    executed = []

    def execv(path, command):
        executed.append((path, command))
        sys.exit()

    monkeypatch.setattr("os.execv", execv)  # that it leads to a server is for the test above
    command = ("serve", tmp_path / "adapter", "--port", 0, "--host", "localhost")
    told = cli(*command, env=environment(PATH=str(vllm.parent)))
    [(path, [name, *given])] = executed
    assert path == name == str(vllm)
    merged = str(tmp_path / "adapter/merged")
    port = given[-1]
    assert given == ["serve", merged, "--served-model-name", merged, "--host", "localhost", "--port", port]
    assert f"--base-url http://localhost:{port}/v1 --model {merged}\n" in told.stdout
    assert json.loads((tmp_path / "adapter/merged/generation_config.json").read_text())["do_sample"] is True


def test_the_generation_config_says_where_an_answer_ends_and_that_there_is_sampling(model, tmp_path, capsys):
    from finetune.inference.serving import prepare

    path = model / "generation_config.json"
    before = {"eos_token_id": 3, "temperature": 0.6, "top_p": 0.9, "bos_token_id": 0}
    path.write_text(json.dumps(before))
    prepare(model)
    assert "Added end tokens" in capsys.readouterr().out
    after = json.loads(path.read_text())
    assert after.pop("eos_token_id") == [1, 3]  # <|end|> is what the template ends an answer with
    assert after.pop("do_sample") is True
    assert {name: after.get(name) for name in ("temperature", "top_p", "bos_token_id")} == {
        "temperature": 0.6, "top_p": 0.9, "bos_token_id": 0,
    }  # fmt: skip
    written = path.read_bytes()
    prepare(model)
    assert path.read_bytes() == written
    assert not capsys.readouterr().out
    path.unlink()
    prepare(model)
    assert json.loads(path.read_text())["eos_token_id"] == [1]


def test_what_cannot_be_served_is_said_before_anything_starts(cli, model, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = cli("serve", model, "--port", taken.getsockname()[1], code=2).stderr
        assert "Choose another --port" in told
    for host in ("nosuch.invalid", "192.0.2.1", "ü..a"):  # no name, another machine's, no name either
        told = cli("serve", model, "--port", 0, "--host", host, code=2).stderr
        assert "Choose another --host" in told
        assert "--port" not in told
    assert "no such folder" in cli("serve", tmp_path / "nothing", code=2).stderr
    moved = shutil.copytree(model, tmp_path / "me@home")
    assert "Rename" in cli("serve", moved, "--port", 0, code=2).stderr
    (moved / "chat_template.jinja").unlink()
    moved = moved.rename(tmp_path / "me")
    assert "chat_template.jinja" in cli("serve", moved, "--port", 0, code=2).stderr
    monkeypatch.setitem(sys.modules, "uvicorn", None)  # not installed
    told = cli("serve", model, "--port", 0, code=2).stderr
    assert "selfinstruct[finetune]" in told
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "needs torch" in cli("serve", model, code=2).stderr
