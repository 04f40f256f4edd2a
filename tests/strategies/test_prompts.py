"""Prompts: the shipped ones render as the parsers and models need them; mistakes in a user's own are explained."""

import re
import shutil

import pytest

from selfinstruct.asking.prompts import Prompts, read_prompts, shipped
from selfinstruct.errors import UsageError
from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.lists import numbered_items
from selfinstruct.parsing.verdicts import yes_or_no
from selfinstruct.parsing.whole_tasks import whole_tasks
from selfinstruct.records import Instance, SeedTask
from selfinstruct.strategies import NAMES as STRATEGIES
from tests.conftest import prompt_files, prompts_of

PROMPT_NAMES = {strategy: tuple(prompt.name for prompt in prompts_of(strategy)) for strategy in STRATEGIES}
NAMES = [name for names in PROMPT_NAMES.values() for name in names]
TASKS = ["Name three rivers of Asia.", "Say whether the review is kind or harsh."]
VARIABLES = {
    "demonstrations": TASKS,
    "n_new": 8,
    "instruction": "List the verbs of the sentence.",
    "n_instances": 3,
    "again": False,
}
SEEDS = [
    SeedTask("s1", "", TASKS[0], (Instance("", "Ob, Lena, Indus"), Instance("", "not shown")), False),
    SeedTask("s2", "", TASKS[1], (Instance("Cold soup,\nslow waiter.", "harsh"),), True),
]
STRANGE = (
    "Explain {{ user.name }} & {% if x %} in <b>Jinja</b> {# really #}, "
    "then \"quote\" 'it' \\n 100% – für 河 as $x_1$.\nSecond line ends here."
)


@pytest.fixture(scope="module")
def prompts():
    texts = {}
    for strategy in PROMPT_NAMES:
        texts |= read_prompts(shipped("prompts"), prompt_files(strategy, "chat", "completion"))
    return Prompts(texts)


@pytest.fixture
def folder(tmp_path):
    """A folder of prompts of one's own, which a test may spoil."""
    return shutil.copytree(shipped("prompts"), tmp_path / "prompts")


def variables(name, **changes):
    """What the prompt of that name is filled in with."""
    return {**VARIABLES, **({"demonstrations": SEEDS} if name.endswith("alpaca") else {}), **changes}


@pytest.mark.parametrize("strategy", PROMPT_NAMES)
def test_only_the_endpoints_and_the_strategy_in_use_are_read(strategy):
    texts = read_prompts(shipped("prompts"), prompt_files(strategy, "chat"))
    assert set(texts) == {f"chat/{name}" for name in PROMPT_NAMES[strategy]}


def test_the_strategies_and_their_prompts():
    assert set(PROMPT_NAMES["self-instruct"]) >= {"propose", "classify", "input_first", "output_first"}
    assert PROMPT_NAMES["alpaca"] == ("alpaca",)


@pytest.mark.parametrize(
    ("endpoint", "json"), [("chat", False), ("chat", True), ("completion", False)], ids=["chat", "json", "completion"]
)
@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_prompt_renders(prompts, endpoint, json, name):
    system, user = prompts.render(f"{endpoint}/{name}", json=json, **variables(name))
    for text in (system, user):
        assert text
        assert text == text.strip()
        # A "}}" may end a JSON object in an object, nothing else is left of a template.
        assert not re.search(r"\{[{%#]|[#%]\}", text)
        assert not re.search(r"\n{4,}", text)
    shown = TASKS if name in ("propose", "alpaca") else [VARIABLES["instruction"]]
    assert all(text in user for text in shown)


@pytest.mark.parametrize("name", NAMES)
def test_json_is_asked_for_with_its_fields_and_only_then(prompts, name):
    fields = {
        "propose": '{"tasks": ["',
        "classify": '{"is_classification": true}',
        "input_first": '{"instances": [{"input": "...", "output": "..."}, ...]}',
        "output_first": '{"instances": [{"label": "...", "input": "..."}, ...]}',
        "alpaca": '{"tasks": [{"instruction": "...", "input": "...", "output": "..."}, ...]}',
    }
    system, user = prompts.render(f"chat/{name}", json=True, **variables(name))
    assert fields[name] in system
    assert "JSON" in user
    for endpoint in ("chat", "completion"):
        assert "JSON" not in "".join(prompts.render(f"{endpoint}/{name}", **variables(name)))


def test_the_system_text_in_json_and_in_text_are_kept_apart(prompts):
    texts = [prompts.render("chat/classify", json=json, **VARIABLES)[0] for json in (True, False, True, False)]
    assert texts[0] == texts[2] != texts[1] == texts[3]


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("endpoint", ["chat", "completion"])
@pytest.mark.parametrize("name", NAMES)
def test_the_system_text_stays_the_same_during_a_run(prompts, endpoint, name, json):
    shown = SEEDS[1:] if name == "alpaca" else ["Sort the words."]
    other = variables(name, demonstrations=shown, instruction="Sort the words.", n_new=2, again=True)
    first, second = (prompts.render(f"{endpoint}/{name}", json=json, **v) for v in (variables(name), other))
    assert first[0] == second[0]
    assert first[1] != second[1]


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
    ends = {name: prompts.render(f"completion/{name}", **variables(name))[1].splitlines()[-1] for name in NAMES}
    assert ends == {
        "alpaca": "3. Instruction:",
        "propose": "3.",
        "classify": "Is it a classification task?",
        "input_first": "Example 1",
        "output_first": "Class label:",
    }


def test_an_unclear_class_is_asked_for_in_other_words(prompts):
    first, again = (prompts.render("chat/classify", **variables("classify", again=again))[1] for again in (False, True))
    assert again == first.replace("Answer Yes or No.", "Answer with one word, Yes or No, also where you have to guess.")
    first, again = (
        prompts.render("completion/classify", **variables("classify", again=again))[1] for again in (False, True)
    )
    assert again == first.replace("task?", "task, Yes or No?")


