"""Parsing: what models really say, read as items, verdicts, instances and tasks; and no text makes a parser fail."""

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfinstruct.parsing.parsing import (
    Item,
    ParsedInstance,
    input_first,
    is_refusal,
    numbered_items,
    output_first,
    says_no_input,
    whole_tasks,
    yes_or_no,
)
from selfinstruct.simulated import answers
from selfinstruct.simulated.mind.structured import as_json


def name_of(value):
    """A case's name in pytest's lists: its form, or how its text begins."""
    return " ".join(value.split())[:32] if isinstance(value, str) else ""


def texts_of(text, cut=False):
    return [item.text for item in numbered_items(text, cut)]


def pairs_of(instances):
    return [(instance.input, instance.output) for instance in instances]


def triples_of(tasks):
    return [task[:3] for task in tasks]


RIVER, LAKE, HILL = "Name a river in Peru.", "Which lake is the deepest?", "Describe a hill at dawn."
ALL = [RIVER, LAKE, HILL]

# Lists.


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("as asked", f"9. {RIVER}\n10. {LAKE}\n11. {HILL}"),
        ("from 1", f"1. {RIVER}\n2. {LAKE}\n3. {HILL}"),
        ("skipped numbers", f"9. {RIVER}\n11. {LAKE}\n14. {HILL}"),
        ("repeated numbers", f"9. {RIVER}\n9. {LAKE}\n9. {HILL}"),
        ("numbers that start again", f"9. {RIVER}\n1. {LAKE}\n2. {HILL}"),
        ("numbers that go down", f"3. {RIVER}\n2. {LAKE}\n1. {HILL}"),
        ("parentheses", f"9) {RIVER}\n10) {LAKE}\n11) {HILL}"),
        ("colons", f"9: {RIVER}\n10: {LAKE}\n11: {HILL}"),
        ("a mixture", f"9. {RIVER}\n10) {LAKE}\n**11.** {HILL}"),
        ("bold numbers", f"**9.** {RIVER}\n**10.** {LAKE}\n**11.** {HILL}"),
        ("bold numbers, point outside", f"**9**. {RIVER}\n**10**. {LAKE}\n**11**. {HILL}"),
        ("bold texts", f"9. **{RIVER}**\n10. **{LAKE}**\n11. **{HILL}**"),
        ("quoted texts", f'9. "{RIVER}"\n10. "{LAKE}"\n11. "{HILL}"'),
        ("headings", f"### 9. {RIVER}\n\n### 10) {LAKE}\n\n### 11. {HILL}"),
        ("labels", f"Task 9: {RIVER}\nTask 10: {LAKE}\nTask 11: {HILL}"),
        ("bold labels", f"**Task 9:** {RIVER}\n**Task 10:** {LAKE}\n**Task 11:** {HILL}"),
        ("numbered bullets", f"- 9. {RIVER}\n- 10. {LAKE}\n- 11. {HILL}"),
        ("bullets", f"- {RIVER}\n- {LAKE}\n- {HILL}"),
        ("stars", f"* {RIVER}\n* {LAKE}\n* {HILL}"),
        ("round bullets", f"• {RIVER}\n• {LAKE}\n• {HILL}"),
        ("a quotation", f"> 9. {RIVER}\n> 10. {LAKE}\n> 11. {HILL}"),
        ("an indented list", f"  9. {RIVER}\n  10. {LAKE}\n  11. {HILL}"),
        ("blank lines between", f"9. {RIVER}\n\n10. {LAKE}\n\n\n11. {HILL}\n"),
        ("Windows line ends", f"9. {RIVER}\r\n10. {LAKE}\r\n11. {HILL}\r\n"),
        ("a preamble", f"Sure! Here are three more tasks:\n\n9. {RIVER}\n10. {LAKE}\n11. {HILL}"),
        ("a preamble without a blank line", f"Here you go:\n9. {RIVER}\n10. {LAKE}\n11. {HILL}"),
        ("a preamble above bullets", f"Here are some ideas.\n- {RIVER}\n- {LAKE}\n- {HILL}"),
        ("a sign-off", f"9. {RIVER}\n10. {LAKE}\n11. {HILL}\n\nLet me know if you want more!"),
        ("a long sign-off", f"9. {RIVER}\n10. {LAKE}\n11. {HILL}\n\nThey vary\nin topic.\n\nEnjoy"),
        ("a code fence", f"```\n9. {RIVER}\n10. {LAKE}\n11. {HILL}\n```"),
        ("a code fence with a language", f"Here:\n\n```text\n9. {RIVER}\n10. {LAKE}\n11. {HILL}\n```\n\nEnjoy!"),
        ("texts below their numbers", f"9.\n{RIVER}\n10.\n\n{LAKE}\n11.\n{HILL}"),
        ("broken lines",
         "9. Name a river\nin Peru.\n10. Which\nlake is\n  the deepest?\n11. Describe a\nhill at dawn."),
        ("wide spaces", f"9.   {RIVER}\n10.\t{LAKE}\n11. {HILL}   "),
        ("numbers without a text", f"8.\n\n9. {RIVER}\n10. {LAKE}\n11. {HILL}"),
    ],
    ids=name_of,
)  # fmt: skip
def test_a_list_is_read_in_whatever_form_it_comes(form, text):
    assert texts_of(text) == ALL, form


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("number and text bold",
              f"**9. {RIVER}**\n**10. {LAKE}**\n**11. {HILL}**"),
        ("texts below headings",
              f"### Task 9\n{RIVER}\n\n### Task 10\n{LAKE}\n\n### Task 11\n{HILL}"),
        ("two parentheses", f"(9) {RIVER}\n(10) {LAKE}\n(11) {HILL}"),
        ("rules between",
              f"9. {RIVER}\n---\n10. {LAKE}\n---\n11. {HILL}\n---"),
        ("a label behind each number", f"9. Task: {RIVER}\n10. Task: {LAKE}\n11. Task: {HILL}"),
        ("a bold label behind each number",
              f"9. **Task:** {RIVER}\n10. **Instruction:** {LAKE}\n11. **Task**: {HILL}"),
        ("one line", f"9. {RIVER} 10. {LAKE} 11. {HILL}"),
        ("one line in bold", f"**9.** {RIVER} **10.** {LAKE} **11.** {HILL}"),
        ("one line with parentheses", f"(1) {RIVER} (2) {LAKE} (3) {HILL}"),
        ("headings between", f"9. {RIVER}\n\n## Lakes\n\n10. {LAKE}\n\n**Hills**\n\n11. {HILL}"),
        ("announcements between", f"Easy ones:\n9. {RIVER}\n\nHarder ones:\n\n10. {LAKE}\n\nHills:\n\n11. {HILL}"),
        ("letters", f"a) {RIVER}\nb) {LAKE}\nc) {HILL}"),
        ("roman numbers", f"i. {RIVER}\nii. {LAKE}\niii. {HILL}"),
        ("JSON", json.dumps({"tasks": ALL})),
        ("JSON in a fence", f"Sure!\n\n```json\n{json.dumps({'tasks': ALL}, indent=2)}\n```\n\nEnjoy!"),
        ("a JSON list", json.dumps(ALL)),
        ("JSON with numbers", json.dumps({"tasks": [f"9. {RIVER}", f"10. {LAKE}", f"11) {HILL}"]})),
        ("JSON objects", json.dumps({"tasks": [{"task": RIVER}, {"instruction": LAKE}, {"Prompt": HILL}]})),
        ("JSON lines", "\n".join(json.dumps({"instruction": task}) for task in ALL)),
        ("JSON with numbered keys", json.dumps({"task_9": RIVER, "task_10": LAKE, "task_11": HILL})),
        ("JSON with a trailing comma", f'{{"tasks": ["{RIVER}", "{LAKE}", "{HILL}",]}}'),
        ("JSON with something else", json.dumps({"tasks": [RIVER, 7, LAKE, None, {"x": 1}, "", HILL]})),
        ("thoughts before",
              f"<think>\n1. They want three.\n2. Vary the verb.\n</think>\n\n9. {RIVER}\n10. {LAKE}\n11. {HILL}"),
    ],
    ids=name_of,
)  # fmt: skip
def test_more_forms_of_a_list(form, text):
    assert texts_of(text) == ALL, form


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9. Say what happened in 1998. Use one line.\n10. Add 3.5 and 4.",
         ["Say what happened in 1998. Use one line.", "Add 3.5 and 4."]),
        ("9. Turn the decimal\n3.14 into a fraction.\n10. Round it.",
         ["Turn the decimal 3.14 into a fraction.", "Round it."]),
        ("9. Say what leaves at\n10:30 from platform two.\n10. Round it.",
         ["Say what leaves at 10:30 from platform two.", "Round it."]),
        ("In 1998. we met.\n9. Write the letter.", ["Write the letter."]),
        ("9. Who won in\n2014 and in 2018?", ["Who won in 2014 and in 2018?"]),
        ("9. List the tools:\n- a hammer\n- a saw\n10. Count them.",
         ["List the tools: - a hammer - a saw", "Count them."]),
        ('9. "Foo" is a word; is "bar" one too?', ['"Foo" is a word; is "bar" one too?']),
        ("9. `a` or `b`: which is longer?", ["`a` or `b`: which is longer?"]),
        ("9. **Sort** the words **quickly**", ["Sort the words quickly"]),
        ("9. Continue the sentence:", ["Continue the sentence:"]),
        ("9. Écris trois vers.\n10. 写一首诗。", ["Écris trois vers.", "写一首诗。"]),
        ("9. What is 3 * 4?\n10. Is 7 - 2 odd?", ["What is 3 * 4?", "Is 7 - 2 odd?"]),
        ("9. Tell the story of the flood of\n1998. Use the past tense.\n10. Round it.",
              ["Tell the story of the flood of 1998. Use the past tense.", "Round it."]),
        ("9. Put these steps in order:\n   1. paint the wall\n   2. sand the wall\n10. Round it.",
              ["Put these steps in order: 1. paint the wall 2. sand the wall", "Round it."]),
        ("9. Put these steps in order:\n1) paint the wall\n2) sand the wall\n10. Round it.",
              ["Put these steps in order: 1) paint the wall 2) sand the wall", "Round it."]),
        ("9. Put these steps in order:\n(1) paint the wall\n(2) sand the wall\n\n10. Round it.",
              ["Put these steps in order: (1) paint the wall (2) sand the wall", "Round it."]),
        ("1. Put these steps in order:\n1) paint the wall\n2) sand the wall\n2. Round it.",
              ["Put these steps in order: 1) paint the wall 2) sand the wall", "Round it."]),
        ("9. Name a river.\n\nThink of Peru.\n\n10. Round it.", ["Name a river. Think of Peru.", "Round it."]),
        ("9. Answer the question:\n\nWho was first?\n\n10. Go on with the tale:\n\nOnce upon a time.\n\nEnjoy!",
              ["Answer the question: Who was first?", "Go on with the tale: Once upon a time."]),
        ("9. Name a river.\n\n   Think of Peru.\n\nEnjoy!", ["Name a river. Think of Peru."]),
        ("9. Task: Name a river.\n10. Name a lake.", ["Task: Name a river.", "Name a lake."]),
        ('9. "Say "yes" or "no"."\n10. "Name a lake."', ['Say "yes" or "no".', "Name a lake."]),
        ('9. "Foo" comes before "bar"\n10. "Cat" comes before "dog"',
              ['"Foo" comes before "bar"', '"Cat" comes before "dog"']),
        ('9. Put {"a": 1} into words.\n10. Say what\n{"b": [2]}\nmeans.',
              ['Put {"a": 1} into words.', 'Say what {"b": [2]} means.']),
        ('- Put this into words:\n{"a": 1}\n- Round it.', ['Put this into words: {"a": 1}', "Round it."]),
        ("[Name]: how do you do?\n9. Fill in [Name]: Dear [Name],\n10. Round it.",
              ["Fill in [Name]: Dear [Name],", "Round it."]),
        ("9. Add 10. 11. and 12.\n10. Round it.", ["Add 10. 11. and 12.", "Round it."]),
    ],
    ids=name_of,
)  # fmt: skip
def test_numbers_and_marks_inside_a_text_stay_there(text, expected):
    assert texts_of(text) == expected


