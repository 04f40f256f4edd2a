"""Parsing: habits of chat models that a reviewer of the parsers brought along, each read as a person would."""

import pytest

from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.lists import numbered_items
from selfinstruct.parsing.verdicts import yes_or_no
from selfinstruct.parsing.whole_tasks import whole_tasks


def texts(text, cut=False):
    return [item.text for item in numbered_items(text, cut)]


def pairs(found):
    return [(instance.input, instance.output) for instance in found]


RIVER, RANK, VERB = "Name three rivers in Asia.", "Rank the planets by size.", "Change the verb to the past tense."


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("titles", f"9. **River quiz**: {RIVER}\n10. **Planets**: {RANK}\n11. **Verbs**: {VERB}"),
        ("titles with the colon inside", f"9. **River quiz:** {RIVER}\n10. **Planets:** {RANK}\n11. **Verbs:** {VERB}"),
        ("italics", f"9. *{RIVER}*\n10. *{RANK}*\n11. *{VERB}*"),
        ("single quotes", f"9. '{RIVER}'\n10. '{RANK}'\n11. '{VERB}'"),
        ("curly quotes", f"9. “{RIVER}”\n10. “{RANK}”\n11. “{VERB}”"),
        ("bold words", f"9. **Name three rivers** in Asia.\n10. **Rank** the planets by size.\n11. {VERB}"),
        ("thoughts, opened in the prompt", f"Okay.\n1. Maybe pasta\n</think>\n\n9. {RIVER}\n10. {RANK}\n11. {VERB}"),
        ("thoughts of another name", f"<thinking>1. Pasta?</thinking>\n9. {RIVER}\n10. {RANK}\n11. {VERB}"),
        ("headings between", f"**Facts**\n9. {RIVER}\n**Space**\n10. {RANK}\n### Language\n11. {VERB}"),
    ],
)
def test_lists_in_a_chat_models_dress(form, text):
    assert texts(text) == [RIVER, RANK, VERB], form


def test_a_list_inside_an_item_does_not_swallow_the_next_items():
    text = f"1. {RIVER}\n2. Rank the following:\n   1. Mars\n   2. Venus\n3. {VERB}\n4. {RANK}"
    assert texts(text) == [RIVER, "Rank the following: 1. Mars 2. Venus", VERB, RANK]


@pytest.mark.parametrize(
    "text",
    [
        "Input: great food\nClass label: positive\n\nInput: rude waiter\nClass label: negative",
        "Example 1\nInput: great food\nClass label: positive\n\nExample 2\nInput: rude waiter\nClass label: negative",
        "Input: great food\nOutput: positive\n\nInput: rude waiter\nOutput: negative",
    ],
)
def test_inputs_above_their_labels_keep_them(text):
    assert pairs(output_first(text, cut=False)) == [("great food", "positive"), ("rude waiter", "negative")]


def test_fields_indented_below_a_number_are_seen():
    text = "1.  **Input:** 7 pm\n    **Output:** 19:00\n\n2.  **Input:** 8 am\n    **Output:** 08:00"
    assert pairs(input_first(text, cut=False)) == [("7 pm", "19:00"), ("8 am", "08:00")]
    task = "1.  **Instruction:** Name a river.\n    **Input:** <noinput>\n    **Output:** Nile"
    assert [found[:3] for found in whole_tasks(task, cut=False)] == [("Name a river.", "", "Nile")]


@pytest.mark.parametrize(
    "text",
    [
        "### 4. Instruction\nName a river.\n### 4. Input\nNone\n### 4. Output\nNile",
        "### Task 4\n**Instruction:** Name a river.\n**Input:** None\n**Output:** Nile",
        "### Instruction:\nName a river.\n\n### Input:\n\n### Response:\nNile",
    ],
)
def test_whole_tasks_under_headings(text):
    assert [found[:3] for found in whole_tasks(text, cut=False)] == [("Name a river.", "", "Nile")]


def test_examples_with_titles_are_told_apart():
    text = "Example 1: Morning\nInput: 7 am\nOutput: 07:00\n\n### Example 2 – Night\nInput: 8 pm\nOutput: 20:00"
    assert pairs(input_first(text, cut=False)) == [("7 am", "07:00"), ("8 pm", "20:00")]


def test_a_letters_own_last_line_stays():
    text = "Example 1\nOutput: Dear Ann,\n\nThe report is late.\n\nLet me know if you need any changes."
    (only,) = input_first(text, cut=False)
    assert only.output.endswith("Let me know if you need any changes.")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("It could be yes/no... Yes it may.\n</think>\n\nNo", False),
        ("Since it requires no composition, the answer is Yes.", True),
        ("Task: Is there no error?\nAnswer: Yes", True),
        ("No problem! Yes.", True),
        ("It's a classification task.", True),
        ("It's not a classification task.", False),
        ("Not a classification task.", False),
        ("true", True),
        ("**False**", False),
        ('{"isClassification": false}', False),
        ("Neither yes nor no.", None),
        ("continue", None),
    ],
)
def test_verdicts_in_other_words(text, verdict):
    assert yes_or_no(text) is verdict


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ('[{"question": "7 pm", "expected_output": "19:00"}]', ("7 pm", "19:00")),
        ('{"examples": [{"sentence": "7 pm", "answer": "19:00"}]}', ("7 pm", "19:00")),
        ('{"instances": [{"classLabel": "late", "text": "It came at nine."}]}', ("It came at nine.", "late")),
    ],
)
def test_json_with_other_names(text, pair):
    assert pairs(output_first(text, cut=False)) == [pair]