def test_whole_tasks_are_shown_with_their_first_instance_and_numbered_on(prompts):
    shown = (
        "1. Instruction: Name three rivers of Asia.\n1. Input:\n<noinput>\n1. Output:\nOb, Lena, Indus\n###\n"
        "2. Instruction: Say whether the review is kind or harsh.\n2. Input:\nCold soup,\nslow waiter.\n"
        "2. Output:\nharsh\n###\n"
    )
    _, user = prompts.render("chat/alpaca", **variables("alpaca"))
    assert shown in user
    assert user.endswith("Write 8 more tasks, numbered 3 to 10.")
    assert prompts.render("chat/alpaca", json=True, **variables("alpaca"))[1].endswith("Write 8 more tasks, as JSON.")
    _, user = prompts.render("completion/alpaca", **variables("alpaca"))
    assert user == f"###\n{shown}3. Instruction:"


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


def test_the_answers_in_json_that_a_prompt_shows_are_read_as_they_are_meant(prompts):
    system, _ = prompts.render("chat/propose", json=True, **VARIABLES)
    shown = re.search(r"\{.*?\}", system)[0].replace(", ...", "")
    assert [item.text for item in numbered_items(shown, False)] == ["first new task", "second new task"]
    system, _ = prompts.render("chat/classify", json=True, **VARIABLES)
    assert [yes_or_no(text) for text in re.findall(r"\{.*?\}", system)] == [True, False]


def test_the_whole_tasks_that_a_prompt_shows_are_read_where_a_model_repeats_them(prompts):
    _, user = prompts.render("chat/alpaca", **variables("alpaca"))
    listed = user[user.index("1. Instruction") : user.index("###\n\nWrite")]
    assert whole_tasks(listed, False) == [
        (TASKS[0], "", "Ob, Lena, Indus", False), (TASKS[1], "Cold soup,\nslow waiter.", "harsh", False),
    ]  # fmt: skip


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("endpoint", ["chat", "completion"])
@pytest.mark.parametrize("name", NAMES)
def test_an_instruction_survives_letter_by_letter(prompts, endpoint, name, json):
    text = " ".join(STRANGE.split()) if name == "alpaca" else STRANGE
    shown = [SeedTask("s", "", STRANGE, (Instance(STRANGE, STRANGE),), False)] if name == "alpaca" else [STRANGE]
    _, user = prompts.render(
        f"{endpoint}/{name}", json=json, **variables(name, demonstrations=shown, instruction=STRANGE)
    )
    assert text in user
    assert user.count(STRANGE) == (2 if name == "alpaca" else 1)


# A user's own prompts.


def test_a_prompt_of_ones_own_is_used(folder):
    path = folder / "chat" / "classify.jinja"
    path.write_text("{% block system %}Be brief.{% endblock %}{% block user %}Is “{{ instruction }}” it?{% endblock %}")
    texts = read_prompts(folder, prompt_files("self-instruct", "chat"))
    assert Prompts(texts).render("chat/classify", instruction="Sort it.") == ("Be brief.", "Is “Sort it.” it?")


def test_a_missing_file_is_named_with_the_place_of_the_shipped_one(folder):
    (folder / "chat" / "classify.jinja").unlink()
    with pytest.raises(UsageError, match=r"classify\.jinja: no such file") as caught:
        read_prompts(folder, prompt_files("self-instruct", "chat"))
    assert str(shipped("prompts")) in str(caught.value)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_prompts(tmp_path / "nowhere", prompt_files("self-instruct", "completion"))


def test_a_file_that_is_no_text_is_named(folder):
    (folder / "chat" / "propose.jinja").write_bytes(b"{% block system %}\xff{% endblock %}")
    with pytest.raises(UsageError, match=r"propose\.jinja: not UTF-8 text"):
        read_prompts(folder, prompt_files("self-instruct", "chat"))
    (folder / "chat" / "classify.jinja").unlink()
    (folder / "chat" / "classify.jinja").symlink_to("/dev/null")
    with pytest.raises(UsageError, match=r"classify\.jinja: not a regular file"):
        read_prompts(folder, prompt_files("self-instruct", "chat"))


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
        read_prompts(folder, prompt_files("self-instruct", "chat"))
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
        read_prompts(folder, prompt_files("self-instruct", "chat"))
    assert str(caught.value).startswith(f"{path}: ")
    assert "may use instruction, n_instances, again in its user block" in str(caught.value)


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
        read_prompts(folder, prompt_files("self-instruct", "chat"))
    assert str(caught.value) == f"{path}: has no block '{block}'. It must have a system and a user block."


@pytest.mark.parametrize("expression", ["{{ n_new / 0 }}", "{{ n_new + 'x' }}", "{% include 'other.jinja' %}"])
def test_any_other_mistake_in_a_prompt_is_named_with_its_file(folder, expression):
    path = folder / "chat" / "propose.jinja"
    path.write_text(f"{{% block system %}}a{{% endblock %}}{{% block user %}}{expression}{{% endblock %}}")
    with pytest.raises(UsageError, match=r"propose\.jinja"):
        read_prompts(folder, prompt_files("self-instruct", "chat"))


@pytest.mark.parametrize(
    ("name", "user", "expected"),
    [
        ("classify", "Is it one?", "does not show the instruction"),
        ("propose", "Write {{ n_new }} tasks.", "does not show the demonstrations"),
        ("propose", "{{ demonstrations|random }} {{ range(9999)|random }}", "renders differently each time"),
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
        read_prompts(folder, prompt_files("self-instruct", "chat"))
    assert str(path) in str(caught.value)