@pytest.mark.parametrize("text", ["", "\n\n", "I have no more ideas.", "```\n```", "1.\n2.\n", "- \n- ", "Sure:"])
def test_a_text_without_a_list_has_no_items(text):
    assert numbered_items(text, cut=False) == []


def test_only_the_last_item_of_a_cut_answer_is_marked():
    assert numbered_items(f"9. {RIVER}\n10. {LAKE}\n11. Descr", cut=True) == [
        Item(RIVER, False), Item(LAKE, False), Item("Descr", True),
    ]  # fmt: skip


def test_a_cut_answer_that_ends_with_a_number_has_an_empty_cut_item():
    assert numbered_items(f"9. {RIVER}\n10.", cut=True) == [Item(RIVER, False), Item("", True)]


def test_a_cut_bullet_is_marked_too():
    assert numbered_items(f"- {RIVER}\n- Whi", cut=True) == [Item(RIVER, False), Item("Whi", True)]


def test_the_last_text_of_cut_json_is_marked():
    assert numbered_items(f'{{"tasks": ["{RIVER}", "{LAKE}", "Descr', cut=True) == [
        Item(RIVER, False), Item(LAKE, False), Item("Descr", True),
    ]  # fmt: skip


# Yes or no.


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Yes", True), ("No", False), ("yes.", True), ("NO!", False), (" Yes\n", True), ("**Yes**", True),
        ('"No"', False), ("Answer: Yes", True), ("The answer is no.", False), ("Yes, it is.", True),
        ("Yes. No input is needed.", True), ("No. Yes would be wrong here.", False), ("Yes / No: No", False),
        ("It is a classification task.", True), ("It is not a classification task.", False),
        ("This is not really a classification task.", False), ("It is classification.", True),
        ("This is not classification; it has no fixed set of labels.", False),
        ("It is not a classification task. Yes, it is short, but it is composed.", False),
        ("Is it a classification task? No", False), ("No, this is a classification task only in name.", False),
        ("Not sure", None), ("Maybe", None), ("", None), ("\n", None), ("I don't know.", None),
        ("None of these", None), ("It depends on the labels.", None), ("Nothing", None), ("Yesterday", None),
        ("It isn't a classification task.", False),
        ("This is clearly a classification task.", True),
        ("There is no doubt that it is a classification task.",
              True),
        ("I cannot answer with yes or no.", None),
        ("Whether it is a classification task is unclear.", None),
        ("<think>No labels? There are two.</think>\nYes", True),
        ('{"is_classification": true}', True), ('{"is_classification": false}', False),
        ('```json\n{\n  "is_classification": true\n}\n```', True), ('Sure!\n{"is_classification": false}', False),
        ('{"is_classification": "Yes"}', True), ('{"is_classification": "no"}', False), ('{"answer": "No."}', False),
        ('{"Is Classification": true}', True), ('{"classification": true, "labels": ["a", "b"]}', True),
        ('{"reason": "Yes, it names labels.", "is_classification": false}', False), ('{"is_classification": tru', None),
        ('{"is_classification": null}', None), ('{"is_classification": "unclear"}', None), ("{}", None), ("[]", None),
        ('{"tasks": ["Yes"]}', None), ("[Yes]", True), ("yes.", True), ("continue", None), ("Yes and no.", None),
    ],
    ids=name_of,
)  # fmt: skip
def test_a_verdict_is_read_in_many_wordings(text, verdict):
    assert yes_or_no(text) is verdict


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I'm sorry, but I can't help with that.", True), ("I’m sorry, I will not.", True),
        ("I am sorry, but no.", True), ("Sorry, I won't.", True), ("I cannot do this.", True),
        ("I can't do this.", True), ("I can’t do this.", True), ("I'm unable to answer.", True),
        ("As an AI, I have no hands.", True), ("Unfortunately, I may not say.", True), ("**I'm sorry**, no.", True),
        ("1. I'm sorry is a phrase: use it.", False), ("I can name three.", False), ("Sorry is a hard word.", False),
        ("Unfortunately the train was late.", False), ("Sure! 1. Name a river.", False), ("", False),
    ],
    ids=name_of,
)  # fmt: skip
def test_a_refusal_is_known_by_how_it_begins(text, refused):
    assert is_refusal(text) is refused


