"""Every known field of a row, in the spellings of the tools that write it, is read, refused by name, or counted.

Each row is built as a public report or page describes it, with words of our own.
"""

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selfinstruct.checks.checking import check
from selfinstruct.checks.repeats import row_key
from selfinstruct.rows.fields import CALL as CALL_FIELDS
from selfinstruct.rows.fields import PART, ROW, TURN
from selfinstruct.rows.formats import conversations, format_of
from selfinstruct.rows.not_used import in_words, not_used
from selfinstruct.rows.questions import read_pairs
from selfinstruct.runs.recorded import read_classes, read_completions, read_instances
from tests.conftest import run_cli

Q, A = {"role": "user", "content": "How deep is it?"}, {"role": "assistant", "content": "4 m."}
CALL = {"id": "c1", "type": "function", "function": {"name": "measure", "arguments": '{"lock": 9}'}}
AS_CALL = ("call", '[{"arguments": {"lock": 9}, "name": "measure"}]')
TOOLS = [{"type": "function", "function": {"name": "measure", "parameters": {}}}]
QA = [("user", "How deep is it?"), ("assistant", "4 m.")]
ASKED = [("instruction", "How deep is it?"), ("assistant", "4 m.")]


def read(row):
    """The texts of a row, its problems, and what of it is not used."""
    found, problems = conversations(row, format_of(row))
    texts = [(text.kind, text.text) for one in found for text in one.texts]
    return texts, [problem.rule for problem in problems], not_used(row)


# (who reports or documents it, the question)
MARKED = [
    ("QwenLM/Qwen3-VL#1336: within the text", "What does this say? <image> Put it into Welsh."),
    ("haotian-liu/LLaVA#203: a name before it", "Lock A: <image>\nAnd lock B: <image> Which is older?"),
    ("magic-research/PLLaVA#60", "<video> Say what happens."),
    ("MMMU-Benchmark/MMMU#54: numbered", "Which lock is shown in <image 1>?"),
    ("numbered in brackets", "Which lock is this? [IMAGE_1]"),
    ("numbered with a line", "<image_1> Which lock is this?"),
    ("numbered between bars", "<|image_1|>\nWhich lock is this?"),
    ("huggingface/transformers#40442", "[IMG]Which lock is this?"),
    ("QwenLM/Qwen3-VL#994", "<|vision_start|><|image_pad|><|vision_end|>Which lock is this?"),
    ("Llama 3.2", "<|image|>Which lock is this?"),
    ("Gemma 3", "<start_of_image> Which lock is this?"),
    ("QwenLM/Qwen-VL, README: a file between tags", "Picture 1: <img>lock.jpg</img>\nWhich lock is this?"),
    ("QwenLM/Qwen-Audio, README", "Audio 1:<audio>lock.wav</audio>\nWhat does she say?"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "question"), MARKED, ids=[source for source, *_ in MARKED])
def test_a_mark_of_an_image_is_found_anywhere_in_a_question(source, question):
    said = [{"role": "user", "content": question}, A]
    assert read({"messages": said})[1] == ["media_task"]
    assert read({"instruction": "Answer.", "input": question, "output": "4 m."})[1] == ["media_task"]


@pytest.mark.parametrize(
    "question",
    [
        "What does the <video> tag do?",
        "How do I center an <image> in SVG?",
        "Which is faster, `<img>` or `<image>`?",
        'Complete it: <div><img src="lock.png"></div>',
        "As JSON: <lock><image>lock.png</image><depth>4</depth></lock>",
        "<image>\n  <url>lock.png</url>\n</image>",
        "Say what it shows: ![image](lock.png)",
        "As Markdown: [img]lock.png[/img]",
        "Write a caption.\n[image]",
        "Sort the <name> and the <imagery>.",
    ],
)  # fmt: skip
def test_markup_in_a_question_is_no_mark_of_an_image(question):
    assert read({"instruction": question, "output": "4 m."})[1] == []


def turn(said, **more):
    return {"from": "gpt", "value": said, **more}


HUMAN = {"from": "human", "value": "How deep is it?"}

