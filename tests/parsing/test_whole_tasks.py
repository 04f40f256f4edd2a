"""Whole tasks: what models really say, read as instruction, input and output."""

import pytest

from selfinstruct.parsing.whole_tasks import whole_tasks
from tests.parsing.reading import name_of, triples_of

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
        ("a table",
         "Here are two:\n\n| # | Instruction | Input | Output |\n|---|---|---|---|\n"
         "| 4 | Add the numbers. | 3 + 4 | 7 |\n| 5 | Name a lake. | N/A | Lake Baikal.<br>It is deep. |"),
        ("explanations",
         "4. Instruction: Add the numbers.\n4. Input: 3 + 4\n4. Output: 7\n\nExplanation: A sum.\n###\n"
         "5. Instruction: Name a lake.\n5. Output: Lake Baikal.\nIt is deep.\n**Explanation:** It is."),
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