@pytest.mark.parametrize(
    ("text", "none"),
    [
        ("None", True), ("none.", True), ("N/A", True), ("<noinput>", True), ("<no input>", True), ("", False),
        ("(no input needed)", True), ("No additional input is required.", True), ("-", True), ('""', True),
        ("Not applicable", True), ("Empty", True), ("no", False), ("None of them came.", False), ("0", False),
        ("- a", False), ("No inputs were lost.", False), ("Nothing", False), ("n", False),
    ],
)  # fmt: skip
def test_words_that_say_that_there_is_no_input(text, none):
    assert says_no_input(text) is none


# Input first.

TWO = [("3 + 4", "7"), ("2 x 9", "18")]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("as asked", "Example 1\nInput: 3 + 4\nOutput: 7\n\nExample 2\nInput: 2 x 9\nOutput: 18"),
        ("without blank lines", "Example 1\nInput: 3 + 4\nOutput: 7\nExample 2\nInput: 2 x 9\nOutput: 18"),
        ("colons", "Example 1:\nInput: 3 + 4\nOutput: 7\n\nExample 2:\nInput: 2 x 9\nOutput: 18"),
        ("bold", "**Example 1**\n**Input:** 3 + 4\n**Output:** 7\n\n**Example 2:**\n**Input**: 2 x 9\n**Output**: 18"),
        ("headings", "### Example 1\nInput: 3 + 4\nOutput: 7\n\n### Example 2\nInput: 2 x 9\nOutput: 18"),
        ("bullets", "Example 1\n- Input: 3 + 4\n- Output: 7\n\nExample 2\n- **Input:** 2 x 9\n- **Output:** 18"),
        ("capitals", "EXAMPLE 1\nINPUT: 3 + 4\nOUTPUT: 7\n\nEXAMPLE 2\nINPUT: 2 x 9\nOUTPUT: 18"),
        ("small letters", "example 1\ninput: 3 + 4\noutput: 7\n\nexample 2\ninput: 2 x 9\noutput: 18"),
        ("number signs", "Example #1\nInput: 3 + 4\nOutput: 7\n\nExample #2\nInput: 2 x 9\nOutput: 18"),
        ("texts below", "Example 1\nInput:\n3 + 4\nOutput:\n7\n\nExample 2\nInput:\n\n2 x 9\n\nOutput:\n\n18\n"),
        ("answers", "Example 1\nInput: 3 + 4\nAnswer: 7\n\nExample 2\nInput: 2 x 9\nAnswer: 18"),
        ("rules", "Example 1\nInput: 3 + 4\nOutput: 7\n\n---\n\nExample 2\nInput: 2 x 9\nOutput: 18"),
        ("no headings", "Input: 3 + 4\nOutput: 7\n\nInput: 2 x 9\nOutput: 18"),
        ("one heading", "Example 1\nInput: 3 + 4\nOutput: 7\n\nInput: 2 x 9\nOutput: 18"),
        ("numbered fields", "Input 1: 3 + 4\nOutput 1: 7\n\nInput 2: 2 x 9\nOutput 2: 18"),
        ("a preamble", "Here are two:\n\nExample 1\nInput: 3 + 4\nOutput: 7\n\nExample 2\nInput: 2 x 9\nOutput: 18"),
        ("the task again", "Task: Compute.\nExample 1\nInput: 3 + 4\nOutput: 7\n\nExample 2\nInput: 2 x 9\nOutput: 18"),
        ("a fence", "```\nExample 1\nInput: 3 + 4\nOutput: 7\n\nExample 2\nInput: 2 x 9\nOutput: 18\n```"),
        ("Windows", "Example 1\r\nInput: 3 + 4\r\nOutput: 7\r\n\r\nExample 2\r\nInput: 2 x 9\r\nOutput: 18\r\n"),
        ("named examples",
              "Example 1 (easy)\nInput: 3 + 4\nOutput: 7\n\nExample 2 (harder)\nInput: 2 x 9\nOutput: 18"),
        ("fields bold as a whole",
              "Example 1\n**Input: 3 + 4**\n**Output: 7**\n\nExample 2\n**Input: 2 x 9**\n**Output: 18**"),
        ("a numbered list",
              "1. Input: 3 + 4\n   Output: 7\n2. Input: 2 x 9\n   Output: 18"),
        ("headings for fields",
              "Example 1\n**Input**\n3 + 4\n\n**Output**\n7\n\nExample 2\n**Input**\n2 x 9\n\n**Output**\n18"),
        ("a sign-off",
              "Example 1\nInput: 3 + 4\nOutput: 7\n\nExample 2\nInput: 2 x 9\nOutput: 18\n\nI hope these help!"),
        ("numbers above the fields",
              "1.\nInput: 3 + 4\nOutput: 7\n\n2.\nInput: 2 x 9\nOutput: 18"),
        ("headings without a colon",
              "### Example 1\n#### Input\n3 + 4\n#### Output\n7\n\n### Example 2\n#### Input\n2 x 9\n#### Output\n18"),
        ("JSON", '{"instances": [{"input": "3 + 4", "output": "7"}, {"input": "2 x 9", "output": "18"}]}'),
        ("JSON with numbers", '{"instances": [{"input": "3 + 4", "output": 7}, {"input": "2 x 9", "output": 18}]}'),
        ("a JSON list with other names",
              '[{"Question": "?", "Context": "3 + 4", "Answer": "7"}, {"context": "2 x 9", "response": "18"}]'),
        ("JSON lines", '{"input": "3 + 4", "output": "7"}\n{"input": "2 x 9", "output": "18"}'),
        ("JSON in a fence",
              'Sure!\n```json\n[{"input": "3 + 4", "output": "7"},\n{"input": "2 x 9", "output": "18"},]\n```'),
        ("JSON with numbered keys",
              '{"example_1": {"input": "3 + 4", "output": "7"}, "example_2": {"input": "2 x 9", "output": "18"}}'),
        ("JSON below headings",
              'Example 1\n```json\n{"input": "3 + 4", "output": "7"}\n```\n\n'
              'Example 2\n{"input": "2 x 9", "output": "18"}'),
    ],
    ids=name_of,
)  # fmt: skip
def test_examples_are_read_in_whatever_form_they_come(form, text):
    assert pairs_of(input_first(text, cut=False)) == TWO, form


