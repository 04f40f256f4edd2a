"""Formulas whose backslash JSON would take for an escape."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfinstruct.parsing.json_answers import json_rows
from selfinstruct.rows.encodings import control_character, without_control_characters
from selfinstruct.rows.escapes import meant, restored

# What a model writes between quotes; what it means.
WRITTEN = [
    (r"\frac{a}{b}", r"\frac{a}{b}"),
    (r"3 \times 4 = \theta", r"3 \times 4 = \theta"),  # THU-MAIC/OpenMAIC#658
    (r"the wave $\nu$ and \beta", r"the wave $\nu$ and \beta"),  # the same
    (r"$$\mathrm{F}_1$$", r"$$\mathrm{F}_1$$"),  # mangiucugna/json_repair#74
    (r"\underbrace{x} and \nabla f", r"\underbrace{x} and \nabla f"),  # AgentToolkit/altk-evolve#318
    (r"\(K_\alpha\)-lines", r"\(K_\alpha\)-lines"),  # marcusgreen/moodle-qtype_aitext#53
    (r"\begin{align*} a \\neq b \end{align*}", r"\begin{align*} a \neq b \end{align*}"),
    (r"\left( x \right) \rightarrow \rho", r"\left( x \right) \rightarrow \rho"),
    (r"x \to 0, A \ne B, \text{so}", r"x \to 0, A \ne B, \text{so}"),
    (r"\bword\b and \d+", r"\bword\b and \d+"),
    (r"\\frac already \\times right", r"\frac already \times right"),
    (r"a line\nand another\tcolumn\r\nequal \u00e9 \" \/", "a line\nand another\tcolumn\r\nequal é \" /"),
    (r"def f():\n\treturn x\n\tto = tan\n\ttan = to", "def f():\n\treturn x\n\tto = tan\n\ttan = to"),
    (r"eggs\nu nás\ne poi\nexists", "eggs\nu nás\ne poi\nexists"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "text"), WRITTEN)
@pytest.mark.parametrize("form", ['{{"tasks": ["{}"]}}', '```json\n[\n  "{}",\n]\n```', '["{}"'])
def test_a_formula_in_json_is_read_as_it_was_meant(written, text, form):
    assert json_rows(form.format(written)) == [text]


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("so \x0crac{1}{2} and \x08oxed{7}", r"so \frac{1}{2} and \boxed{7}"),
        ("3 \times 4, \text{so} and \theta", r"3 \times 4, \text{so} and \theta"),
        ("where a\neq b and x\nabla f", r"where a\neq b and x\nabla f"),
        ("\x0crac{1}{2}", r"\frac{1}{2}"),
        ("(x \right)", r"(x \right)"),
    ],
)
def test_a_formula_that_was_decoded_is_found_and_restored(text, fixed):
    assert control_character(text)
    assert without_control_characters(text) == fixed
    assert not control_character(fixed)


@pytest.mark.parametrize(
    "text", ["page one\n\fPage two", "a\tbee\r\nright\nequal", "\tif x:\n\t\ttry", "\n\nabout", "x\f\n"]
)
def test_tabs_line_ends_and_pages_stay(text):
    assert control_character(text) is None
    assert without_control_characters(text) == restored(text) == text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\b\f"), max_size=40))
def test_sound_json_without_commands_is_left_as_it_is(text):
    source = json.dumps({"a": text})
    assert json.loads(meant(source)) == {"a": text}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"C:\new\table", r"C:\new\table"),
        (r"see d:\temp\bin\run.bat.", r"see d:\temp\bin\run.bat."),
        (r"C:\Users\name\notes", r"C:\Users\name\notes"),
        (r"C:\\new\\table", r"C:\new\table"),
        (r"C:\nYes\nD:\nNo", "C:\nYes\nD:\nNo"),
        (r"x:\t5\ty:\t6", "x:\t5\ty:\t6"),
        (r"Name:\tAda\tBo", "Name:\tAda\tBo"),
        (r"C:\nno", "C:\nno"),
    ],
)
def test_a_path_of_windows_has_no_escapes(source, text):
    assert json.loads(f'"{meant(source)}"') == text
