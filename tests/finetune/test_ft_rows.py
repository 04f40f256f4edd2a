"""What stands beside the texts of a row: earlier turns, reasoning, tools, weights, unwanted answers, other fields."""

import json

import pytest
from ft_tokenizers import assistant, marked, system, tokenizer_of, user
from ft_training import settings_for, write_student

from finetune.data.dialogues import read_dialogues, split, write_dialogues
from finetune.data.encoding import encode, encode_all
from finetune.data.preflight import preflight
from finetune.data.templates import prepare_tokenizer, without_reasoning, worded
from finetune.evaluation.evaluate import held_out
from finetune.training.preparing import prepare
from selfinstruct.errors import UsageError

CALL = {"type": "function", "function": {"name": "measure", "arguments": {"lock": 9}}}
TOOLS = [{"type": "function", "function": {"name": "measure", "parameters": {}}}]
# As Qwen2.5's, in short: tools in the system turn, calls as JSON in the assistant's.
WITH_TOOLS = (
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}{% endfor %}<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{% for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def read(tmp_path, *rows, notes=None):
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_dialogues(path, notes=[] if notes is None else notes)


def prepared(style="qwen", template="chatml", own=None):
    tokenizer = tokenizer_of(style)
    if own:
        tokenizer.chat_template = own
    prepare_tokenizer(tokenizer, "model" if own else template)
    return tokenizer


def thought(text, answer):
    return assistant(f"<think>\n{text}\n</think>\n\n{answer}")


def test_earlier_turns_come_before_the_question_and_are_part_of_the_task(tmp_path):
    rows = [
        {"instruction": "Make it shorter.", "output": "Short.", "history": [["Write.", text]]}
        for text in ("One.", "Two.")
    ]
    found = read(tmp_path, *rows)
    assert found[0].messages == [user("Write."), assistant("One."), user("Make it shorter."), assistant("Short.")]
    assert len({dialogue.task for dialogue in found}) == 2
    assert len(split(found, 1).held_out) == 1  # not all of one task
    row = {"instruction": "Add.", "input": "1 2", "output": "3", "history": [["Hi", "Hello"]]}
    (found,) = read(tmp_path, row)
    messages = worded(found, "alpaca").messages
    assert messages[0] == user("Hi")
    assert "### Input:\n1 2" in messages[2]["content"]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [user("Add."), {**assistant("3"), "reasoning_content": "1, 2."}]},
        {"conversations": [{"from": "human", "value": "Add."}, {"from": "gpt", "value": "3", "thinking": "1, 2."}]},
        {"messages": [user("Add."), {"role": "assistant", "content": [
            {"type": "reasoning", "text": "1, 2."}, {"type": "text", "text": "3"}]}]},
        {"question": "Add.", "answer": "3", "cot": "1, 2."},
        {"messages": [user("Add."), thought("1, 2.", "3")]},
    ],
)  # fmt: skip
def test_reasoning_is_trained_masked_or_dropped(tmp_path, row):
    (dialogue,) = read(tmp_path, row)
    assert dialogue.messages == [user("Add."), thought("1, 2.", "3")]
    tokenizer = prepared()
    asked = "<|im_start|>user\nAdd.<|im_end|>\n<|im_start|>assistant\n"
    assert marked(tokenizer, encode(tokenizer, dialogue)) == f"{asked}‹<think>\n1, 2.\n</think>\n\n3<|im_end|>›"
    masked = encode(tokenizer, dialogue, "mask")
    assert marked(tokenizer, masked) == f"{asked}<think>\n1, 2.\n</think>\n\n‹3<|im_end|>›"
    dropped = encode(tokenizer, without_reasoning(dialogue))
    assert marked(tokenizer, dropped) == f"{asked}‹3<|im_end|>›"


def test_reasoning_that_a_template_leaves_out_is_counted(tmp_path):
    """jingyaogong/minimind#737: what the template does not render is gone in silence."""
    own = prepared().chat_template.replace("message['content']", "message['content'].split('</think>')[-1]")
    tokenizer = prepared(own=own)
    (dialogue,) = read(tmp_path, {"messages": [user("Add."), {**assistant("3"), "reasoning": "1, 2."}]})
    encoded = encode_all(tokenizer, [dialogue])
    assert (encoded.thoughts, encoded.unshown) == (1, 1)


def test_an_answer_of_nothing_but_reasoning_is_not_dropped_in_silence(tmp_path):
    (dialogue,) = read(tmp_path, {"messages": [user("Add."), assistant("<think>\n1, 2.\n</think>\n")]})
    with pytest.raises(UsageError, match="line 1: an answer is nothing but reasoning"):
        without_reasoning(dialogue)


