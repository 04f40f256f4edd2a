"""Thoughts in any known mark are no part of what is read."""

import pytest

from selfinstruct.parsing.begun import whole_answer
from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.thoughts import spoken
from selfinstruct.parsing.whole_tasks import whole_tasks
from tests.parsing.reading import name_of, pairs_of, texts_of, triples_of

RIVER, RANK = "Name three rivers in Asia.", "Rank the planets by size."
LIST = f"9. {RIVER}\n10. {RANK}"
THOUGHT = "They want two.\n1. Perhaps pasta?\nInput: pasta"

# The mark around a thought; where it was reported.
MARKS = [
    ("<seed:think>", "</seed:think>", "vllm-project/vllm#46333"),
    ("", "</seed:think>", "vllm-project/vllm#46333"),
    ("<thought>", "</thought>", "web-infra-dev/midscene#2613"),
    ("</think>", "</think>", "jundot/omlx#2649"),
    ("<reasoning>", "</reasoning>", ""), ("<thinking>", "</thinking>", ""), ("<THINK>", "</THINK>", ""),
    ("<|START_THINKING|>", "<|END_THINKING|>", "cohere-ai/cohere-developer-experience#602"),
    ("<|begin_of_thought|>", "<|end_of_thought|>", ""), ("<longcat_think>", "</longcat_think>", ""),
    ("<|inner_prefix|>", "<|inner_suffix|>", ""), ("<unused94>thought\n", "<unused95>", ""),
    ("<|channel>thought\n", "<channel|>", ""), ("Thinking...\n", "\n...done thinking.\n\n", ""),
    ("Here is my thought process:\n", "\nHere is my response:\n", ""),
    ('<details type="reasoning" done="true" duration="3">', "</details>", ""), ("<scratchpad>", "</scratchpad>", ""),
    ("<|start|>assistant<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>", ""),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>", ""),
    ("<antThinking>", "</antThinking>", "openclaw/openclaw#688"),
    ("<thinking>", "</thinking>", "openclaw/openclaw#59550"), ("<thinking_process>", "</thinking_process>", ""),
    ("<chain-of-thought>", "</chain-of-thought>", ""), ("<planning>", "</planning>", ""), ("<plan>\n", "\n</plan>", ""),
    ("**Thinking:**\n", "\n\n**Answer:**\n", ""), ("### Thought\n", "\n\n### Final Answer\n", ""),
    ("**Thought process**: ", "\n\n**My final answer:**\n", ""), ("Thinking:\n", "\nFinal answer:\n", ""),
]  # fmt: skip


@pytest.mark.parametrize(("begin", "end", "source"), MARKS, ids=name_of)
def test_thoughts_are_taken_off_before_anything_is_read(begin, end, source):
    said = f"{begin}{THOUGHT}{end}"
    assert texts_of(said + LIST) == [RIVER, RANK]
    assert pairs_of(input_first(f"{said}Example 1\nInput: 3\nOutput: three", False)) == [("3", "three")]
    assert pairs_of(output_first(f"{said}Class label: odd\nInput: 3", False)) == [("3", "odd")]
    assert triples_of(whole_tasks(f"{said}1. Instruction: Spell it.\n1. Input: 3\n1. Output: three", False)) == [
        ("Spell it.", "3", "three")
    ]
    assert texts_of(whole_answer("9. ", f"{said}{LIST}")) == [RIVER, RANK]


@pytest.mark.parametrize("begin", [begin for begin, _, _ in MARKS if begin not in ("", "</think>")], ids=name_of)
def test_thoughts_that_do_not_end_leave_nothing(begin):
    assert spoken(f"{begin}{THOUGHT}") == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"<think>a</think>{LIST}<|return|>", LIST),
        (f"9. {RIVER}\n<think>Next?</think>\n10. {RANK}", f"9. {RIVER}\n\n10. {RANK}"),
        (f"<think>a</think>\n<answer>\n{LIST}\n</answer>", f"\n{LIST}\n"),
        (f"<|begin_of_thought|>a<|end_of_thought|>\n<|begin_of_solution|>{LIST}<|end_of_solution|>", LIST),
        (f"analysisTwo are wanted.assistantfinal{LIST}", LIST),
        (f"{LIST}<|im_end|>\n<|im_end|>", LIST),
        (f"{LIST}</s>", LIST),
        (f"{LIST}<SPECIAL_12>", LIST),
        (f"<answer>\n{LIST}\n</answer>", f"\n{LIST}\n"),
        ("Output: <think>60*2</think>\n<answer>120 km</answer>", "Output: \n120 km"),
        ("<think>a</think>\nOutput: <answer>5</answer>", "Output: 5"),
        (f"<final_answer>{LIST}</final_answer>", LIST),
        # zai-org/GLM-V#79
        (f"<think>a</think><|begin_of_box|>{LIST}<|end_of_box|>", LIST),
    ],
    ids=name_of,
)
def test_what_is_left_is_the_answer(text, said):
    assert spoken(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "9. Explain what `<think>` and `</think>` mean in a template.",
        "9. Say what the tag <think> is for.",
        "Analysis of a poem: name its metre.",
        "analysis is a noun.",
        "<analysis of=1> is no mark",
        "**Thinking hats** are six.",
        "# Thoughts on war\nIt ends.",
        "Thoughts: none.",
        "The plan: <plan>",
        "I think. [THINKERS] are many.",
        "<b>bold</b> <s>struck</s> text",
        "Output: <br>",
    ],
    ids=name_of,
)
def test_what_only_looks_like_a_mark_stays(text):
    assert spoken(text) == text


def test_thoughts_inside_a_field_are_no_part_of_it():
    said = "Example 1\nInput: <plan>rest</plan>\nOutput: <think>Three, then.</think>three"
    assert pairs_of(input_first(said, False)) == [("<plan>rest</plan>", "three")]
    assert pairs_of(input_first("Input: 3\nOutput: <think>Three", False)) == [("3", "")]
    said = "1. Instruction: <think>a</think>Spell it.\n1. Input: 3\n1. Output: <think>b</think>three"
    assert triples_of(whole_tasks(said, False)) == [("Spell it.", "3", "three")]
    said = '[{"input": "3", "output": "<think>Three.</think>three"}]'
    assert pairs_of(input_first(said, False)) == [("3", "three")]
    assert texts_of(f"9. <think>A river?</think> {RIVER}\n10. {RANK}") == [RIVER, RANK]
