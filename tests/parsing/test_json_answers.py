"""Answers in JSON: read in whatever state they come, and never where braces are only part of a text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.json_answers import INPUT, INSTRUCTION, OUTPUT, VERDICT, field_or_text, json_field, json_rows
from selfinstruct.parsing.lists import numbered_items
from selfinstruct.parsing.whole_tasks import whole_tasks

AB = ["Name a river.", "Name a lake."]
TASKS = json.dumps({"tasks": AB})


def name_of(value):
    return " ".join(value.split())[:32] if isinstance(value, str) else ""


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("an object", TASKS),
        ("a bare list", json.dumps(AB)),
        ("indented", json.dumps({"tasks": AB}, indent=2)),
        ("an indented list", json.dumps(AB, indent=4)),
        ("Windows line ends", json.dumps({"tasks": AB}, indent=2).replace("\n", "\r\n")),
        ("blank lines around", f"\n\n{TASKS}\n\n"),
        ("a fence", f"```json\n{TASKS}\n```"),
        ("a fence without a language", f"```\n{TASKS}\n```"),
        ("tildes", f"~~~json\n{TASKS}\n~~~"),
        ("an indented fence", f"  ```json\n  {TASKS}\n  ```"),
        ("a fence that does not end", f"```json\n{TASKS}"),
        ("a preamble", f"Sure! Here you go:\n\n{TASKS}"),
        ("a preamble on the line above", f"Here is the JSON:\n{TASKS}"),
        ("a preamble before a fence", f"Here you go:\n\n```json\n{TASKS}\n```"),
        ("a sign-off", f"{TASKS}\n\nLet me know if you want more!"),
        ("a sign-off on the same line", f"{TASKS} I hope this helps!"),
        ("a sign-off with a list", f"{TASKS}\n\nThese differ:\n1. in topic\n2. in form"),
        ("both and a fence", f"Sure!\n\n```json\n{TASKS}\n```\n\nEnjoy!"),
        ("a trailing comma", '{"tasks": ["Name a river.", "Name a lake.",]}'),
        ("two trailing commas", '{"tasks": ["Name a river.", "Name a lake.",],}'),
        ("single quotes", "{'tasks': ['Name a river.', 'Name a lake.']}"),
        ("a comment", '{"tasks": ["Name a river.", // easy\n "Name a lake."]}'),
        ("a missing comma", '{"tasks": ["Name a river."\n "Name a lake."]}'),
        ("a missing end", '{"tasks": ["Name a river.", "Name a lake."'),
        ("a missing bracket", '["Name a river.", "Name a lake."'),
        ("numbered keys", '{"task_1": "Name a river.", "task_2": "Name a lake."}'),
        ("numbers for keys", '{"9": "Name a river.", "10": "Name a lake."}'),
        ("numbered keys with spaces", '{"Task 1": "Name a river.", "Task 2": "Name a lake."}'),
        ("something beside the list", '{"count": 2, "tasks": ["Name a river.", "Name a lake."]}'),
        ("another name", '{"ideas": ["Name a river.", "Name a lake."]}'),
    ],
    ids=name_of,
)  # fmt: skip
def test_a_list_of_texts_is_read_in_whatever_state_it_comes(form, text):
    assert json_rows(text) == AB, form


ROWS = [{"input": "3 + 4", "output": "7"}, {"input": "", "output": "18"}]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("an object", json.dumps({"instances": ROWS})),
        ("a bare list", json.dumps(ROWS)),
        ("JSON lines", "\n".join(map(json.dumps, ROWS))),
        ("JSON lines in a fence", "```json\n" + "\n".join(map(json.dumps, ROWS)) + "\n```"),
        ("JSON lines with commas", ",\n".join(map(json.dumps, ROWS))),
        ("objects in a row", "".join(map(json.dumps, ROWS))),
        ("indented objects in a row", "\n\n".join(json.dumps(row, indent=2) for row in ROWS)),
        ("numbered keys", json.dumps({"example_1": ROWS[0], "example_2": ROWS[1]})),
        ("a trailing comma in a row", '[{"input": "3 + 4", "output": "7",}, {"input": "", "output": "18"}]'),
        ("a preamble and a sign-off", f"Sure:\n{json.dumps(ROWS)}\nThat's it."),
    ],
    ids=name_of,
)
def test_rows_are_read_in_whatever_state_they_come(form, text):
    assert json_rows(text) == ROWS, form


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"is_classification": true}', [{"is_classification": True}]),
        ('{"input": "x", "output": "y"}', [{"input": "x", "output": "y"}]),
        ('{"reason": "It names labels.", "is_classification": false}',
         [{"reason": "It names labels.", "is_classification": False}]),
        # A list inside of one row is no list of rows.
        ('{"input": ["x", "z"], "output": "y"}', [{"input": ["x", "z"], "output": "y"}]),
        ('{"input": "x", "output": ["y", "z"]}', [{"input": "x", "output": ["y", "z"]}]),
        ('{"instruction": "Sort.", "tags": ["easy"]}', [{"instruction": "Sort.", "tags": ["easy"]}]),
        ('{"label": "spam", "words": ["win", "now"]}', [{"label": "spam", "words": ["win", "now"]}]),
        ("[]", []),
        ('{"tasks": []}', []),
        ("{}", [{}]),
        ("[{}]", [{}]),
        ('{"tasks": ["a line\nand another"]}', ["a line\nand another"]),
        ('{"tasks": ["He said \\"no\\"", "{x} [y]"]}', ['He said "no"', "{x} [y]"]),
        ('{"tasks": ["\\u00fcber", "河"]}', ["über", "河"]),
    ],
    ids=name_of,
)  # fmt: skip
def test_one_object_is_one_row(text, rows):
    assert json_rows(text) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"tasks": ["Name a river.", "Name a la', ["Name a river.", "Name a la"]),
        ('{"tasks": ["Name a river.",', ["Name a river."]),
        ('{"tasks": ["Name a river.", "', ["Name a river.", ""]),
        ('{"instances": [{"input": "3 + 4", "output": "7"}, {"input": "2 x', [ROWS[0], {"input": "2 x"}]),
        ('{"instances": [{"input": "3 + 4", "output": "7"}, {"input": "2 x 9", "output": "1',
         [ROWS[0], {"input": "2 x 9", "output": "1"}]),
        ('{"input": "3 + 4", "output": "7"}\n{"input": "2 x 9", "output": "1',
         [ROWS[0], {"input": "2 x 9", "output": "1"}]),
        ('```json\n[{"instruction": "Sort.", "input": "b a", "output": "a b"}, {"instruction": "Add.", "input":',
         [{"instruction": "Sort.", "input": "b a", "output": "a b"}, {"instruction": "Add.", "input": ""}]),
    ],
    ids=name_of,
)  # fmt: skip
def test_what_was_said_before_the_token_limit_is_read(text, rows):
    assert json_rows(text) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"reasoning": ["They want two."], "tasks": ["Name a river."]}', ["Name a river."]),
        ('{"steps": ["They want two."], "ideas": ["Name a river."]}', ["Name a river."]),
        ('{"examples": ["Name a sea."], "new_tasks": ["Name a river."]}', ["Name a river."]),
        ('{"überlegungen": ["Zwei."], "aufgaben": ["Nenne einen Fluss."]}', ["Nenne einen Fluss."]),
        ('{"description": "Two tasks", "instructions": ["Name a river."]}', ["Name a river."]),
        ('{"category": "lakes", "tasks": ["Name a lake."]}', ["Name a lake."]),
        ('{"task": ["Name a river.", "Name a lake."]}', AB),
        ('{"checks": ["short?"], "cases": [{"input": "3 + 4", "output": "7"}]}', ROWS[:1]),
        ('{"instruction": "Add.", "instances": [{"input": "3 + 4", "output": "7"}]}', ROWS[:1]),
        ('{"reasoning": ["They want two."]}', [{"reasoning": ["They want two."]}]),
        ('{"type": "object", "properties": {"tasks": {}}, "required": ["tasks"]}', []),
        ('{"input": "x", "output": "y", "tasks": ["z"]}', [{"input": "x", "output": "y", "tasks": ["z"]}]),
    ],
    ids=name_of,
)  # fmt: skip
def test_of_several_lists_the_one_that_was_asked_for_is_read(text, rows):
    assert json_rows(text) == rows


@pytest.mark.parametrize(
    "end", ['"Name a la', '"Name a lake.]}', '{"task": "Name a la', '"Name a lake.", "', '"Name a la\n```'], ids=name_of
)
def test_json_that_ends_inside_a_text_is_cut_whatever_the_server_says(end):
    items = numbered_items('```json\n{"tasks": ["Name a river.", ' + end, cut=False)
    assert [item.cut for item in items][:1] == [False]
    assert items[-1].cut
    assert not any(item.cut for item in numbered_items('{"tasks": ["Name a river.", "Name a lake."', cut=False))


@pytest.mark.parametrize("read", [input_first, output_first])
def test_an_instance_in_json_that_ends_inside_a_text_is_cut(read):
    found = read('[{"input": "3", "output": "three"}, {"input": "4", "output": "fo', False)
    assert [instance.cut for instance in found] == [False, True]
    (task,) = whole_tasks('[{"instruction": "Spell it.", "input": "4", "output": "fo', False)
    assert task.cut


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "Name a river.", "9. Name a river.\n10. Name a lake.",
        "[Name]: how do you do?", "[Name], dear friend,\nhow do you do?", "[x] done\n[ ] not done",
        "[1] first\n[2] second", "[1, 2, 3]", "(see [4])", "[link](http://example.org)",
        '9. Put {"a": 1} into words.', '9. Put\n{"a": 1}\ninto words.', 'Say what {"a": 1} means.',
        'Example 1\nInput: {"a": 1}\nOutput: one', 'Example 1\nInput:\n{"a": 1}\nOutput:\none',
        'Output:\n{"a": 1}', 'Class label: B\nInput:\n["a", "b"]', "**Output:**\n[\"a\"]",
        '1. Instruction: Sort.\n1. Input:\n["b", "a"]\n1. Output:\n["a", "b"]',
        "{name}, welcome!", "{% if x %}", "{", "[", "}", "[[", '{ not json', "true", '"a text"', "12", "null",
        "Yes", "def f():\n    return {x for x in y}", "f = {\n  a: 1\n}",
    ],
    ids=name_of,
)  # fmt: skip
def test_a_text_with_braces_and_brackets_is_no_json(text):
    assert json_rows(text) is None


def test_only_the_first_of_two_fences_is_read():
    assert json_rows('```json\n["a", "b"]\n```\n\nOr rather:\n\n```json\n["c"]\n```') == ["a", "b"]


@pytest.mark.parametrize("text", ['["' + "[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 50_000, "[[" * 999])
def test_what_is_nested_too_deeply_makes_no_trouble(text):
    rows = json_rows(text)
    assert rows is None or isinstance(rows, list)


# Fields.


@pytest.mark.parametrize(
    ("row", "names", "text"),
    [
        ({"instruction": "Sort."}, INSTRUCTION, "Sort."),
        ({"task": "Sort."}, INSTRUCTION, "Sort."),
        ({"Task 3": "Sort."}, INSTRUCTION, "Sort."),
        ({"INSTRUCTION_2": "Sort."}, INSTRUCTION, "Sort."),
        ({"input": ""}, INPUT, ""),
        ({"context": "Rome fell."}, INPUT, "Rome fell."),
        ({"output": "y", "label": "z"}, OUTPUT, "y"),
        ({"label": "spam"}, OUTPUT, "spam"),
        ({"Class Label": "spam"}, OUTPUT, "spam"),
        ({"class_label": "spam"}, OUTPUT, "spam"),
        ({"category": "spam"}, OUTPUT, "spam"),
        ({"is_classification": True}, VERDICT, "true"),
        ({"Is Classification": False}, VERDICT, "false"),
        ({"isClassification": False}, VERDICT, "false"),
        ({"answer": "Yes"}, VERDICT, "Yes"),
        ({"output": 7}, OUTPUT, "7"),
        ({"output": 3.5}, OUTPUT, "3.5"),
        ({"output": None}, OUTPUT, ""),
        ({"output": ["a", "ä"]}, OUTPUT, '["a", "ä"]'),
        ({"input": {"name": "Ann", "age": 7}}, INPUT, '{"name": "Ann", "age": 7}'),
        ({"reason": "x"}, OUTPUT, None),
        ({}, OUTPUT, None),
        ({3: "x"}, OUTPUT, None),
        ("a text", OUTPUT, None), (None, OUTPUT, None), (7, OUTPUT, None), (["output"], OUTPUT, None),
    ],
)  # fmt: skip
def test_a_field_is_found_by_any_of_its_names_and_given_as_text(row, names, text):
    assert json_field(row, names) == text


# Any text.

FRAGMENTS = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", '"', "'", ",", ":", "\\", "\n", " ", "```json\n", "```", "tasks", '"input"', '"output": ',
         '{"a": ', "1", "true", "null", "Sure:", "\u2028", "\0", "\ud800", "//", "/*", "\\u12", "9. ", "Input:"]
    ),
    max_size=30,
).map("".join)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.text() | FRAGMENTS | st.tuples(FRAGMENTS, st.text()).map("".join))
@settings(max_examples=300, deadline=None)
def test_no_text_makes_reading_fail(text):
    rows = json_rows(text)
    assert rows is None or isinstance(rows, list)
    for row in rows or []:
        for names in (INSTRUCTION, INPUT, OUTPUT, VERDICT):
            found = json_field(row, names)
            assert found is None or isinstance(found, str)


@given(VALUES, st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_no_json_makes_reading_fail_whole_or_cut(value, end):
    text = json.dumps(value)
    for said in (text, text[:end], f"```json\n{text}\n```", f"Sure:\n{text[:end]}"):
        rows = json_rows(said)
        assert rows is None or isinstance(rows, list)
        for row in rows or []:
            assert isinstance(json_field(row, OUTPUT), str | None)


# No text means a backspace or a form feed, and "\\frac" may begin with one: see rows/escapes.py.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\b\f"), max_size=30)


@given(st.lists(TEXTS, min_size=1, max_size=6), st.sampled_from([None, 0, 2]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_list_as_the_prompt_asks_for_it_is_read_as_it_was_meant(texts, indent, ascii_only):
    said = json.dumps({"tasks": texts}, indent=indent, ensure_ascii=ascii_only)
    for form in (said, f"```json\n{said}\n```", f"Here you go:\n\n{said}\n\nEnjoy!"):
        assert json_rows(form) == texts


@given(
    st.lists(st.fixed_dictionaries({"input": TEXTS, "output": TEXTS}), min_size=1, max_size=4),
    st.sampled_from([None, 2]),
)
@settings(max_examples=150, deadline=None)
def test_rows_as_the_prompt_asks_for_them_are_read_as_they_were_meant(rows, indent):
    said = json.dumps({"instances": rows}, indent=indent, ensure_ascii=False)
    assert json_rows(said) == rows
    assert [(json_field(row, INPUT), json_field(row, OUTPUT)) for row in rows] == [
        (row["input"], row["output"]) for row in rows
    ]


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ('{"topic": "rivers"}', "topic", "rivers"),
        ('{"Topic": "rivers"}', "topic", "rivers"),
        ('{"main_topic": "rivers"}', "main_topic", "rivers"),
        ('{"mainTopic": "rivers", "why": "It names one."}', "main_topic", "rivers"),
        ('```json\n{"topic": "rivers"}\n```', "topic", "rivers"),
        ('{"result": {"topic": "rivers"}}', "topic", "rivers"),
        ('[{"topic": "rivers"}]', "topic", "rivers"),
        ('{"topic1": "rivers", "topic2": "lakes"}', "topic2", "lakes"),
        ('{"topic": 3}', "topic", "3"),
        ('{"topic": ["rivers", "lakes"]}', "topic", '["rivers", "lakes"]'),
        ('{"topic": null}', "topic", ""),
        ('{"subject": "rivers"}', "topic", ""),
        ('{"topic": "rivers', "topic", "rivers"),
        ("rivers\n", "topic", "rivers"),
        ('Write {"topic": "rivers"} as XML.', "topic", 'Write {"topic": "rivers"} as XML.'),
    ],
)
def test_a_field_is_read_by_its_name_and_a_text_that_is_not_json_is_the_field(text, name, found):
    assert field_or_text(text, name) == found