@pytest.mark.parametrize(
    "spelling",
    ["", "none", "None.", "N/A", "n/a", "NA", "No input", "no input needed", "No input is required.", "(none)",
     "<noinput>", "[None]", "*No input necessary*", "Not applicable", "not needed", "(empty)"],
)  # fmt: skip
def test_no_input_has_many_spellings(spelling):
    assert input_first(f"Example 1\nInput: {spelling}\nOutput: A calm sea.", False) == [
        ParsedInstance("", "A calm sea.", False)
    ]


@pytest.mark.parametrize("given_", ["None of the guests came.", "No input was ever lost.", "NATO", "Nothing", "0"])
def test_an_input_that_only_begins_like_none_is_one(given_):
    assert pairs_of(input_first(f"Example 1\nInput: {given_}\nOutput: x", False)) == [(given_, "x")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Example 1\nOutput: A calm sea.", [("", "A calm sea.")]),
        ("The sea is calm.\nIt is late.", [("", "The sea is calm.\nIt is late.")]),
        ("Example 1\nThe sea is calm.", [("", "The sea is calm.")]),
        ("Example 1\nInput: a\nOutput: For example 3 and 4.\nExample sentences follow.",
         [("a", "For example 3 and 4.\nExample sentences follow.")]),
        ("Example 1\nInput: a\nOutput: print it\nOutput: 3\nand stop", [("a", "print it\nOutput: 3\nand stop")]),
        ("Example 1\nInput: a\nOutput: Q: how?\nAnswer: so", [("a", "Q: how?\nAnswer: so")]),
        ("Example 1\nInput: one\ntwo\n\nthree\nOutput: a\n\n  b\nc", [("one\ntwo\n\nthree", "a\n\n  b\nc")]),
        ("Example 1\nInput: the input: is here\nOutput: the output: there",
         [("the input: is here", "the output: there")]),
        ("Example 1\nInput: a\nOutput:\n```python\nprint(1)\n```", [("a", "```python\nprint(1)\n```")]),
        ("Example 1\nInput: a\nOutput: b\n\nExample 2\n", [("a", "b")]),
        ("Example 1\nInput: a", [("a", "")]),
        ("Example 1\nInput: a\nOutput:", [("a", "")]),
        ("", []),
        ("Example 1\n", []),
        ('Example 1\nInput: a\nOutput: {\n  "b": 1\n}\n\nExample 2\nInput: c\nOutput: d',
              [("a", '{\n  "b": 1\n}'), ("c", "d")]),
        ("Example 1\nInput: a\nOutput:\n```\nb\n```\n\nExample 2\nInput: c\nOutput: d",
              [("a", "```\nb\n```"), ("c", "d")]),
        ("Example 1\nInput: a stair\nOutput: _\n|_\n  |_\n**\n***\nExample 2\nInput: c\nOutput: d",
              [("a stair", "_\n|_\n  |_\n**\n***"), ("c", "d")]),
        ("Example 1\n***\n* *\n***", [("", "***\n* *\n***")]),
        ("Example 1\nInput: a\nOutput: This is no good\nexample.\nTry again.",
              [("a", "This is no good\nexample.\nTry again.")]),
        ("Example 1\nInput: a\nOutput: schema:\n    input: text\n    output: label",
              [("a", "schema:\n    input: text\n    output: label")]),
        ('Example 1\nInput:\n{"a": 1}\nOutput:\n{"b": 2}', [('{"a": 1}', '{"b": 2}')]),
        ('Example 1\nInput: a\nOutput: ["b", "c"]', [("a", '["b", "c"]')]),
        ('Example 1\nOutput:\n{\n  "b": [1, 2]\n}', [("", '{\n  "b": [1, 2]\n}')]),
        ('{"instances": [{"input": ["x", "z"], "output": {"n": 1}}]}', [('["x", "z"]', '{"n": 1}')]),
        ('{"instances": [{"input": "", "output": "b"}, {"input": "None", "output": "d"}]}', [("", "b"), ("", "d")]),
        ('{"instances": [{"output": "b"}]}', [("", "b")]),
        ('{"input": "a", "output": "b"}', [("a", "b")]),
        ('{"input": "a", "output": true}', [("a", "true")]),
        ('["b", "d"]', [("", "b"), ("", "d")]),
        ("[Name],\nyour order has arrived.", [("", "[Name],\nyour order has arrived.")]),
        ("[ ] Buy milk.\n[x] Call Ann.", [("", "[ ] Buy milk.\n[x] Call Ann.")]),
        ("Example 1\nInput: a\nOutput: b\n\n---\n", [("a", "b")]),
    ],
    ids=name_of,
)  # fmt: skip
def test_fields_keep_what_belongs_to_them(text, expected):
    assert pairs_of(input_first(text, cut=False)) == expected


