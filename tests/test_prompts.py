"""Prompts: the shipped ones render as the parsers and models need them; mistakes in a user's own are explained."""

import re
import shutil

import pytest

from selfinstruct.errors import UsageError
from selfinstruct.parsing import input_first, numbered_items, output_first
from selfinstruct.prompts import PROMPT_NAMES, Prompts, read_prompts, shipped

VARIABLES = {
    "demonstrations": ["Name three rivers of Asia.", "Say whether the review is kind or harsh."],
    "n_new": 8,
    "instruction": "List the verbs of the sentence.",
    "n_instances": 3,
}
STRANGE = (
    "Explain {{ user.name }} & {% if x %} in <b>Jinja</b> {# really #}, "
    "then \"quote\" 'it' \\n 100% – für 河 as $x_1$.\nSecond line ends here."
)


@pytest.fixture(scope="module")
def prompts():
    return Prompts(read_prompts(shipped("prompts"), {"chat", "completion"}))


@pytest.fixture
def folder(tmp_path):
    """A folder of prompts of one's own, which a test may spoil."""
    return shutil.copytree(shipped("prompts"), tmp_path / "prompts")


def test_only_the_endpoints_in_use_are_read():
    assert set(read_prompts(shipped("prompts"), {"chat"})) == {f"chat/{name}" for name in PROMPT_NAMES}


@pytest.mark.parametrize("endpoint", ["chat", "completion"])
@pytest.mark.parametrize("name", PROMPT_NAMES)
def test_every_shipped_prompt_renders(prompts, endpoint, name):
    system, user = prompts.render(f"{endpoint}/{name}", **VARIABLES)
    for text in (system, user):
        assert text
        assert text == text.strip()
        assert not re.search(r"\{[{%#]|[#%}]\}", text)
        assert not re.search(r"\n{4,}", text)
    shown = VARIABLES["demonstrations"] if name == "propose" else [VARIABLES["instruction"]]
    assert all(text in user for text in shown)


@pytest.mark.parametrize("name", ["chat/propose", "chat/classify", "chat/input_first", "completion/classify"])
def test_the_system_text_stays_the_same_during_a_run(prompts, name):
    other = {**VARIABLES, "demonstrations": ["Sort the words."], "instruction": "Sort the words.", "n_new": 2}
    assert prompts.render(name, **VARIABLES)[0] == prompts.render(name, **other)[0]
    assert prompts.render(name, **VARIABLES)[1] != prompts.render(name, **other)[1]


@pytest.mark.parametrize("endpoint", ["chat", "completion"])
def test_the_class_is_asked_with_twelve_yes_and_nineteen_no(prompts, endpoint):
    system, _ = prompts.render(f"{endpoint}/classify", **VARIABLES)
    verdicts = re.findall(r"^(?:Answer:|Is it a classification task\?) (Yes|No)$", system, re.MULTILINE)
    assert (verdicts.count("Yes"), verdicts.count("No"), len(verdicts)) == (12, 19, 31)
    assert len(re.findall(r"^Task: ", system, re.MULTILINE)) == 31


def test_both_endpoints_show_the_same_class_examples(prompts):
    shown = []
    for endpoint in ("chat", "completion"):
        system, _ = prompts.render(f"{endpoint}/classify", **VARIABLES)
        shown.append(re.findall(r"^Task: (.*)\n(?:Answer:|Is it a classification task\?) (\w+)$", system, re.MULTILINE))
    assert shown[0] == shown[1]
    assert len(shown[0]) == 31


def test_the_demonstrations_are_numbered_and_the_new_numbers_asked_for(prompts):
    _, user = prompts.render("chat/propose", **VARIABLES)
    assert "1. Name three rivers of Asia.\n2. Say whether the review is kind or harsh.\n" in user
    assert user.endswith("Write 8 more tasks, numbered 3 to 10, one per line.")


def test_a_base_model_goes_on_from_the_last_character(prompts):
    ends = {name: prompts.render(f"completion/{name}", **VARIABLES)[1].splitlines()[-1] for name in PROMPT_NAMES}
    assert ends == {
        "propose": "3.",
        "classify": "Is it a classification task?",
        "input_first": "Example 1",
        "output_first": "Class label:",
    }


def test_a_chat_model_is_asked_for_the_form_that_is_read(prompts):
    assert prompts.render("chat/classify", **VARIABLES)[1].endswith("Answer Yes or No.")
    assert "up to 3 examples" in prompts.render("chat/input_first", **VARIABLES)[1]
    assert "up to 3 examples" in prompts.render("chat/output_first", **VARIABLES)[1]


@pytest.mark.parametrize("endpoint", ["chat", "completion"])
@pytest.mark.parametrize(("name", "read"), [("input_first", input_first), ("output_first", output_first)])
def test_the_examples_that_a_prompt_shows_are_read_as_they_are_meant(prompts, endpoint, name, read):
    system, _ = prompts.render(f"{endpoint}/{name}", **VARIABLES)
    shown = re.split(r"^Task: .*\n", system, flags=re.MULTILINE)[1:]
    shown = [examples.strip().removesuffix("---") for examples in shown]
    assert len(shown) >= 5
    for examples in shown:
        instances = read(examples, False)
        marks = re.findall(r"^(?:Example \d|Class label:)", examples, re.MULTILINE)
        assert len(instances) == len(marks)
        assert all(instance.output for instance in instances)
        inputs = re.findall(r"^Input:", examples, re.MULTILINE)
        assert sum(bool(instance.input) for instance in instances) == len(inputs)
    assert any(not instance.input for examples in shown for instance in read(examples, False))