# (who reports or documents it, the row, its texts)
READ = [
    # Several spellings of question and answer.
    ("FreedomIntelligence/medical-o1-reasoning-SFT",
     {"Question": "How deep is it?", "Complex_CoT": "Nine.", "Response": "4 m."},
     [ASKED[0], ("thought", "Nine."), ASKED[1]]),
    ("gururise/AlpacaDataCleaned, Dolly", {"instruction": "How deep is it?", "context": "Lock 9.", "response": "4 m."},
     [ASKED[0], ("input", "Lock 9."), ASKED[1]]),
    ("ms-swift, Custom-dataset: query and response",
     {"query": "How deep is it?", "response": "4 m.", "history": [["Where?", "There."]]},
     [("user", "Where?"), ("assistant", "There."), *ASKED]),
    ("question and answer", {"question": "How deep is it?", "answer": "4 m."}, ASKED),
    ("problem and solution", {"problem": "How deep is it?", "solution": "4 m."}, ASKED),
    ("prompt and response", {"prompt": "How deep is it?", "response": "4 m."}, QA),
    ("axolotl, conversation.qmd: pygmalion",
     {"conversations": [{"role": "human", "value": Q["content"]}, {"role": "gpt", "value": "4 m."}]}, QA),
    ("NVIDIA-NeMo/Automodel#3143", {"conversations": [{"from": "system", "value": "Be brief."}, HUMAN, turn("4 m.")]},
     [("system", "Be brief."), *QA]),
    ("a system field that a turn repeats",
     {"messages": [{"role": "system", "content": "Be brief."}, Q, A], "system": " Be brief."},
     [("system", "Be brief."), *QA]),
    ("Tencent/AngelSlim#345", {"messages": [Q, A], "system_prompt": "Be brief."}, [("system", "Be brief."), *QA]),
    # Parts.
    ("oumi, data_formats: items with content",
     {"messages": [{"role": "user", "content": [{"type": "text", "content": "How deep is it?"}]}, A]}, QA),
    ("parts with value",
     {"conversations": [{"from": "human", "value": [{"type": "text", "value": "How deep is it?"}]}, turn("4 m.")]}, QA),
    # Reasoning.
    ("NVIDIA-NeMo/Automodel#2348", {"messages": [Q, {**A, "reasoning_content": "Nine."}]},
     [QA[0], ("thought", "Nine."), QA[1]]),
    ("axolotl-ai-cloud/axolotl#2613", {"messages": [Q, {**A, "thinking": "Nine."}]},
     [QA[0], ("thought", "Nine."), QA[1]]),
    ("Anthropic's parts", {"messages": [Q, {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "Nine."}, {"type": "text", "text": "4 m."}]}]},
     [QA[0], ("thought", "Nine."), QA[1]]),
    # Tools.
    ("THUDM/slime#1114", {"messages": [Q, {"role": "assistant", "content": None, "tool_calls": [CALL]},
                                       {"role": "tool", "content": "4", "tool_call_id": "c1"}, A], "tools": TOOLS},
     [("tools", json.dumps(TOOLS, sort_keys=True)), QA[0], AS_CALL, ("tool", "4"), QA[1]]),
    ("LLaMA-Factory, data/README.md: function_call",
     {"conversations": [HUMAN, {"from": "function_call", "value": '{"name": "measure", "arguments": {"lock": 9}}'},
                        {"from": "observation", "value": "4"}, turn("4 m.")], "tools": json.dumps(TOOLS)},
     [("tools", json.dumps(TOOLS, sort_keys=True)), QA[0], AS_CALL, ("tool", "4"), QA[1]]),
    ("modelscope/ms-swift#9427",
     {"messages": [Q, {"role": "tool_call", "name": "measure", "arguments": {"lock": 9}},
                   {"role": "tool_response", "content": "4"}, A]},
     [QA[0], AS_CALL, ("tool", "4"), QA[1]]),
    ("OpenAI's function_call",
     {"messages": [Q, {"role": "assistant", "content": None, "function_call": CALL["function"]},
                   {"role": "function", "name": "measure", "content": "4"}, A]},
     [QA[0], AS_CALL, ("tool", "4"), QA[1]]),
    # Earlier turns as turns.
    ("history of turns", {"instruction": "How deep is it?", "output": "4 m.", "history": [Q, A]}, [*QA, *ASKED]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "row", "texts"), READ, ids=[source for source, *_ in READ])
def test_a_field_is_read_in_each_of_its_spellings(source, row, texts):
    assert read(row) == (texts, [], set())


@pytest.mark.parametrize(("source", "row", "texts"), READ, ids=[source for source, *_ in READ])
def test_what_stands_beside_a_text_makes_another_row_of_it(source, row, texts):
    """A row without its history, tools, reasoning or system turn is no copy of it."""
    beside = [name for name in row if name.lower() in ("history", "tools", "complex_cot", "context", "system_prompt")]
    for name in beside:
        less = {key: value for key, value in row.items() if key != name}
        assert row_key(conversations(less, format_of(less))[0]) != row_key(conversations(row, format_of(row))[0])


