"""Instances: what models really say, read as pairs of input and output."""

import pytest

from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.items import ParsedInstance
from tests.parsing.reading import name_of, pairs_of

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


@pytest.mark.parametrize("text", ["None", "null\n", "undefined", "[object Object]", "NaN"])
def test_what_a_program_wrote_for_nothing_is_no_instance(text):
    assert input_first(text, False) == []
    assert pairs_of(input_first(f"Input: 3\nOutput: {text}", False)) == [("3", text.strip())]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("output above input", "Example 1\nOutput: 7\nInput: 3 + 4\n\nExample 2\nOutput: 18\nInput: 2 x 9"),
        ("output above input, no headings", "Output: 7\nInput: 3 + 4\n\nOutput: 18\nInput: 2 x 9"),
        ("short names", "In: 3 + 4\nOut: 7\n\nIn: 2 x 9\nOut: 18"),
        ("sample", "Sample Input: 3 + 4\nSample Output: 7\n\nSample Input: 2 x 9\nSample Output: 18"),
        ("expected", "Input: 3 + 4\nExpected Output: 7\n\nInput: 2 x 9\nExpected Output: 18"),
        ("a type behind the name", "Input (text): 3 + 4\nOutput (number): 7\nInput (text): 2 x 9\nOutput (number): 18"),
        ("input text", "Input text: 3 + 4\nOutput text: 7\n\nInput text: 2 x 9\nOutput text: 18"),
        ("tags", "<input>3 + 4</input>\n<output>7</output>\n<input>2 x 9</input>\n<output>18</output>"),
        ("tags in tags", "<example>\n<input>\n3 + 4\n</input><output>7</output>\n</example>\n"
                         "<input>2 x 9</input> <output>18</output>"),
        ("a table", "| Input | Output |\n|---|---|\n| 3 + 4 | 7 |\n| 2 x 9 | 18 |"),
        ("a table below a text", "Here are two:\n\n| Input | Output |\n|---|---|\n| 3 + 4 | 7 |\n| 2 x 9 | 18 |"),
        ("a table with numbers", "| # | Eingabe | Ausgabe |\n|:-:|---|---|\n| 1 | 3 + 4 | 7 |\n| 2 | 2 x 9 | 18 |"),
        ("a fenced table", "Sure!\n```markdown\n| **Sample Input** | **Expected Output** | Notes |\n|---|---|---|\n"
                           "| 3 + 4 | 7 | sum |\n| 2 x 9 | 18 | product |\n```"),
        # tloen/alpaca-lora#560: "### explanation:" below the output.
        ("explanations", "Example 1\nInput: 3 + 4\nOutput: 7\n\nExplanation: A sum.\n\n"
                         "Example 2\nInput: 2 x 9\nOutput: 18\n\n### explanation:\nA product.\nOf two."),
        ("bold explanations", "Input: 3 + 4\nOutput: 7\n**Explanation:** A sum.\n\n"
                              "Input: 2 x 9\nOutput: 18\n*Reasoning*: a product\nConfidence: high"),
        ("test data", "Test data: 3 + 4\nOutput: 7\n\nTest data: 2 x 9\nOutput: 18"),
        ("solutions", "Example 1\nInput: 3 + 4\nSolution: 7\n\nExample 2\nInput: 2 x 9\nSolution: 18"),
        ("results", "**Input:** 3 + 4\n**Result:** 7\n\n**Input:** 2 x 9\n**Result:** 18"),
        ("other names for both", "Test data: 3 + 4\nResult: 7\n\nTest data: 2 x 9\nResult: 18"),
        ("a fence around each", "Example 1\n```\nInput: 3 + 4\nOutput: 7\n```\n"
                                "Example 2\n```\nInput: 2 x 9\nOutput: 18\n```"),
        ("ends", "Example 1\nInput: 3 + 4\nOutput: 7\n[End of example]\n\n"
                 "Example 2\nInput: 2 x 9\nOutput: 18\n\n**End of output**"),
        ("one line in Chinese", "输入：3 + 4，输出：7\n输入：2 x 9，输出：18"),
        ("one line", "Input: 3 + 4 Output: 7\nInput: 2 x 9 Output: 18"),
        ("one line with a mark between", "1. **Input:** 3 + 4, **Output:** 7\n2. **Input:** 2 x 9 → **Output:** 18"),
        ("one line below headings", "Example 1\nInput: 3 + 4 | Output: 7\n\nExample 2\nInput: 2 x 9 | Output: 18"),
        ("cases", "Case 1\nInput: 3 + 4\nOutput: 7\n---\nCase 2\nInput: 2 x 9\nOutput: 18"),
        ("test cases", "Test Case 1:\nInput: 3 + 4\nOutput: 7\n\nTest Case 2:\nInput: 2 x 9\nOutput: 18"),
        ("numbers alone", "#1\nInput: 3 + 4\nOutput: 7\n\n#2\nInput: 2 x 9\nOutput: 18"),
        ("ordinals", "**First example**\nInput: 3 + 4\nOutput: 7\n\n**Second example**\nInput: 2 x 9\nOutput: 18"),
        ("the task above each", "Task: Add.\nInput: 3 + 4\nOutput: 7\n\nTask: Add.\nInput: 2 x 9\nOutput: 18"),
        ("another task", "Task: Add.\nInput: 3 + 4\nOutput: 7\n\n"
                         "Input: 2 x 9\nOutput: 18\n\nTask: Sing.\nInput: x\nOutput: y"),
        ("confidence", "Input: 3 + 4\nOutput: 7\nConfidence: high\n\n"
                       "Input: 2 x 9\nOutput: 18\n**Confidence level:** 90%"),
        ("Finnish", "Esimerkki 1\nSyöte: 3 + 4\nTuloste: 7\n\nEsimerkki 2\nSyöte: 2 x 9\nTuloste: 18"),
        ("Swahili", "Mfano 1\nIngizo: 3 + 4\nTokeo: 7\n\nMfano 2\nIngizo: 2 x 9\nTokeo: 18"),
        ("Bengali", "উদাহরণ 1\nইনপুট: 3 + 4\nআউটপুট: 7\n\nউদাহরণ 2\nইনপুট: 2 x 9\nআউটপুট: 18"),
        ("Tamil", "உள்ளீடு: 3 + 4\nவெளியீடு: 7\n\nஉள்ளீடு: 2 x 9\nவெளியீடு: 18"),
    ],
    ids=name_of,
)  # fmt: skip
def test_other_forms_are_read_as_clear_as_they_are(form, text):
    assert pairs_of(input_first(text, False)) == TWO, form


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        # Programs that speak of inputs and outputs.
        ("Input: x = 2\nExpected output: 6\nOutput: The loop is wrong.",
         [("x = 2\nExpected output: 6", "The loop is wrong.")]),
        ("Example 1\nOutput: def f():\n  Input: a number", [("", "def f():"), ("a number", "")]),
        # What the task may have asked for.
        ("Q: Why?\nA: So.", [("", "Q: Why?\nA: So.")]),
        ("| Name | Age |\n|---|---|\n| Ada | 36 |", [("", "| Name | Age |\n|---|---|\n| Ada | 36 |")]),
        ("Input: 3\nOutput: Confidence: high", [("3", "Confidence: high")]),
        ("Input: <input>3</input>\nOutput: <output>x</output>", [("<input>3</input>", "<output>x</output>")]),
        ("In: Ada, Bo", [("", "In: Ada, Bo")]),
        ("Input: a mail\nOutput: Sentiment: good\nConfidence: high", [("a mail", "Sentiment: good\nConfidence: high")]),
        ("Input: 3\nConfidence: high\nOutput: three", [("3\nConfidence: high", "three")]),
        ("Input: 3\nOutput: Answer: B\nExplanation: It is.", [("3", "Answer: B\nExplanation: It is.")]),
        ("Input: 3\nOutput: ## Method\nAdd.\n## Explanation\nSo.", [("3", "## Method\nAdd.\n## Explanation\nSo.")]),
        ("Input: 3\nOutput: a\nExplanation: b\nc\nExplanation: d", [("3", "a\nExplanation: b\nc\nExplanation: d")]),
        ("Input: 3\nOutput: a\nConfidence: low\nThat was all.", [("3", "a\nConfidence: low\nThat was all.")]),
        ("Input: 3\nOutput: So:\n```\n3\n```", [("3", "So:\n```\n3\n```")]),
        ("Input: Result: 3\nOutput: three", [("Result: 3", "three")]),
        ("Read n.\nThen:\nTest data: 3\nResult: 4", [("", "Read n.\nThen:\nTest data: 3\nResult: 4")]),
        ("Input: the words Output: and Output:\nOutput: two", [("the words Output: and Output:", "two")]),
    ],
    ids=name_of,
)  # fmt: skip
def test_forms_that_a_task_may_ask_for_stay(text, pairs):
    assert pairs_of(input_first(text, False)) == pairs