def test_only_the_last_example_of_a_cut_answer_is_marked():
    text = "Example 1\nInput: a\nOutput: b\n\nExample 2\nInput: c\nOutput: d and"
    assert input_first(text, cut=True) == [ParsedInstance("a", "b", False), ParsedInstance("c", "d and", True)]


def test_an_example_cut_in_its_input_is_marked():
    text = "Example 1\nInput: a\nOutput: b\n\nExample 2\nInput: c and"
    assert input_first(text, cut=True) == [ParsedInstance("a", "b", False), ParsedInstance("c and", "", True)]


def test_an_example_cut_in_json_is_marked():
    text = '{"instances": [{"input": "a", "output": "b"}, {"input": "c", "output": "d and'
    assert input_first(text, cut=True) == [ParsedInstance("a", "b", False), ParsedInstance("c", "d and", True)]


# Output first.

LABELS = [("Too salty.", "harsh"), ("A fine day.", "kind")]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("as asked", "Class label: harsh\nInput: Too salty.\n\nClass label: kind\nInput: A fine day."),
        ("without blank lines", "Class label: harsh\nInput: Too salty.\nClass label: kind\nInput: A fine day."),
        ("only label", "Label: harsh\nInput: Too salty.\n\nLabel: kind\nInput: A fine day."),
        ("bold names",
         "**Class label:** harsh\n**Input:** Too salty.\n\n**Class label**: kind\n**Input**: A fine day."),
        ("bold labels", "Class label: **harsh**\nInput: Too salty.\n\nClass label: **kind**\nInput: A fine day."),
        ("quoted labels", 'Class label: "harsh"\nInput: Too salty.\n\nClass label: "kind"\nInput: A fine day.'),
        ("headings", "### Class label: harsh\nInput: Too salty.\n\n### Class label: kind\nInput: A fine day."),
        ("bullets", "- Class label: harsh\n- Input: Too salty.\n\n- Class label: kind\n- Input: A fine day."),
        ("capitals", "CLASS LABEL: harsh\nINPUT: Too salty.\n\nClass Label: kind\nInput: A fine day."),
        ("numbers", "Class label 1: harsh\nInput 1: Too salty.\n\nClass label 2: kind\nInput 2: A fine day."),
        ("texts below", "Class label:\nharsh\nInput:\nToo salty.\n\nClass label:\nkind\nInput:\nA fine day."),
        ("a preamble",
         "Here are two:\n\nClass label: harsh\nInput: Too salty.\n\nClass label: kind\nInput: A fine day."),
        ("examples with headings",
              "Example 1\nClass label: harsh\nInput: Too salty.\n\nExample 2\nClass label: kind\nInput: A fine day."),
        ("rules between",
              "Class label: harsh\nInput: Too salty.\n\n---\n\nClass label: kind\nInput: A fine day."),
        ("a fence",
              "```\nClass label: harsh\nInput: Too salty.\n\nClass label: kind\nInput: A fine day.\n```"),
        ("fields bold as a whole",
              "**Class label: harsh**\n**Input: Too salty.**\n\n**Class label: kind**\n**Input: A fine day.**"),
        ("a numbered list",
              "1. Class label: harsh\n   Input: Too salty.\n2. Class label: kind\n   Input: A fine day."),
        ("outputs instead of labels",
              "Output: harsh\nInput: Too salty.\n\nOutput: kind\nInput: A fine day."),
        ("classes", "Class: harsh\nInput: Too salty.\n\nClass: kind\nInput: A fine day."),
        ("categories", "**Category:** harsh\n**Input:** Too salty.\n\n**Category:** kind\n**Input:** A fine day."),
        ("JSON",
              '{"instances": [{"label": "harsh", "input": "Too salty."}, {"label": "kind", "input": "A fine day."}]}'),
        ("JSON with other names",
              '[{"Class Label": "harsh", "Input": "Too salty."}, {"category": "kind", "input": "A fine day."}]'),
        ("JSON lines", '{"class": "harsh", "input": "Too salty."}\n{"class": "kind", "input": "A fine day."}'),
        ("JSON in a fence",
              '```\n{"instances": [{"output": "harsh", "input": "Too salty."},\n'
              '{"output": "kind", "input": "A fine day."}]}\n```\nEnjoy!'),
    ],
    ids=name_of,
)  # fmt: skip
def test_labels_are_read_in_whatever_form_they_come(form, text):
    assert pairs_of(output_first(text, cut=False)) == LABELS, form


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Class label: fruit", [("", "fruit")]),
        ("Class label: fruit\nInput: None", [("", "fruit")]),
        ("Class label: fruit\nInput: (no input needed)", [("", "fruit")]),
        ("Class label: A\n\nClass label: B\nInput: y", [("", "A"), ("y", "B")]),
        ("Class label: B\nInput: A. first\nB. second\n\nC. third", [("A. first\nB. second\n\nC. third", "B")]),
        ("Class label: A\nInput: the label: is here", [("the label: is here", "A")]),
        ("Class label: ja\nInput: Ist das\nrichtig?", [("Ist das\nrichtig?", "ja")]),
        ("Class label:", [("", "")]),
        ("Class label: A\nInput: A school report.\nClass: 5b\nA good year.",
         [("A school report.\nClass: 5b\nA good year.", "A")]),
        ('Class label: A\nInput: {"label": "B"}', [('{"label": "B"}', "A")]),
        ('{"instances": [{"label": 3, "input": "three"}, {"label": true, "input": ""}]}',
         [("three", "3"), ("", "true")]),
        ('{"label": "A", "input": "None"}', [("", "A")]),
    ],
    ids=name_of,
)  # fmt: skip
def test_a_label_keeps_its_input(text, expected):
    assert pairs_of(output_first(text, cut=False)) == expected