def calls(*ids, **more):
    return {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": one} for one in ids], **more}


def result(name, **more):
    return {"role": "tool", "content": f"of {name}", "tool_call_id": name, **more}


# (who reports or documents it, the turns, the results in the order in which they are read, the problems)
MATCHED = [
    ("modelscope/ms-swift#10174: results in another order",
     [Q, calls("a", "b"), result("b"), result("a"), A], "ab", []),
    ("one call after another", [Q, calls("b"), result("b"), calls("a"), result("a"), A], "ba", []),
    ("can1357/oh-my-pi#11179, and the same ids again later",
     [Q, calls("a", "b"), result("b"), result("a"), A, Q, calls("a", "b"), result("b"), result("a"), A], "abab", []),
    ("calls without results at the end", [Q, calls("a", "b")], "", []),
    ("JustVugg/colibri#118: without ids, the order counts",
     [Q, calls(None, None), result("b"), result("a"), A], "ba", []),
    ("an unknown id", [Q, calls("a"), result("a"), result("z"), A], "az",
     ["messages.3.tool_call_id: z: no earlier call has this id"]),
    ("an id that is answered twice", [Q, calls("a"), result("a"), result("a"), A], "aa",
     ["messages.3.tool_call_id: a: no earlier call has this id"]),
    ("langgenius/dify-official-plugins#2352: a missing result",
     [Q, calls("a", "b"), result("a"), A], "a", ["messages.1: no result for the call b"]),
    ("no result at all", [Q, calls("a"), Q, A], "", ["messages.1: no result for the call a"]),
    ("calls of a user", [{**Q, "tool_calls": [CALL]}, A], "",
     ["messages.0.tool_calls: tool calls in a turn with role user"]),
    ("other calls under the other name",
     [Q, calls("a", function_call={"name": "x", "arguments": "{}"}), result("a"), A], "a",
     ["messages.1.function_call: not the same calls as in tool_calls"]),
    ("the same call under the other name", [Q, calls("a", function_call=CALL["function"]), result("a"), A], "a", []),
    ("reasoning of a user", [{**Q, "thinking": "Nine."}, A], "",
     ["messages.0.thinking: reasoning in a turn with role user"]),
    ("ShareGPT: calls with ids, results in another order", [
        Q, {"role": "tool_call", "content": json.dumps([{"id": one, "name": "measure"} for one in "ab"])},
        result("b"), result("a"), A], "ab", []),
    ("an id without any call", [Q, result("a"), A], "a", ["messages.1.tool_call_id: a: no earlier call"]),
    ("an id after the answer to its call", [Q, calls("a"), result("a"), A, Q, result("a"), A], "aa",
     ["messages.5.tool_call_id: a: no earlier call"]),
    ("the call may stand before a list that begins with its result", [result("a"), A], "a", []),
    ("the id of a call on an answer", [Q, {**A, "tool_call_id": "a"}], "",
     ["messages.1.tool_call_id: a call id in a turn with role assistant"]),
    ("a part of reasoning of a user",
     [{"role": "user", "content": [{"type": "thinking", "thinking": "9"}, {"type": "text", "text": "Deep?"}]}, A], "",
     ["messages.0.content.0: a part of type thinking"]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "said", "order", "problems"), MATCHED, ids=[source for source, *_ in MATCHED])
def test_results_stand_in_the_order_of_their_calls(source, said, order, problems):
    (found,), seen = conversations({"messages": said}, "messages")
    assert [text.text for text in found.texts if text.kind == "tool"] == [f"of {name}" for name in order]
    assert len(seen) == len(problems)
    for problem, start in zip(seen, problems, strict=True):
        assert problem.rule == "not_read"
        assert f"{problem.field}: {problem.evidence}".startswith(start)


# (who reports or documents it, the row, the rule that names it)
REFUSED = [
    ("TRL, dataset_formats: preference", {"prompt": "Deep?", "chosen": "4 m.", "rejected": "No."}, "preference_pair"),
    ("TRL, dataset_formats: implicit prompt", {"chosen": [Q, A], "rejected": [Q, {**A, "content": "No."}]},
     "preference_pair"),
    ("ms-swift, Custom-dataset: rejected_response",
     {"messages": [Q, A], "rejected_response": "No."}, "preference_pair"),
    ("OpenAI, FineTunePreferenceRequestInput",
     {"input": {"messages": [Q]}, "preferred_output": [A], "non_preferred_output": [{**A, "content": "No."}]},
     "preference_pair"),
    ("a number as the rejected answer", {"prompt": "Deep?", "chosen": "4 m.", "rejected": 5}, "wrong_type"),
    ("axolotl, conversation.qmd: train_detail",
     {"conversations": [HUMAN, turn("4 m.", train_detail=[{"begin_offset": 0, "end_offset": 1, "train": False}])]},
     "not_read"),
    ("ms-swift, Custom-dataset: audios", {"messages": [Q, A], "audios": ["a.wav"]}, "media_task"),
    ("LLaVA: image", {"id": "1", "image": "a.jpg", "conversations": [HUMAN, turn("4 m.")]}, "media_task"),
    ("hiyouga/LlamaFactory#6135", {"messages": [{**Q, "content": "How deep?<image>"}, A]}, "media_task"),
    ("oumi, data_formats: image_path", {"messages": [
        {**Q, "content": [{"type": "image_path", "content": "a.png"}, {"type": "text", "content": ""}]}, A]},
     "media_task"),
    ("OpenAI, input_audio",
     {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, A]},
     "media_task"),
    ("image_file and audio_path", {"messages": [Q, A], "image_file": "a.png"}, "media_task"),
    ("Huawei, multimodal data: img", {"instruction": "Deep?", "output": "4 m.", "img": {"filename": "a.png"}},
     "media_task"),
    ("MMMU: image_1", {"question": "Deep?", "answer": "4 m.", "image_1": {"bytes": "", "path": "a.png"}}, "media_task"),
    ("MathVista: decoded_image", {"query": "Deep?", "answer": "4 m.", "decoded_image": {"path": "a.png"}},
     "media_task"),
    ("MMInstruction/M3IT: image_base64_str", {"instruction": "Deep?", "output": "4 m.", "image_base64_str": ["/9j/"]},
     "media_task"),
    ("WebDataset: files by their endings", {"messages": [Q, A], "jpg": "/9j/", "__key__": "1"}, "media_task"),
    ("media", {"instruction": "Deep?", "output": "4 m.", "media": ["a.jpg"]}, "media_task"),
    ("audio_path of a turn", {"messages": [{**Q, "audio_path": "a.wav"}, A]}, "media_task"),
    ("an image of an instance",
     {"instruction": "Deep?", "instances": [{"input": "", "output": "4 m.", "image": "a.png"}]}, "media_task"),
    ("a mark in an earlier turn", {"instruction": "Deep?", "output": "4 m.", "history": [["<image> What?", "A lock."]]},
     "media_task"),
    ("a share as weight", {"messages": [Q, {**A, "weight": 0.5}]}, "not_read"),
    ("a mask that is too short", {"messages": [Q, A], "loss_mask": [1]}, "wrong_type"),
    ("train_detail in other letters", {"messages": [Q, {**A, "Train_Detail": [{"train": False}]}]}, "not_read"),
    ("instances in other letters",
     {"Instruction": "Deep?", "Instances": [{"Input": "", "Output": "4 m.", "Image": "a.png"}]}, "media_task"),
    ("messages of a record in other letters", {"Instruction": "Deep?", "Output": "4 m.", "Messages": [
        Q, {**A, "Weight": 0}]}, "not_read"),
    ("hiyouga/LlamaFactory: a system column and a system turn",
     {"messages": [{"role": "system", "content": "Be kind."}, Q, A], "system": "Be brief."}, "not_read"),
    ("a system turn in the history", {"instruction": "Deep?", "output": "4 m.", "system": "Be brief.",
     "history": [{"role": "developer", "content": "Be kind."}, Q, A]}, "not_read"),
    ("two values for an argument", {"messages": [Q, {"role": "assistant", "tool_calls": [
        {"function": {"name": "measure", "arguments": '{"lock": 9, "lock": 8}'}}]}]}, "not_read"),
    ("arguments that are no object",
     {"messages": [Q, {"role": "assistant", "tool_calls": [{"name": "measure", "arguments": "lock 9"}]}]}, "not_read"),
    ("two names of one tool", {"messages": [Q, A], "tools": '[{"name": "measure", "name": "fill"}]'}, "not_read"),
    ("history of texts", {"instruction": "Deep?", "output": "4 m.", "history": ["Where?", "There."]}, "wrong_type"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "row", "rule"), REFUSED, ids=[source for source, *_ in REFUSED])
