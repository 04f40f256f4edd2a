"""No text makes a parser fail."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.lists import numbered_items
from selfinstruct.parsing.text import MOST_LINES
from selfinstruct.parsing.verdicts import is_refusal, says_no_input, yes_or_no
from selfinstruct.parsing.whole_tasks import whole_tasks

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
        assert not any(one.cut for one in found[:-1])  # the last one may be without the server's word, in JSON
        assert not (cut and found) or found[-1].cut
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


@pytest.mark.parametrize("line", ["\n\t- a", "\n  1. ", "\n1. a\n", "Example 1\nInput: a\nOutput: b\n", "\nCase 1"])
def test_what_a_model_repeats_for_thousands_of_lines_is_not_read(line):
    for read in (numbered_items, input_first, output_first, whole_tasks):
        assert read(line * (MOST_LINES + 1), False) == []
    assert numbered_items("\n1. a" * 9, False)