@pytest.mark.parametrize("text", ["", "\n", "The tomato is a fruit.", "Fruit: yes\nInput: tomato"])
def test_a_text_without_a_label_has_no_instances(text):
    assert output_first(text, cut=False) == []


def test_only_the_last_label_of_a_cut_answer_is_marked():
    text = "Class label: harsh\nInput: Too salty.\n\nClass label: kind\nInput: A fi"
    assert output_first(text, cut=True) == [
        ParsedInstance("Too salty.", "harsh", False), ParsedInstance("A fi", "kind", True),
    ]  # fmt: skip


# Whole tasks.

PAIR = [("Add the numbers.", "3 + 4", "7"), ("Name a lake.", "", "Lake Baikal.\nIt is deep.")]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("as asked",
         "4. Instruction: Add the numbers.\n4. Input:\n3 + 4\n4. Output:\n7\n###\n"
         "5. Instruction: Name a lake.\n5. Input:\n<noinput>\n5. Output:\nLake Baikal.\nIt is deep."),
        ("separators all around",
         "###\n4. Instruction: Add the numbers.\n4. Input:\n3 + 4\n4. Output:\n7\n###\n"
         "5. Instruction: Name a lake.\n5. Input:\n<noinput>\n5. Output:\nLake Baikal.\nIt is deep.\n###\n"),
        ("no separators",
         "4. Instruction: Add the numbers.\n4. Input: 3 + 4\n4. Output: 7\n"
         "5. Instruction: Name a lake.\n5. Input: None\n5. Output: Lake Baikal.\nIt is deep."),
        ("skipped and repeated numbers",
         "7. Instruction: Add the numbers.\n7. Input:\n3 + 4\n7. Output:\n7\n###\n"
         "4. Instruction: Name a lake.\n4. Input:\n<noinput>\n5. Output:\nLake Baikal.\nIt is deep."),
        ("no numbers",
         "Instruction: Add the numbers.\nInput: 3 + 4\nOutput: 7\n\n###\n\n"
         "Instruction: Name a lake.\nOutput: Lake Baikal.\nIt is deep."),
        ("bold fields",
         "**4. Instruction:** Add the numbers.\n**4. Input:** 3 + 4\n**4. Output:** 7\n\n"
         "**5. Instruction:** Name a lake.\n**5. Input:** N/A\n**5. Output:** Lake Baikal.\nIt is deep."),
        ("headings",
         "### Instruction\nAdd the numbers.\n### Input\n3 + 4\n### Output\n7\n\n---\n\n"
         "### Instruction\nName a lake.\n### Input\n<noinput>\n### Output\nLake Baikal.\nIt is deep."),
        ("tasks",
         "Task 1: Add the numbers.\nInput: 3 + 4\nOutput: 7\n\n"
         "Task 2: Name a lake.\nOutput: Lake Baikal.\nIt is deep."),
        ("numbers alone",
         "1. Add the numbers.\nInput: 3 + 4\nOutput: 7\n\n"
         "2. Name a lake.\nInput: None\nOutput: Lake Baikal.\nIt is deep."),
        ("a preamble and a sign-off",
         "Sure! Here are two:\n\n4. Instruction: Add the numbers.\n4. Input:\n3 + 4\n4. Output:\n7\n###\n"
         "5. Instruction: Name a lake.\n5. Input:\n<noinput>\n5. Output:\nLake Baikal.\nIt is deep."
         "\n\nLet me know if you want more!"),
        ("a fence",
         "```\n4. Instruction: Add the numbers.\n4. Input:\n3 + 4\n4. Output:\n7\n###\n"
         "5. Instruction: Name a lake.\n5. Input:\n<noinput>\n5. Output:\nLake Baikal.\nIt is deep.\n```"),
        ("Windows line ends",
         "4. Instruction: Add the numbers.\r\n4. Input:\r\n3 + 4\r\n4. Output:\r\n7\r\n###\r\n"
         "5. Instruction: Name a lake.\r\n5. Input:\r\n<noinput>\r\n5. Output:\r\nLake Baikal.\r\nIt is deep.\r\n"),
        ("JSON",
         '{"tasks": [{"instruction": "Add the numbers.", "input": "3 + 4", "output": "7"}, '
         '{"instruction": "Name a lake.", "input": "", "output": "Lake Baikal.\\nIt is deep."}]}'),
        ("JSON with other names and values",
         '[{"Task": "Add the numbers.", "Input": "3 + 4", "Answer": 7},\n'
         '{"task": " Name a lake. ", "input": null, "response": "Lake Baikal.\\nIt is deep."},]'),
        ("JSON lines",
         '```json\n{"instruction": "Add the numbers.", "input": "3 + 4", "output": "7"}\n'
         '{"instruction": "Name a lake.", "input": "<noinput>", "output": "Lake Baikal.\\nIt is deep."}\n```'),
    ],
    ids=name_of,
)  # fmt: skip
def test_whole_tasks_are_read_in_whatever_form_they_come(form, text):
    assert triples_of(whole_tasks(text, cut=False)) == PAIR, form


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4. Instruction: Give tips.\n4. Input:\n<noinput>\n4. Output:\n1. Sleep.\n2. Eat.\n###\n"
         "5. Instruction: Name a lake.\n5. Input:\n<noinput>\n5. Output:\nBaikal",
         [("Give tips.", "", "1. Sleep.\n2. Eat."), ("Name a lake.", "", "Baikal")]),
        ("1. Give two tips.\nInput: None\nOutput: 1. Sleep.\n2. Eat well.\n\n"
         "2. Name a lake.\nInput: None\nOutput: Baikal",
         [("Give two tips.", "", "1. Sleep.\n2. Eat well."), ("Name a lake.", "", "Baikal")]),
        ("4. Instruction: Plan it.\n4. Input:\nthe garden\n4. Output:\nTask: dig\nInput: a spade\n# Then\n## Rest\n###",
         [("Plan it.", "the garden", "Task: dig\nInput: a spade\n# Then\n## Rest")]),
        ("4. Instruction: Write\na poem.\n4. Output:\nThe sea", [("Write a poem.", "", "The sea")]),
        ("4. Instruction: Name a lake.", [("Name a lake.", "", "")]),
        ("4. Instruction:\n4. Input:\nx\n4. Output:\ny", []),
        ('4. Instruction: Say it in words.\n4. Input:\n{"a": 1}\n4. Output:\n["one"]',
         [("Say it in words.", '{"a": 1}', '["one"]')]),
        ("", []), ("I have no more ideas.", []), ("[]", []), ('{"tasks": []}', []),
        ('{"tasks": [{"input": "x", "output": "y"}]}', []),
        ('{"instruction": "Sort.", "input": ["b", "a"], "output": ["a", "b"]}',
         [("Sort.", '["b", "a"]', '["a", "b"]')]),
    ],
    ids=name_of,
)  # fmt: skip
def test_whole_tasks_keep_what_belongs_to_them(text, expected):
    assert triples_of(whole_tasks(text, cut=False)) == expected