def test_what_cannot_be_used_is_named(source, row, rule):
    assert rule in read(row)[1]


# (who reports or documents it, the row, whether each answer is trained)
WEIGHED = [
    ("OpenAI's weight; fw-ai/cookbook#387",
     {"messages": [Q, {**A, "weight": 0}, Q, {**A, "weight": 1}]}, [False, True]),
    ("verl-project/verl#5316: trainable", {"messages": [Q, {**A, "trainable": False}, Q, A]}, [False, True]),
    ("verl-project/verl#5472: loss_mask", {"messages": [Q, {**A, "loss_mask": 0}, Q, {**A, "loss_mask": 1}]},
     [False, True]),
    ("axolotl, conversation.qmd: train", {"conversations": [HUMAN, turn("4 m.", train=False), HUMAN, turn("9 m.")]},
     [False, True]),
    ("ms-swift: loss", {"messages": [Q, {**A, "loss": False}, Q, {**A, "loss": True}]}, [False, True]),
    ("hiyouga/LlamaFactory#9630",
     {"conversations": [HUMAN, turn("4 m."), HUMAN, turn("9 m.")], "loss_mask": [0, 0, 0, 1]},
     [False, True]),
    ("yes and no", {"messages": [Q, {**A, "train": "no"}, Q, {**A, "train": "yes"}]}, [False, True]),
    ("floats as text", {"messages": [Q, {**A, "weight": "0.0"}, Q, {**A, "weight": "1.0"}]}, [False, True]),
    ("one no of several", {"messages": [Q, {**A, "weight": 1, "train": False}, Q, {**A, "weight": 1}]}, [False, True]),
    ("a mask of words", {"messages": [Q, A, Q, A], "loss_mask": [0, "no", None, "yes"]}, [False, True]),
    ("a mask cannot undo a weight", {"messages": [Q, {**A, "weight": 0}, Q, A], "loss_mask": [1, 1, 1, 1]},
     [False, True]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "row", "trained"), WEIGHED, ids=[source for source, *_ in WEIGHED])