def test_the_proposal_prompts_are_read_as_lists_where_a_model_repeats_them(prompts):
    _, user = prompts.render("chat/propose", **VARIABLES)
    assert [item.text for item in numbered_items(user, False)] == VARIABLES["demonstrations"]


@pytest.mark.parametrize("endpoint", ["chat", "completion"])
@pytest.mark.parametrize("name", PROMPT_NAMES)
def test_an_instruction_survives_letter_by_letter(prompts, endpoint, name):
    _, user = prompts.render(
        f"{endpoint}/{name}", demonstrations=[STRANGE], n_new=8, instruction=STRANGE, n_instances=3
    )
    assert STRANGE in user


# A user's own prompts.


def test_a_prompt_of_ones_own_is_used(folder):
    path = folder / "chat" / "classify.jinja"
    path.write_text("{% block system %}Be brief.{% endblock %}{% block user %}Is “{{ instruction }}” it?{% endblock %}")
    texts = read_prompts(folder, {"chat"})
    assert Prompts(texts).render("chat/classify", instruction="Sort it.") == ("Be brief.", "Is “Sort it.” it?")


def test_a_missing_file_is_named_with_the_place_of_the_shipped_one(folder):
    (folder / "chat" / "classify.jinja").unlink()
    with pytest.raises(UsageError, match=r"classify\.jinja: cannot be read") as caught:
        read_prompts(folder, {"chat"})
    assert str(shipped("prompts")) in str(caught.value)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_prompts(tmp_path / "nowhere", {"completion"})


def test_a_file_that_is_no_text_is_named(folder):
    (folder / "chat" / "propose.jinja").write_bytes(b"{% block system %}\xff{% endblock %}")
    with pytest.raises(UsageError, match=r"propose\.jinja: cannot be read"):
        read_prompts(folder, {"chat"})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{% block system %}a{% endblock %}\n\n{% block user %}{{ instruction }{% endblock %}", 3),
        ("{% block system %}a{% endblock %}\n{% block user %}\n{% for x in y %}\n{% endblock %}", 4),
        ("{% block system %}a{% endblock %}\n{% block user %}{{ instruction|shout }}{% endblock %}", 2),
        ("{% block system %}a", 1),
    ],
)
def test_a_syntax_error_is_named_with_file_and_line(folder, text, line):
    path = folder / "chat" / "input_first.jinja"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_prompts(folder, {"chat"})
    assert str(caught.value).startswith(f"{path}, line {line}: ")


@pytest.mark.parametrize(
    "text",
    [
        "{% block system %}a{% endblock %}{% block user %}{{ instrucion }}{% endblock %}",
        "{% block system %}{{ instruction }}{% endblock %}{% block user %}{{ instruction }}{% endblock %}",
        "{% block system %}a{% endblock %}{% block user %}{{ demonstrations.first.text }}{% endblock %}",
    ],
)
def test_an_unknown_variable_is_named_with_the_known_ones(folder, text):
    path = folder / "chat" / "output_first.jinja"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_prompts(folder, {"chat"})
    assert str(caught.value).startswith(f"{path}: ")
    assert "may use instruction, n_instances in its user block" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("{% block user %}{{ instruction }}{% endblock %}", "system"),
        ("{% block system %}a{% endblock %}", "user"),
        ("Task: {{ instruction }}", "system"),
        ("", "system"),
    ],
)
def test_a_missing_block_is_named(folder, text, block):
    path = folder / "chat" / "classify.jinja"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_prompts(folder, {"chat"})
    assert str(caught.value) == f"{path}: has no block '{block}'. It needs a system and a user block."


@pytest.mark.parametrize("expression", ["{{ n_new / 0 }}", "{{ n_new + 'x' }}", "{% include 'other.jinja' %}"])
def test_any_other_mistake_in_a_prompt_is_named_with_its_file(folder, expression):
    path = folder / "chat" / "propose.jinja"
    path.write_text(f"{{% block system %}}a{{% endblock %}}{{% block user %}}{expression}{{% endblock %}}")
    with pytest.raises(UsageError, match=r"propose\.jinja"):
        read_prompts(folder, {"chat"})


@pytest.mark.parametrize(
    ("name", "user", "expected"),
    [
        ("classify", "Is it one?", "does not show the instruction"),
        ("propose", "Write {{ n_new }} tasks.", "does not show the demonstrations"),
        ("propose", "{{ demonstrations|random }} {{ range(10**9)|random }}", "another text each time"),
        (
            "propose",
            "{% if demonstrations|length > 3 %}{{ typo }}{% endif %}{{ demonstrations }}",
            "'typo' is undefined",
        ),
    ],
)
def test_a_prompt_that_could_not_work_is_refused_before_the_run(folder, name, user, expected):
    path = folder / "chat" / f"{name}.jinja"
    path.write_text(f"{{% block system %}}a{{% endblock %}}{{% block user %}}{user}{{% endblock %}}")
    with pytest.raises(UsageError, match=expected) as caught:
        read_prompts(folder, {"chat"})
    assert str(path) in str(caught.value)