@pytest.mark.parametrize(
    "tail",
    [
        "5. Instruction: Name a", "5. Instruction: Name a lake.\n5. In", "5. Instruction: Name a lake.\n5. Input:\n",
        "5. Instruction: Name a lake.\n5. Input:\n<noinput>\n5. Output:\nLake",
    ],
)  # fmt: skip
def test_only_the_last_whole_task_of_a_cut_answer_is_marked(tail):
    text = f"4. Instruction: Add the numbers.\n4. Input:\n3 + 4\n4. Output:\n7\n###\n{tail}"
    found = whole_tasks(text, cut=True)
    assert [task.cut for task in found] == [False, True]
    assert triples_of(found)[0] == PAIR[0]


@pytest.mark.parametrize("tail", ["5. Instruction:", "5. Instruction: "])
def test_a_cut_answer_that_ends_before_a_task_loses_none(tail):
    text = f"4. Instruction: Add the numbers.\n4. Input:\n3 + 4\n4. Output:\n7\n###\n{tail}"
    assert [task[:3] for task in whole_tasks(text, cut=True) if not task.cut] == PAIR[:1]


def test_the_last_whole_task_of_cut_json_is_marked():
    text = '{"tasks": [{"instruction": "Add the numbers.", "input": "3 + 4", "output": "7"}, {"instruction": "Name a'
    assert [(task.instruction, task.cut) for task in whole_tasks(text, cut=True)] == [
        ("Add the numbers.", False), ("Name a", True),
    ]  # fmt: skip


# Any text.

FRAGMENTS = st.lists(
    st.sampled_from(
        ["Example", " 1", "Input:", "Output:", "Class label:", "Label", "\n", "\n\n", "**", "```", "---", "9.", "10) ",
         "- ", ": ", "a text", "Yes", "No", "is not a classification", "{", "}", "#", "\r\n", "\u2028", "\0", "\ud800",
         "4. Instruction:", "###", "\n###\n", "Task", "[", "]", '"', '"output": ', '{"tasks": [', ",", "```json\n", "①",
         "a) ", "iv. ", "<think>", "</think>"]
    ),
    max_size=24,
).map("".join)  # fmt: skip
READERS = [numbered_items, input_first, output_first, whole_tasks]


@pytest.mark.parametrize("read", READERS)
def test_no_text_makes_a_parser_fail(read):
    @given(st.text() | FRAGMENTS, st.booleans())
    @settings(max_examples=150, deadline=None)
    def check(text, cut):
        found = read(text, cut)
        assert [one.cut for one in found] == [False] * (len(found) - 1) + [cut] * bool(found)
        if read is numbered_items:
            assert all("\n" not in item.text and (item.text or item.cut) for item in found)
        if read is whole_tasks:
            assert all("\n" not in task.instruction and (task.instruction or task.cut) for task in found)

    check()


@given(st.text() | FRAGMENTS)
@settings(max_examples=150, deadline=None)
def test_no_text_makes_a_verdict_fail(text):
    assert yes_or_no(text) in (True, False, None)
    assert is_refusal(text) in (True, False)
    assert says_no_input(text) in (True, False)


# What is written as the prompts ask for it is read as it was meant.

WORD = st.sampled_from(
    ["the", "of", "a", "river", "Anna's", "1998.", "3.5", "10)", "(two)", "e.g.", "example", "input:", "Output",
     "label:", "—", "100%", "für", "河", "[x]", "<b>", "{n}", "#4"]
)  # fmt: skip
SENTENCE = st.tuples(
    st.sampled_from(["List", "Explain", "Why", "If", "Übersetze"]), st.lists(WORD, min_size=2, max_size=8)
).map(lambda parts: f"{parts[0]} {' '.join(parts[1])} now.")  # fmt: skip
LINES = st.lists(SENTENCE, min_size=1, max_size=4).map("\n".join)
CODE = st.lists(SENTENCE | st.sampled_from(["}", ")", "]", "```", "  return 1", "* *"]), min_size=1, max_size=4).map(
    lambda lines: "\n".join(["begin", *lines])
)