def test_answers_that_are_not_to_be_learned_are_marked(source, row, trained):
    (found,), problems = conversations(row, format_of(row))
    assert [text.trained for text in found.texts if text.is_answer] == trained
    assert not problems
    assert not not_used(row)


@pytest.mark.parametrize(
    ("row", "unwanted"),
    [
        ({"weight": 1, "train": False}, True),
        ({"label": True, "kto_tag": False}, True),
        ({"label": "geography", "desirable": "no"}, True),
        ({"label": "False "}, True),
        ({"weight": "0.0"}, True),
        ({"weight": Decimal("0.0")}, True),
        ({"label": 0}, False),
        ({"label": "no", "weight": 1}, False),
        ({"label": "bad", "train": "yes"}, False),
        ({"instances": [{"input": "", "output": "4 m.", "weight": 0}]}, True),
        ({"instances": [{"input": "", "output": "4 m.", "label": False}]}, True),
    ],
)  # fmt: skip
def test_one_no_of_a_row_makes_its_answer_unwanted(row, unwanted):
    row = {"instruction": "Deep?", **({} if "instances" in row else {"output": "4 m."}), **row}
    (found,), problems = conversations(row, format_of(row))
    assert found.is_unwanted is unwanted
    assert not problems
    assert not not_used(row) - {"label"}


