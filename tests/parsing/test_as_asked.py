"""What is written as the prompts ask for it is read as it was meant."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.verdicts import is_refusal, says_no_input, yes_or_no
from selfinstruct.parsing.whole_tasks import whole_tasks
from selfinstruct.simulated.mind import answers
from selfinstruct.simulated.mind.structured import as_json
from tests.parsing.reading import pairs_of, texts_of, triples_of

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