@pytest.mark.parametrize(
    "said",
    ["This task does not require any input.", "None (the instruction is self-contained)", "ei syötettä", "প্রযোজ্য নয়",
     "No input (general knowledge)", "hakuna"],
)  # fmt: skip
def test_more_ways_to_say_that_there_is_no_input(said):
    assert pairs_of(input_first(f"Input: {said}\nOutput: x", False)) == [("", "x")]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("| Input | Output |\n|---|---|\n| a \\| b | or |\n| cat f | show |", [("a | b", "or"), ("cat f", "show")]),
        ("| Input | Output |\n|---|---|\n| 1 | one |\n\nNote: a | b is or.", [("1", "one")]),
        ("<input>1</input><output>one</output>\n<input>2</input><output>two</output>", [("1", "one"), ("2", "two")]),
        ("Example 1\n<input>1</input>\n<output>one</output>", [("1", "one")]),
    ],
)
def test_tables_and_tags_are_read_whole(text, pairs):
    assert [(one.input, one.output) for one in input_first(text, False)] == pairs


TABLE = "Here it is:\n\n| Input | Output |\n|---|---|\n| 0 | 1 |"


@pytest.mark.parametrize(
    ("task", "text", "pairs"),
    [
        ("Write the truth table of NOT.", TABLE, [("", TABLE)]),
        ("Negate the bit.", TABLE, [("0", "1")]),
        ("Negate the bit.", f"Example 1\n{TABLE[13:]}", [("", TABLE[13:])]),
        ("Add, and explain it.", "Input: 3 + 4\nOutput: 7\nExplanation: so", [("3 + 4", "7\nExplanation: so")]),
        ("How sure are you?", "Input: 3\nOutput: 7\nConfidence: low", [("3", "7\nConfidence: low")]),
        ("Name it.", "Input: 3\nOutput: N/A", [("3", "")]),
        ("Name it.", '[{"input": "3", "output": "N/A"}]', [("3", "")]),
        ("Name the year, or write N/A if none is given.", "Input: a day\nOutput: N/A", [("a day", "N/A")]),
        ("Extract the year.", "Input: See you.\nOutput: N/A", [("See you.", "N/A")]),
        ("Extract the year.", "Output: N/A", []),
        ("Explain it.", "Example 1\nOutput: Calm.\n\nExample:\nA lake.", [("", "Calm.\n\nExample:\nA lake.")]),
        ("Plan it.", "# Plan\n\n## Example\nA lake.", [("", "# Plan\n\n## Example\nA lake.")]),
        ("Is it right?", "Input: 2 + 2?\nAnswer: 5\nOutput: No.", [("2 + 2?\nAnswer: 5", "No.")]),
        ("Give the answer.", "Input: 2 + 2?\nAnswer:\nOutput: 4", [("2 + 2?\nAnswer:", "4")]),
        ("Write JSON for Ann.", '{"name": "Ann"}', [("", '{"name": "Ann"}')]),
        ("List colours as JSON.", '```json\n["red"]\n```', [("", '["red"]')]),
        ("Write JSON for Ann.", '{"instances": [{"input": "", "output": {"a": 1}}]}', [("", '{"a": 1}')]),
        ("Tell a riddle.", "What has keys?\n\nAnswer: A piano.", [("", "What has keys?\n\nAnswer: A piano.")]),
        ("Answer the riddle.", "What has keys?\n\nAnswer: A piano.", [("What has keys?", "A piano.")]),
        ("Write a test case.", "Example 1\nOutput: One\nInput: 2\nOutput: 4", [("", "One\nInput: 2\nOutput: 4")]),
        (
            "Write a test case.",
            "Test: One\nInput: 2\nExpected output: 4",
            [("", "Test: One\nInput: 2\nExpected output: 4")],
        ),
        ("Write test cases.", "Input: max\nOutput: 2 and 4", [("max", "2 and 4")]),
        ("Solve it, with each step.", "Output: 2\n\nExplanation: 1 + 1", [("", "2\n\nExplanation: 1 + 1")]),
        ("Which HTML tag takes the user's text?", "Example 1\nOutput: <input>", [("", "<input>")]),
        ("Translate the word.", "Input: drei\nOutput: <output>", [("drei", "")]),
        ("Mark it up.", "Input: Hello\nOutput: <article>Hello</article>", [("Hello", "<article>Hello</article>")]),
    ],
)
def test_what_the_task_asks_for_is_part_of_the_output(task, text, pairs):
    assert pairs_of(input_first(text, False, task)) == pairs


@pytest.mark.parametrize(
    "text",
    [
        "Labels:\n\n| Label | Input |\n|---|---|\n| harsh | Too salty. |\n| kind | A fine day. |",
        "Class label: harsh\nInput: Too salty.\nExplanation: so\n\nClass label: kind\nInput: A fine day.",
    ],
)
def test_labels_in_a_table_or_with_explanations(text):
    assert pairs_of(output_first(text, False)) == LABELS


@pytest.mark.parametrize(
    "text",
    [
        '<form>\n<input type="range">\n<output>50</output>\n</form>',
        "Use `<output>` tags:\n<output>hello</output>",
        "This season is about comfort.\n\nIn: wide jeans\nOut: skinny jeans",
        "| Input | Output |\n|---|---|\n| 1 | one |\n| 2 | two | three |",
        "| Input A | Input B | Output |\n|---|---|---|\n| 0 | 1 | 1 |",
        "| Input | Year | Output |\n|---|---|---|\n| 0 | 1 | 1 |",
        "| Input | Input | Output |\n|---|---|---|\n| 0 | 1 | 1 |",
    ],
)
def test_html_lists_and_other_tables_are_outputs(text):
    assert [(one.input, one.output) for one in input_first(text, False)] == [("", text)]