RECORD = {"instruction": "Deep?", "output": "4 m."}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({**RECORD, "train": "skip"}, "train: skip, neither 0 nor 1"),
        ({**RECORD, "weight": 0.3, "train": False}, "weight: 0.3, neither 0 nor 1"),
        ({**RECORD, "weight": float("nan")}, "weight: nan, neither 0 nor 1"),
        ({**RECORD, "kto_tag": "bad"}, "kto_tag: bad, neither 0 nor 1"),
        ({"messages": [Q, {**A, "weight": 1, "loss": -1}]}, "messages.1.loss: -1, neither 0 nor 1"),
        ({"messages": [Q, A], "loss_mask": [0, 0.4]}, "loss_mask.1: 0.4, neither 0 nor 1"),
        ({"messages": [Q, A], "loss_mask": [0, None]}, "loss_mask.1: None, neither 0 nor 1"),
        ({"messages": [Q, A], "loss_mask": ["x", 1]}, "loss_mask.0: x, neither 0 nor 1"),
        ({"instruction": "Deep?", "instances": [{"input": "", "output": "4 m.", "weight": 2}]},
         "instances.0.weight: 2, neither 0 nor 1"),
        ({**RECORD, "messages": [{**Q, "content": "Deep?"}, {**A, "weight": 0}]},
         "messages.1.weight: of a record, only the fields are read"),
        ({**RECORD, "messages": [{**Q, "content": "Deep?"}, {**A, "reasoning": "Nine."}]},
         "messages.1.reasoning: of a record, only the fields are read"),
        ({**RECORD, "messages": [{**Q, "content": "Deep?"}, {**A, "tool_calls": [CALL]}]},
         "messages.1.tool_calls: of a record, only the fields are read"),
        ({**RECORD, "messages": [{**Q, "content": "Deep?"}, {"role": "tool", "content": "4 m.", "tool_call_id": "c1"}]},
         "messages.1.tool_call_id: of a record, only the fields are read"),
    ],
)  # fmt: skip
def test_a_weight_that_is_neither_yes_nor_no_is_named(row, problem):
    _, (found,) = conversations(row, format_of(row))
    assert (found.rule, f"{found.field}: {found.evidence}") == ("not_read", problem)


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({"instruction": "Deep?", "output": "4 m.", "source": "a", "empty": "", "null": None}, {"source"}),
        ({"instruction": "Deep?", "input": "Lock 9.", "context": "Lock 8.", "output": "4 m."}, {"context"}),
        ({"instruction": "Deep?", "output": "4 m.", "label": 3}, {"label"}),
        ({"messages": [Q, A], "metadata": {"system": "Be brief."}}, {"metadata"}),  # instructlab/sdg#181
        ({"messages": [{**Q, "name": "Eve"}, A]}, {"messages.*.name"}),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Deep?", "cache_control": {"a": 1}}]}, A]},
         {"messages.*.content.*.cache_control"}),
        ({"messages": [Q, {**A, "text": "9 m."}]}, {"messages.*.text"}),
        ({"instruction": "Deep?", "instances": [{"input": "", "output": "4 m.", "hint": "x"}]}, {"instances.*.hint"}),
        ({"instruction": "Deep?", "output": "4 m.", "messages": [Q, A]}, {"messages"}),
        ({"prompt": "Deep?", "completion": " 4 m.", "choices": ["a"]}, {"choices"}),
        ({"id": 1, "task": 1, "instruction": "Deep?", "input": "", "output": "4 m.", "is_classification": None,
          "messages": [{**Q, "content": "Deep?"}, A], "extra": {"a": 1}}, set()),
        ({**RECORD, "messages": [{**Q, "content": "Deep?"}, A, "9 m."]}, {"messages"}),
        ({"instruction": "Deep?", "Output": "9 m.", "Messages": [{**Q, "content": "Deep?"}, A]}, {"Messages"}),
        ({**RECORD, "messages": [{**Q, "content": "Deep?", "role": "system"}, A]}, {"messages"}),
        ({"prompt": "Deep?", "chosen": {**A, "score": 3}, "rejected": {**A, "score": 1}},
         {"chosen.*.score", "rejected.*.score"}),
        ({"Input": {"messages": [Q], "tools": [CALL]}, "preferred_output": [A], "non_preferred_output": [A]},
         {"Input.tools"}),
        ({"messages": [Q, {**A, "content": [{"type": "output_text", "text": "4 m.", "annotations": [1]},
                                            {"type": "thinking", "thinking": "Nine.", "signature": "x"}]}]},
         {"messages.*.content.*.annotations", "messages.*.content.*.signature"}),
        ({"prompt": [Q], "completion": {**A, "score": 3}}, {"completion.*.score"}),
        ({"Messages": [Q, A], "Tools": TOOLS}, set()),
        ({"instruction": "Deep?", "Instances": [{"input": "", "Output": "4 m.", "hint": "x"}]}, {"Instances.*.hint"}),
        ({"messages": [{**Q, "weight": 0.5, "train": True, "loss": "x"}, A]}, {"messages.*.weight", "messages.*.loss"}),
        ({"prompt": "Deep?", "context": "Lock 9.", "messages": [Q], "chosen": [Q, A], "rejected": [Q, A]},
         {"prompt", "context", "messages"}),
        ({"prompt": "Deep?", "context": "Lock 9.", "messages": [Q], "chosen": [A], "rejected": [A]},
         {"prompt", "context"}),
        ({"prompt": [Q], "context": "Lock 9.", "chosen": [A], "rejected": [A]}, {"context"}),
        ({"prompt": "Deep?", "context": "Lock 9.", "chosen": [A], "rejected": [A]}, set()),
        ({"conversations": [HUMAN, {"from": "function_call", "value": '{"name": "a", "why": "x"}', "arguments": [9]},
                            {"from": "observation", "value": "4", "arguments": [9], "parameters": {"lock": 9}}]},
         {"conversations.*.value.why", "conversations.*.arguments", "conversations.*.parameters"}),
        ({"messages": [Q, {**A, "tool_calls": [{**CALL, "why": "x", "name": "a", "type": "custom"}]}]},
         {f"messages.*.tool_calls.*.{key}" for key in ("why", "name", "type")}),
        ({"messages": [Q, {**A, "tool_calls": [{"function": {**CALL["function"], "parameters": {"a": 1}, "id": 1}}]}]},
         {"messages.*.tool_calls.*.function.parameters", "messages.*.tool_calls.*.function.id"}),
        ({"messages": [Q, calls("c1"), {**result("c1"), "name": "measure"}]}, set()),
        ({"messages": [Q, calls("c1"), {**result("c1"), "name": "other"}]}, {"messages.*.name"}),
        ({"messages": [Q, {"role": "tool_call", "name": "a"}, {"role": "tool", "content": "4", "name": "a"}]}, set()),
        ({"messages": [Q, {"role": "tool_call", "content": [{"name": "a"}]}, result("c1")]},
         {"messages.*.tool_call_id"}),
        ({"messages": [Q, {**A, "content": [{"type": "text", "text": "4 m.", "thinking": "Nine."}]}]},
         {"messages.*.content.*.thinking"}),
        ({"id": ["a"], "task": {"a": 1}, **RECORD, "messages": [{**Q, "content": "Deep?"}, A], "extra": 5,
          "is_classification": "yes"}, {"id", "task", "extra", "is_classification"}),
        ({"id": {}, "name": 5, "is_classification": 1, "instruction": "Deep?", "instances": [{"output": "4 m."}]},
         {"name", "is_classification"}),
        ({"input": {"messages": [{**Q, "name": "Eve"}], "tools": [CALL], "parallel_tool_calls": True},
          "preferred_output": [A], "non_preferred_output": [A]},
         {"input.messages.*.name", "input.tools", "input.parallel_tool_calls"}),
    ],
)  # fmt: skip
def test_fields_that_no_format_knows_are_counted(row, names):
    assert not_used(row) == names


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_check_names_each_once_a_file(tmp_path, cli, suffix):
    rows = [{"instruction": f"Task {n}?", "output": f"{n} m.", "origin": "x", "score": 1.5} for n in range(3)]
    path = tmp_path / f"data.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert check(path).not_used == {"origin": 3, "score": 3}
    assert "not used: origin in 3 rows, score in 3 rows\nNo problems found in the" in cli("check", path).stdout


