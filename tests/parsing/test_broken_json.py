"""JSON with errors, as models make them, and such as to hang a reader."""

import pytest

from selfinstruct.parsing.broken_json import DEEPEST, MOST, broken_values

ROW = {"input": "3 + 4", "output": "seven"}


@pytest.mark.parametrize(
    "text",
    [
        '[{"input": "3 + 4", "output": "seven",},]',
        '[{"input": "3 + 4" "output": "seven"}',
        '[{"input": "3 + 4, "output": "seven"}]',
        "[{'input': '3 + 4', 'output': 'seven'}]",
        '[{input: "3 + 4", output: "seven"}]',
        '[{"input": "3 + 4", // easy\n "output": "seven" /* word */}]',
        '[{"input": "3 + 4"; "output": "seven"}}]',
        '[\n{"input":\n"3 + 4",\n\n"output"  :  "seven"\n}\n',
        '[{"input": "3 + 4", "output": seven}]',
    ],
)
def test_a_row_with_an_error_is_read(text):
    assert broken_values(text)[0][0] == [ROW]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('["He said "no" to it.", "b"]', [["He said \"no\" to it.", "b"]]),
        ('{"a": "He said "no", then left.", "b": "c"}', [{"a": 'He said "no", then left.', "b": "c"}]),
        ('{"a": tru', [{"a": "tru"}]),
        ('{"a": true, "b": None, "c": 3.5, "d": -1}', [{"a": True, "b": None, "c": 3.5, "d": -1}]),
        ('{"a": "x\\ny \\u00e9 \\ud83d\\ude00 \\ud83d"', [{"a": "x\ny é 😀 \ud83d"}]),
        ('{"a": [1, 2', [{"a": [1, 2]}]),
        ('{"a": "it\'s"} and {"b": 1}', [{"a": "it's"}]),
        ("{foo: [}", [{"foo": []}]),  # mangiucugna/json_repair#9
        ('{"a', [{}]), ("no JSON", []), ("", []),
    ],
)  # fmt: skip
def test_what_can_be_told_apart_is(text, values):
    assert broken_values(text)[0] == values


@pytest.mark.parametrize(
    "text",
    [
        '{"":["":"""":}}}s"":',  # mangiucugna/json_repair#156: an endless loop
        '{"a": "x' + ', b' * 20_000,  # mangiucugna/json_repair#203: seconds for 6 KB
        "{" * (DEEPEST - 1),  # microsoft/SkillOpt#136: quadratic
        '"' * 9, "[" + '"a"' * (MOST // 2), '{"a": "' + '\\"' * 50_000, "[/*" + "*" * 50_000,
    ],
    ids=["colons", "fragments", "braces", "quotes", "items", "escapes", "comment"],
)  # fmt: skip
def test_no_text_hangs_the_reader(text):
    assert isinstance(broken_values(text)[0], list)


@pytest.mark.parametrize("text", ["[" * 60, '{"a":' * 60, "[" + "1," * (MOST + 1)])
def test_what_no_answer_looks_like_is_refused(text):
    with pytest.raises(ValueError, match="too"):
        broken_values(text)
