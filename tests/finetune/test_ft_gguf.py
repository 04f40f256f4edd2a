"""Models in GGUF files. The file is written here as llama.cpp's converter writes that of a LLaMA (its source:
ggml-org/llama.cpp, conversion/llama.py and gguf-py): with its rows of queries and keys in another order."""

import asyncio
import importlib.util
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from selfinstruct.asking.stages import response_format
from selfinstruct.errors import UsageError
from selfinstruct.records import Request
from selfinstruct.teachers.kinds import Session, load
from selfinstruct.teachers.settings import RunningSettings, TeacherSettings
from tests.tiny_model import write_model

pytestmark = [
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("torch", "transformers", "peft", "trl", "gguf"))),
        reason="needs pip install 'selfinstruct[finetune]'",
    ),
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("default:::torch", "default:::transformers"),
]
LAYER = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip
WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write_gguf(folder, path, architecture="llama"):
    from gguf import GGUFWriter, TokenType
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    writer = GGUFWriter(path, architecture)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads["attn_q"])
    writer.add_head_count_kv(heads["attn_k"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_vocab_size(config["vocab_size"])
    names = dict(tokenizer["model"]["vocab"]) | {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    special = {token["content"] for token in tokenizer["added_tokens"] if token["special"]}
    known = tokenizer["model"]["vocab"].keys() - special
    tokens = sorted(names, key=lambda name: names[name])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    kinds = {name: TokenType.CONTROL if name in special else TokenType.USER_DEFINED for name in names}
    writer.add_token_types([TokenType.NORMAL if name in known else kinds[name] for name in tokens])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(names["<|begin|>"])
    writer.add_eos_token_id(names["<|end|>"])
    writer.add_chat_template((folder / "chat_template.jinja").read_text())
    for name, weight in load_file(folder / "model.safetensors").items():
        owner = name.removesuffix(".weight")
        if owner not in WHOLE:
            number, owner = owner.removeprefix("model.layers.").split(".", 1)
        to = WHOLE.get(owner) or LAYER[owner]
        values = weight.numpy()
        if to in heads:
            rows, width = values.shape
            values = values.reshape(heads[to], 2, rows // heads[to] // 2, width).swapaxes(1, 2).reshape(rows, width)
        writer.add_tensor(f"{to}.weight" if owner in WHOLE else f"blk.{number}.{to}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "babble"
    write_model(path, [], layers=1)
    return path


@pytest.fixture(scope="module")
def file(folder):
    path = folder.parent / "babble.gguf"
    write_gguf(folder, path)
    return path


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/selfinstruct/gguf"


def opened(path):
    import selfinstruct as si

    return si.student(path)


def test_a_file_answers_as_its_model_and_is_converted_once(folder, file, cache, capsys):
    original, read = opened(folder), opened(file)
    prompts = [[{"role": "user", "content": text}] for text in ("Name three rivers.", "Why?", "1. Sort 3, 1, 2")]
    assert [read.prompt(one) for one in prompts] == [original.prompt(one) for one in prompts]
    assert read.ends == original.ends
    assert [one.text for one in read.answer(prompts, 20)] == [one.text for one in original.answer(prompts, 20)]
    assert capsys.readouterr().out.count("Converting") == 1
    made = [path.stat().st_mtime_ns for path in cache.rglob("*")]
    opened(file)
    assert "Converting" not in capsys.readouterr().out
    assert [path.stat().st_mtime_ns for path in cache.rglob("*")] == made


def test_an_adapter_is_trained_on_a_file_and_finds_it_again(file, tmp_path):
    import selfinstruct as si

    data = tmp_path / "data.jsonl"
    row = {"instruction": "Say a.", "input": "", "output": "a"}
    data.write_text("".join(json.dumps({**row, "input": str(n)}) + "\n" for n in range(4)))
    student = si.finetune(
        data, model=file, out=tmp_path / "student", method="lora", max_steps=1, eval_share=0, max_length=64
    )
    base = json.loads((tmp_path / "student/adapter_config.json").read_text())["base_model_name_or_path"]
    assert Path(base) == file
    assert student.chat("Say a.", max_tokens=5) == opened(tmp_path / "student").chat("Say a.", max_tokens=5)


def test_a_file_is_compared_as_a_student(file):
    from finetune.compare.answers import answer_file, check_source

    assert answer_file(str(file)) is None
    check_source(str(file), [[{"role": "user", "content": "Why?"}]])
    with pytest.raises(UsageError, match="No such file"):
        check_source(f"{file}.gguf", [])


def damaged(path, content, how):
    path.write_bytes({
        "not GGUF": b"PK\3\4 a zip file", "empty": b"", "cut in its head": content[:3000],
        "cut in its weights": content[:-20000],
        "a count of 2 ** 60": content[:16] + b"\xff" * 7 + b"\x0f" + content[24:],
    }[how])  # fmt: skip


@pytest.mark.parametrize("how", ["not GGUF", "empty", "cut in its head", "cut in its weights", "a count of 2 ** 60"])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(how, file, tmp_path, cache):
    path = tmp_path / "bad.gguf"
    damaged(path, file.read_bytes(), how)
    with pytest.raises(UsageError, match=r"bad\.gguf.*GGUF file"):
        opened(path)
    assert not list(cache.glob("*"))


def test_an_unknown_architecture_is_named(folder, tmp_path):
    write_gguf(folder, tmp_path / "other.gguf", "spiral")
    with pytest.raises(UsageError, match="spiral"):
        opened(tmp_path / "other.gguf")


def test_one_part_of_several_is_refused(file, tmp_path):
    part = tmp_path / "babble-00001-of-00002.gguf"
    part.write_bytes(file.read_bytes())
    with pytest.raises(UsageError, match="--merge"):
        opened(part)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        opened(tmp_path / "none.gguf")


async def test_llama_cpp_serves_a_file_and_keeps_to_a_schema(folder, file):
    pytest.importorskip("xllamacpp")
    teacher = TeacherSettings(kind="llama.cpp", model=str(file))
    schema = response_format("classify", {"is_classification": {"type": "boolean"}})
    asked = [
        Request("classify", "llama.cpp", str(file), "chat", "", f"Name {n} rivers.", {"temperature": 0.0} | more)
        for n, more in ((2, {"max_tokens": 12}), (3, {"max_tokens": 60, "response_format": schema}))
    ]
    async with AsyncExitStack() as stack:
        llama = await load("llama.cpp").open(teacher, "", Session(RunningSettings(concurrency=2)), stack)
        plain, constrained = await asyncio.gather(*map(llama.complete, asked))
    assert (plain.completion_tokens, plain.finish_reason) == (12, "length")
    expected = opened(folder).answer([[{"role": "user", "content": "Name 2 rivers."}]], 12)[0].text
    assert plain.text.strip() == expected.strip()
    assert isinstance(json.loads(constrained.text)["is_classification"], bool)
