"""Echoes of the prompt. The texts are those of the shipped prompts, as SmolLM2-135M gives them back."""

from pathlib import Path

import pytest

from selfinstruct.asking.prompts import shipped
from selfinstruct.pool.shown import Shown
from selfinstruct.records import Instance, SeedTask

PROMPTS = {f"chat/{path.stem}": path.read_text() for path in Path(shipped("prompts"), "chat").glob("*.jinja")}
SEED = SeedTask("s", "", "Sort them.", (Instance("pear, fig, apple", "apple\n\nfig\npear"),), False)
SHOWN = Shown(PROMPTS, ("chat/propose",), [SEED])


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("Do not repeat a task shown or change only a few of its words.", "chat/propose"),
        (
            "nothing to look at or listen to, no links to open, nothing to run, no waiting, no actions in the world",
            "chat/propose",
        ),
        ("Find the bug in this Python function.", None),  # classify's, which no proposal has seen
        ("Mix requests, questions, roles to play", None),  # a part of a sentence
        ("First new task", None),  # too short to tell
        ("Convert the time from the 24-hour clock to the 12-hour clock.", None),
        ("Name a river. Name a lake.", None),
        ("", None),
    ],
)
def test_instructions_that_the_prompt_says(text, prompt):
    assert SHOWN.saying(text) == prompt


@pytest.mark.parametrize(
    ("given", "output", "prompt"),
    [
        ("7:45 pm", "19:45", "chat/input_first"),
        ("Stand-up\nLena is fixing the login page today. Omar tests it tomorrow.",
         "Lena: fix the login page (today)\n\nOmar: test the login page (tomorrow)", "chat/input_first"),
        ("", "Lena: fix the login page (today)", None),  # too short without an input
        ("", "1. Rent and extras: which bills are included, and how often the rent may go up.", "chat/input_first"),
        ("", "apple\n\nfig\npear", None),  # the output of a seed that has an input
        ("pear, fig, apple", "apple\nfig\npear", "seeds"),
        ("7:45 pm", "19:46", None),
        ("", "fix the login page (today)", None),  # a part of a line
        ("apple", "apple", None),
    ],
)  # fmt: skip
def test_instances_that_the_prompt_shows(given, output, prompt):
    assert SHOWN.demonstrating(given, output) == prompt


def test_a_label_first():
    assert Shown({"p": "Class label: joyful mood\nInput: We won the cup!"}).demonstrating(
        "We won the cup!", "joyful mood"
    )