def test_in_words():
    assert in_words({"a": 1, "b": 2000}) == "not used: a in 1 row, b in 2,000 rows"
    assert in_words({"": 1, "a\nb": 1}) == 'not used: "" in 1 row, "a\\nb" in 1 row'
    assert not in_words({})


def test_no_spelling_is_declared_twice_for_one_holder():
    for table in (TURN, PART, CALL_FIELDS):
        spellings = [name for field in table for name in field.spellings]
        assert len(spellings) == len(set(spellings))
    assert len({field.name for field in ROW}) == len(ROW)


def test_overlap_reads_earlier_turns_parts_and_pairs_and_names_the_rest(tmp_path, capsys):
    path = tmp_path / "data.jsonl"
    rows = [
        {"instruction": "Make it shorter.", "output": "Short.", "history": [["Write about a lock.", "A long one."]]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "How deep?"}]}, A]},
        {"prompt": [Q], "chosen": [A], "rejected": [{**A, "content": "No."}]},
        {"question": "How wide?", "answer": "9 m.", "level": 3},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [(question.text, whole.text) for question, whole in read_pairs(path)] == [
        ("Write about a lock.\nMake it shorter.", "Write about a lock.\nA long one.\nMake it shorter.\nShort."),
        ("How deep?", "How deep?\n4 m."),
        ("How deep is it?", "How deep is it?\n4 m.\nNo."),
        ("How wide?", "How wide?\n9 m."),
    ]
    assert "not used: level in 1 row" in capsys.readouterr().err
    pq.write_table(pa.Table.from_pylist(rows[3:]), tmp_path / "data.parquet")
    assert [whole.text for _, whole in read_pairs(tmp_path / "data.parquet")] == ["How wide?\n9 m."]


TEXT = "The ninth lock is the deepest."
SAYS = {"role": "user", "content": TEXT}
# (who reports or documents it, the row)
ANYWHERE = [
    ("HuggingFaceH4/ultrachat_200k: prompt is the first turn",
     {"prompt": Q["content"], "prompt_id": "x", "messages": [Q, A, SAYS, A]}),
    ("question beside turns", {"question": "Deep?", "messages": [SAYS, A]}),
    ("instruction beside turns", {"instruction": "Deep?", "output": "4 m.", "messages": [SAYS, A]}),
    ("history beside turns", {"history": [[TEXT, "Yes."]], "messages": [Q, A]}),
    ("TRL, dataset_formats: a prompt of turns", {"prompt": [SAYS, A, Q], "completion": [A]}),
    ("a prompt of turns with an answer as text", {"prompt": [Q, A, SAYS], "completion": "4 m."}),
    ("TRL, dataset_formats: implicit prompt", {"prompt": "Deep?", "chosen": [SAYS, A], "rejected": [SAYS, A]}),
    ("TRL, dataset_formats: preference, chosen", {"prompt": "Deep?", "chosen": TEXT, "rejected": "No."}),
    ("TRL, dataset_formats: preference, rejected", {"prompt": "Deep?", "chosen": "4 m.", "rejected": TEXT}),
    ("case does not count: instances", {"Instruction": "Deep?", "Instances": [{"Input": TEXT, "Output": "4 m."}]}),
    ("case does not count: turns inside",
     {"Input": {"messages": [SAYS]}, "preferred_output": [A], "non_preferred_output": [A]}),
    ("OpenAI, FineTunePreferenceRequestInput",
     {"input": {"messages": [SAYS]}, "preferred_output": [A], "non_preferred_output": [A]}),
    ("axolotl, conversation.qmd: conversation", {"conversation": [{"from": "human", "value": TEXT}, turn("Yes.")]}),
    ("dialogue", {"dialogue": [SAYS, A]}),
    ("Tencent/AngelSlim#345: system_prompt", {"system_prompt": TEXT, "messages": [Q, A]}),
    ("FreedomIntelligence/medical-o1-reasoning-SFT", {"Question": "Deep?", "Complex_CoT": TEXT, "Response": "4 m."}),
    ("reasoning of a turn", {"messages": [Q, {**A, "reasoning_content": TEXT}]}),
    ("tools", {"instruction": "Deep?", "output": "4 m.",
               "tools": [{"type": "function", "function": {"name": "measure", "description": TEXT}}]}),
    ("reasoning of an instance",
     {"instruction": "Deep?", "instances": [{"input": "9", "output": "4 m.", "reasoning": TEXT}]}),
]  # fmt: skip


