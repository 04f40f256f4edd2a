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
        ("titles above", f"**9. River quiz**\n{RIVER}\n\n**10. Planets:**\n{RANK}\n\n**11. Verbs**\n{VERB}"),
        ("titles of tasks", f"**Task 9: Rivers**\n{RIVER}\n\n**Task 10: Rank**\n{RANK}\n\n**Task 11: Verbs**\n{VERB}"),
        ("headings above", f"### 9. River quiz\n\n{RIVER}\n\n### 10. Planets\n\n{RANK}\n\n### 11. Verbs\n\n{VERB}"),
        ("boxes", f"- [ ] {RIVER}\n- [ ] {RANK}\n- [x] {VERB}"),
        ("names", f"Instruction: {RIVER}\n\nInstruction: {RANK}\n\nInstruction: {VERB}"),
        ("tags", f"<tasks>\n<task>{RIVER}</task>\n<task>{RANK}</task>\n<task>{VERB}</task>\n</tasks>"),
        ("headings between", f"**Facts**\n9. {RIVER}\n**Space**\n10. {RANK}\n### Language\n11. {VERB}"),
    ],
)
def test_lists_in_a_chat_models_dress(form, text):
    assert texts(text) == [RIVER, RANK, VERB], form


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**1. Write a haiku**\nabout rain.\n\n**2. Sort a list**\nof words.", ["Write a haiku** about rain.", "Sort"]),
        ("### 1. Name three rivers.\nThey must be in Asia.\n### 2. Rank the planets.\nUse their size.", ["Name three"]),
        ("### 1. Rivers\n### 2. Planets of the sun", ["Rivers", "Planets of the sun"]),
    ],
)
def test_what_only_looks_like_a_title_stays(text, expected):
    assert all(found.startswith(begin) for found, begin in zip(texts(text), expected, strict=False))


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


DOUBLE = "Double the number."
CHAT = "\n\nUser: Is eight even?\nAI: Yes."


@pytest.mark.parametrize(
    ("below", "task"),
    [
        ("\n\nHuman: And five?\nAssistant: Ten.", DOUBLE),
        (CHAT, DOUBLE),
        ("\n\nQ: 5\nA: 10", DOUBLE),
        ("\nHuman: And five?\nAssistant: Ten.", DOUBLE),
        ("\n\nNote: These examples show small numbers only.", DOUBLE),
        ("\n\nNote: This is just an example output, and yours may differ.", DOUBLE),
        ("\n\n*All examples use whole numbers.*", DOUBLE),
        ("\n\nIch hoffe, das hilft!", DOUBLE),
        ("\n\nEspero que te sirva.", DOUBLE),
        ("\n\n希望对你有帮助！", DOUBLE),
    ],
)
def test_what_is_said_below_the_last_output_is_none_of_it(below, task):
    text = f"Example 1\nInput: 3\nOutput: 6\n\nExample 2\nInput: 4\nOutput: 8{below}"
    assert pairs(input_first(text, False, task)) == [("3", "6"), ("4", "8")]


@pytest.mark.parametrize(
    ("output", "task"),
    [
        (f"User: Is six even?\nAI: Yes.{CHAT}", "Go on."),
        (f"Two friends talk about numbers.{CHAT}", "Write a short dialogue."),
        ("Some facts:\n\nQ: Is 8 even?\nA: Yes.", "Write an FAQ on numbers."),
        ("Boil the rice.\n\nNote: let it rest.", "Write a recipe."),
        ("Sort first.\n\nNote: the input must be a list.", "Document the function."),
        ("A sonnet has 14 lines.\n\nThis is an octave.", "Write about sonnets."),
        ("Plato gives three.\n\nThese examples show what he meant.", "Write two paragraphs on Plato."),
        ("Dear Ana,\n\nEspero que te sirva.\n\nLuis", "Write a letter."),
        ("Liebe Ana,\nder Zug geht um neun.\n\nIch hoffe, das hilft!", "Schreibe Ana einen Brief."),
        ("Dear Ana,\nit goes at nine.\n\nI hope this helps!", "Write an email to Ana."),
    ],
)
def test_what_only_looks_like_it_stays(output, task):
    assert pairs(input_first(f"Example 1\nInput: x\nOutput: {output}", False, task)) == [("x", output)]