@given(st.lists(SENTENCE, min_size=1, max_size=12), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_a_list_as_the_prompt_asks_for_it_is_read_as_it_was_meant(items, first):
    text = "\n".join(f"{number}. {item}" for number, item in enumerate(items, start=first))
    assert texts_of(text) == items


def written(examples):
    blocks = []
    for number, (given_, output) in enumerate(examples, start=1):
        before = f"Input: {given_}\n" if given_ else ""
        blocks.append(f"Example {number}\n{before}Output: {output}")
    return "\n\n".join(blocks)


@given(st.lists(st.tuples(LINES | st.just(""), LINES), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_examples_as_the_prompt_asks_for_them_are_read_as_they_were_meant(examples):
    assert pairs_of(input_first(written(examples), cut=False)) == examples


@example([("begin", "begin {\n}"), ("begin", "end")])
@given(st.lists(st.tuples(CODE, CODE), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_examples_with_code_are_read_as_they_were_meant(examples):
    assert pairs_of(input_first(written(examples), cut=False)) == examples


@given(st.lists(st.tuples(LINES | st.just(""), st.sampled_from(["yes", "A", "not spam", "C++", "3"])), min_size=1))
@settings(max_examples=60, deadline=None)
def test_labels_as_the_prompt_asks_for_them_are_read_as_they_were_meant(examples):
    text = "\n\n".join(f"Class label: {label}" + (f"\nInput: {given_}" if given_ else "") for given_, label in examples)
    assert pairs_of(output_first(text, cut=False)) == examples


# The same for texts of any script, in each form that a prompt asks for: in words, and in JSON.

LETTERS = "abcdeinorstxyzABEINTYäßéñøłЖшыяαβωאבגعربहनद日本語河山한국어ไทย"
MARKS = "िी́      ,.;:!?'\"-–—()[]{}<>/\\|@#$%&*+=^_~`0123456789。、「」؟¿…€😀"
# What begins a field or an example is excluded from the beginning of lines, and nothing else.
NAMES = re.compile(r"^\W*\d*\W*(?:input|output|answer|example|class|label|category|instruction|task)\b", re.IGNORECASE)
ONE_LINE = (
    st.tuples(st.sampled_from(LETTERS), st.text(LETTERS + MARKS, min_size=3, max_size=40))
    .map(lambda parts: " ".join("".join(parts).split()))
    .filter(lambda text: not NAMES.match(text) and not says_no_input(text) and not is_refusal(text))
)
BEGINS = st.sampled_from(
    ["", "", "", "  ", "    ", "- ", "* ", "1. ", "2) ", "# ", "> ", "| ", "{", "[", '"', "(", "`"]
)
LATER_LINE = (
    st.tuples(BEGINS, ONE_LINE).map("".join) | st.sampled_from(["", "```", "}", "]", "---", "|---|", "...", "**"])
).filter(lambda line: not NAMES.match(line))
FIRST_LINE = st.tuples(st.sampled_from(["", "", "- ", "{", "[", "(", "# ", "| ", "`", "$"]), ONE_LINE).map("".join)


@st.composite
def several_lines(draw):
    lines = [draw(FIRST_LINE), *draw(st.lists(LATER_LINE, max_size=4))]
    while not re.search(r"\w", lines[-1]):
        lines.pop()
    return "\n".join(line.rstrip() for line in lines)


LABEL = st.sampled_from(["yes", "A", "not spam", "C++", "3", "положительный", "中立", "Category B: other"])
INSTRUCTIONS = st.lists(ONE_LINE, min_size=2, max_size=8)
EXAMPLES = st.lists(st.tuples(several_lines() | st.just(""), several_lines()), min_size=1, max_size=4)
LABELLED = st.lists(st.tuples(several_lines() | st.just(""), LABEL), min_size=1, max_size=4)
WHOLE = st.lists(st.tuples(ONE_LINE, several_lines() | st.just(""), several_lines()), min_size=1, max_size=4)


def said(shape, items, in_json, first=1):
    """The answer in words or in JSON."""
    answer = answers.plain(shape, items, first)
    return (as_json(answer, None) if in_json else answer).text


@pytest.mark.parametrize("in_json", [False, True])
def test_instructions_of_any_script_are_read_as_they_were_meant(in_json):
    @given(INSTRUCTIONS, st.integers(1, 40))
    @settings(max_examples=60, deadline=None)
    def check(texts, first):
        items = [answers.Item(instruction=text) for text in texts]
        assert texts_of(said("tasks", items, in_json, first)) == texts

    check()


@pytest.mark.parametrize("in_json", [False, True])
def test_examples_of_any_script_are_read_as_they_were_meant(in_json):
    @given(EXAMPLES)
    @settings(max_examples=60, deadline=None)
    def check(pairs):
        items = [answers.Item(input=given_, output=output) for given_, output in pairs]
        assert pairs_of(input_first(said("examples", items, in_json), False)) == pairs

    check()


@pytest.mark.parametrize("in_json", [False, True])
def test_labels_of_any_script_are_read_as_they_were_meant(in_json):
    @given(LABELLED)
    @settings(max_examples=60, deadline=None)
    def check(pairs):
        items = [answers.Item(input=given_, output=label) for given_, label in pairs]
        assert pairs_of(output_first(said("labelled", items, in_json), False)) == pairs

    check()


@pytest.mark.parametrize("in_json", [False, True])
def test_whole_tasks_of_any_script_are_read_as_they_were_meant(in_json):
    @given(WHOLE, st.integers(1, 20))
    @settings(max_examples=60, deadline=None)
    def check(tasks, first):
        assert (
            triples_of(whole_tasks(said("whole", [answers.Item(*task) for task in tasks], in_json, first), False))
            == tasks
        )

    check()


@pytest.mark.parametrize("in_json", [False, True])
@pytest.mark.parametrize("verdict", [True, False])
def test_a_verdict_as_the_prompt_asks_for_it_is_read_as_it_was_meant(verdict, in_json):
    assert yes_or_no(said("verdict", [answers.Item(output="Yes" if verdict else "No")], in_json)) is verdict