@pytest.mark.parametrize(("source", "row"), ANYWHERE, ids=[source for source, *_ in ANYWHERE])
def test_overlap_finds_a_text_wherever_it_stands(tmp_path, source, row):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(row))
    ((_, whole),) = read_pairs(path)
    assert TEXT in whole.text


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({"question": "Deep?", "messages": "User: Deep?"}, "messages"),
        ({"question": "Deep?", "task": "x", "answers": ["4 m."]}, "answers in 1 row, task"),
        ({"question": "Deep?", "history": ["Where?", "There."]}, "history"),
        ({"question": "Deep?", "history": [["Where?", "There."], "And?"]}, "history.*"),
        ({"question": "Deep?", "image": "a.jpg"}, "image"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Deep?"}]}]},
         "messages.*.content.*"),
        ({"messages": [{**Q, "name": "Eve"}, A], "label": False}, "label in 1 row, messages.*.name"),
        ({"messages": [Q, {**A, "role": 5}]}, "messages.*.role"),
        ({"instruction": "Deep?", "instances": [{"input": "9", "hint": "x"}, {"input": "8", "output": 4}]},
         "instances.*.hint in 1 row, instances.*.output"),
    ],
)  # fmt: skip
def test_overlap_names_what_it_does_not_read(tmp_path, capsys, row, names):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(row))
    read_pairs(path)
    assert capsys.readouterr().err == f"{path}: not used: {names} in 1 row\n"


def test_a_record_says_everything_once(tmp_path):
    path = tmp_path / "records.jsonl"
    said = [{"role": "user", "content": "Deep?\n\nLock 9."}, A]
    row = {"id": "x", "task": 1, "instruction": "Deep?", "input": "Lock 9.", "output": "4 m.", "messages": said}
    path.write_text(json.dumps(row))
    assert [(question.text, whole.text) for question, whole in read_pairs(path)] == [
        ("Deep?\n\nLock 9.", "Deep?\n\nLock 9.\n4 m.")
    ]


def test_import_says_what_it_does_not_use_and_refuses_what_it_cannot_keep(tmp_path, cli):
    path = tmp_path / "alpaca.jsonl"
    rows = [
        {"instruction": "How deep is it?", "context": "Lock 9 of the canal.", "response": "It is 4 m deep.", "id": 7},
        {"instruction": "How wide is the lock?", "output": "Bananas.", "kto_tag": False},
        {"instruction": "How old is the lock?", "output": "It is 90 years old.", "system": "Be brief."},
        {"id": "x", "instruction": "How?", "output": "4 m.", "extra": {"a": 1}, "kto_tag": False,
         "messages": [{**Q, "content": "How?"}, A]},
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run_cli("import", tmp_path / "run", "--alpaca", path)
    assert "not used: id in 2 rows, system in 1 row, extra in 1 row\n" in done.stderr
    assert "rows marked as unwanted answers, left out: 2\n" in done.stderr
    records = [json.loads(line) for line in (tmp_path / "run/records.jsonl").read_text().splitlines()]
    assert [(one["instruction"], one["input"]) for one in records] == [
        ("How deep is it?", "Lock 9 of the canal."),
        ("How old is the lock?", ""),
    ]
    for row, said in [
        ({"history": [["Where?", "There."]]}, "line 1: history: earlier turns cannot be imported"),
        ({"images": ["a.jpg"]}, "line 1: images: media (a list) cannot be imported"),
    ]:
        path.write_text(json.dumps({"instruction": "How deep?", "output": "4 m.", **row}) + "\n")
        assert said in cli("import", tmp_path / "other", "--alpaca", path, code=2).stderr


@pytest.mark.parametrize(
    ("reading", "row", "names"),
    [
        (read_completions, {"prompt": "1.", "text": "Name a lock.", "finish_reason": "stop", "id": 4}, "id"),
        (read_completions, {"text": "Name a lock.", "response": {"choices": []}, "instruction": "Name."},
         "response in 1 row, instruction"),
        (read_completions, {"instruction": "Name a lock.", "output": "The ninth."}, "output"),
        (read_completions, {"instruction": "Name a lock.", "most_similar": {"a": 1},
                            "metadata": {"prompt": "1.", "response": {"choices": []}, "created_at": "x"}},
         "most_similar in 1 row, metadata.created_at"),
        (read_classes, {"instruction": "Name a lock.", "is_classification": True, "label": "x"}, "label"),
        (read_instances, {"instruction": "Name a lock.", "raw_instances": "The ninth.", "output": "x"}, "output"),
    ],
)  # fmt: skip
def test_import_names_what_stands_beside_an_answer(tmp_path, capsys, reading, row, names):
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps(row))
    reading(path)
    assert capsys.readouterr().err == f"{path}: not used: {names} in 1 row\n"


def test_seeds_say_what_they_do_not_use(tmp_path):
    path = tmp_path / "seeds.jsonl"
    seed = {
        "instruction": "Name a lock of the canal.",
        "instances": [{"input": "", "output": "The ninth.", "hint": "x"}],
    }
    path.write_text(json.dumps({**seed, "is_classification": False, "context": "The canal.", "note": ""}) + "\n")
    said = run_cli("seeds", "check", path).stdout
    assert "advice: not used: context in 1 row, instances.*.hint in 1 row. Seed tasks do not use" in said
    run = run_cli("generate", tmp_path / "run", "--target", "1", "--teacher", "simulated", "--seeds", path)
    assert "not used: context in 1 row" in run.stderr