@pytest.mark.parametrize(
    ("text", "task", "pair"),
    [
        ("Input: 2 + 3\nReasoning: add them.\nOutput: 5", "Add the numbers.", ("2 + 3", "5")),
        ("Input: 2 + 3\nLet's compute step by step.\n2 and 3 are 5.\nOutput: 5", "Add the numbers.", ("2 + 3", "5")),
        ("Input: 2 + 3\nLet's compute: 2 and 3 are 5.\nOutput: 5", "Add the numbers.", ("2 + 3", "5")),
        ("Input: 2 + 3\nOkay, let me think. They are 5.\nOutput: 5", "Add the numbers.", ("2 + 3", "5")),
        ("Input: Okay, let me see it.\nOutput: formal", "Name the tone.", ("Okay, let me see it.", "formal")),
        ("Sure, here is an example:\nNile, Po", "Name two rivers.", ("", "Nile, Po")),
        ("Input: 2 + 3\nThought: add them.\nFinal Output: 5", "Add the numbers.", ("2 + 3", "5")),
        ("Thought: a river in Egypt.\nFinal Output: Nile", "Name a river.", ("", "Nile")),
        (
            "Input: 4\nReasoning: all squares\nOutput: flawed", "Judge the reasoning.",
            ("4\nReasoning: all squares", "flawed"),
        ),
        (
            "Input: We met.\nLet us work for peace.\nOutput: Nous ...", DOUBLE,
            ("We met.\nLet us work for peace.", "Nous ..."),
        ),
        (
            "Input: Age: 9\nReasoning: a cold\nOutput: flu",
            "Correct the diagnosis.",
            ("Age: 9\nReasoning: a cold", "flu"),
        ),
        ("Sure! Here are three rivers:\n\nNile, Po, Elbe", "Name three rivers.", ("", "Nile, Po, Elbe")),
        ("Sure, here it is:\n\nBye.", "Write the clerk's reply.", ("", "Sure, here it is:\n\nBye.")),
        (
            "```python\ndef f(x): return x + 1\n```\n\nExample:\nInput: 3\nOutput: 4", "Write a function.",
            ("", "```python\ndef f(x): return x + 1\n```\n\nExample:\nInput: 3\nOutput: 4"),
        ),
        ("```python\nprint(6 // 2)\n```\nOutput: 3", "What is printed?", ("```python\nprint(6 // 2)\n```", "3")),
    ],
)  # fmt: skip
def test_what_a_model_thinks_or_announces_is_no_field(text, task, pair):
    assert pairs(input_first(text, False, task)) == [pair]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Label: good\nText: great food\n\nLabel: bad\nText: rude waiter",
            [("great food", "good"), ("rude waiter", "bad")],
        ),
        (
            "Text: great food\nLabel: good\n\n**Text:** rude waiter\n**Label:** bad",
            [("great food", "good"), ("rude waiter", "bad")],
        ),
        ("Class label: B\nTitle: Sea\nText: blue", [("Title: Sea\nText: blue", "B")]),
        (
            "Which is wet?\n(A) sand\n(B) rain\nClass label: B\n\nWhich is hot?\n(A) fire\n(B) ice\nClass label: A",
            [("Which is wet?\n(A) sand\n(B) rain", "B"), ("Which is hot?\n(A) fire\n(B) ice", "A")],
        ),
        ("Here they are:\n\nClass label: A", [("", "A")]),
        ("Class label: A\nred fox\nClass label: B\nblue sky", [("red fox", "A"), ("blue sky", "B")]),
    ],
)  # fmt: skip
def test_labels_and_texts_in_a_chat_models_dress(text, expected):
    assert pairs(output_first(text, cut=False)) == expected
