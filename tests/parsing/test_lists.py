"""Lists: what models really say, read as items."""

import json

import pytest

from selfinstruct.parsing.items import Item
from selfinstruct.parsing.lists import numbered_items
from tests.parsing.reading import name_of, texts_of

RIVER, LAKE, HILL = "Name a river in Peru.", "Which lake is the deepest?", "Describe a hill at dawn."
ALL = [RIVER, LAKE, HILL]


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
        ("a table", f"| # | Task |\n|---|---|\n| 9 | {RIVER} |\n| 10 | {LAKE} |\n| 11 | {HILL} |"),
        ("a table below a text", f"Sure:\n\n| Nr. | Aufgabe | Art |\n|---|---|---|\n| 9 | {RIVER} | a |\n"
                                 f"| 10 | {LAKE} | b |\n| 11 | {HILL} | c |\n\nEnjoy!"),
        ("a table of one column", f"| **Instruction** |\n|:--|\n| 9. {RIVER} |\n| {LAKE} |\n| {HILL} |"),
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
        ("titles in bold above the texts", f"9. **Water**\n{RIVER}\n10. **Still water**\n{LAKE}\n11. **Up**\n{HILL}"),
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