def test_tool_turns_are_read_and_calls_are_trained(tmp_path):
    row = {
        "messages": [user("How deep?"), {"role": "assistant", "content": None, "tool_calls": [CALL]},
                     {"role": "tool", "content": "4"}, assistant("4 m.")],
        "tools": TOOLS,
    }  # fmt: skip
    (dialogue,) = read(tmp_path, row)
    tokenizer = prepared(own=WITH_TOOLS)
    text = marked(tokenizer, encode(tokenizer, dialogue))
    tools, _, rest = text.partition("<|im_end|>\n")
    assert '"measure"' in tools
    assert "‹" not in tools
    assert rest == (
        "<|im_start|>user\nHow deep?<|im_end|>\n<|im_start|>assistant\n"
        '‹<tool_call>{"arguments": {"lock": 9}, "name": "measure"}</tool_call><|im_end|>›\n'
        "<|im_start|>tool\n4<|im_end|>\n<|im_start|>assistant\n‹4 m.<|im_end|>›"
    )
    for own, said in [
        (WITH_TOOLS.replace("{% if tools %}", "{% if false %}"), "tools"),
        (WITH_TOOLS.replace("message.tool_calls or []", "[]"), "tool calls"),
        (
            WITH_TOOLS.replace("{{ message.content }}", "{{ message.content if message.role != 'tool' }}"),
            "tool results",
        ),
    ]:
        with pytest.raises(UsageError, match=f"line 1: the chat template leaves out {said}"):
            encode(prepared(own=own), dialogue)
    kept = tmp_path / "held_out.jsonl"
    write_dialogues([dialogue], kept)
    (again,) = read_dialogues(kept)
    assert again == dialogue._replace(source=again.source)
    assert held_out(kept, "model")[0].tools == TOOLS


@pytest.mark.parametrize("mark", [{"weight": 0}, {"train": False}, {"trainable": 0}, {"loss": False}])
def test_an_answer_of_weight_0_is_read_but_not_trained(tmp_path, mark):
    notes = []
    turns = [
        user("One?"),
        {**assistant("Eins."), **mark},
        user("Two?"),
        assistant("Zwei."),
        user("3?"),
        {**assistant("?"), **mark},
    ]
    (dialogue,) = read(tmp_path, {"messages": turns}, notes=notes)
    assert marked(prepared(), encode(prepared(), dialogue)) == (
        "<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\nEins.<|im_end|>\n"
        "<|im_start|>user\nTwo?<|im_end|>\n<|im_start|>assistant\n‹Zwei.<|im_end|>›"
    )
    assert notes == [f"{tmp_path / 'data.jsonl'}: answers marked as not to be trained on: 2"]
    kept = tmp_path / "kept.jsonl"
    write_dialogues([dialogue], kept)
    assert read_dialogues(kept, notes=[])[0].messages == dialogue.messages


def test_unwanted_rows_are_left_out_and_counted(tmp_path):
    good = {"prompt": [user("Chile?")], "completion": [assistant("Santiago.")]}
    bad = {"prompt": [user("Peru?")], "completion": [assistant("Bananas!")], "label": False}
    notes = []
    assert [d.messages[-1]["content"] for d in read(tmp_path, good, bad, {**good, "label": True}, notes=notes)] == [
        "Santiago.", "Santiago.",
    ]  # fmt: skip
    assert notes == [f"{tmp_path / 'data.jsonl'}: rows marked as unwanted answers, left out: 1"]
    with pytest.raises(UsageError, match=r"no row to train on \(rows marked as unwanted answers"):
        read(tmp_path, bad)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"prompt": "Deep?", "chosen": "4 m.", "rejected": "No."},
            "rejected: a pair of a chosen and a rejected answer",
        ),
        ({"messages": [user("Deep?"), assistant("4 m.")], "images": ["a.jpg"]}, "images: a picture, sound or video"),
        ({"messages": [user("Deep?"), {**assistant("4 m."), "weight": 0.5}]}, "messages.1.weight: not read (0.5"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_by_name(tmp_path, row, said):
    with pytest.raises(UsageError) as error:
        read(tmp_path, row)
    assert said in str(error.value)


def test_the_report_says_what_becomes_of_all_of_it(tmp_path, capsys):
    rows = [
        {
            "messages": [system("Be brief."), user(f"Add {n}."), {**assistant(f"{n}"), "reasoning": "Easy."}],
            "origin": "x",
        }
        for n in range(3)
    ]
    read(tmp_path, *rows, {**rows[0], "label": False})
    settings = settings_for(write_student(tmp_path / "model"), tmp_path / "data.jsonl", eval_share=0, template="chatml")
    capsys.readouterr()
    for reasoning, said in [("train", "it is trained on"), ("mask", "it is read, but not"), ("drop", "it is dropped")]:
        text = prepare(settings.model_copy(update={"reasoning": reasoning})).report.render()
        assert f"3 answers have reasoning; {said}" in text
        assert "rows marked as unwanted answers, left out: 1" in text
        assert "not used: origin in 4 rows" in text
    assert not capsys.readouterr().err
    read_dialogues(tmp_path / "data.jsonl")
    assert "not used: origin in 4 rows" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_named_before_a_model_is_looked_for(tmp_path):
    (tmp_path / "data.jsonl").write_text("not JSON\n")
    with pytest.raises(UsageError, match=r"data\.jsonl: no row can be read"):
        prepare(settings_for("nobody/has-this-model", tmp_path / "data.jsonl"))


def test_notes_of_a_preflight_are_in_its_json(tmp_path):
    tokenizer = prepared()
    encoded = encode_all(tokenizer, read(tmp_path, {"messages": [user("Hi"), assistant("Hello")]}))
    assert preflight(tokenizer, encoded, vocabulary=len(tokenizer), notes=["a note"]).as_dict()["notes"] == ["a note"]
