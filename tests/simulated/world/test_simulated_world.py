"""The simulated world of tasks: what it composes it understands, and what it answers is right."""

import os
import random
import re
import subprocess
import sys

import pytest
from rapidfuzz import process
from rapidfuzz.distance import Indel

from selfinstruct.simulated.world.grammar import Family, parts
from selfinstruct.simulated.world.tasks import (
    FAMILIES,
    answer,
    compose,
    compose_task,
    families,
    grade,
    make_instance,
    recognise,
    wrong_answer,
)

DRAWS = 100
BANNED = re.compile(
    r"\b(?:images?|graphs?|pictures?|files?|maps?|draw|plot|go to|videos?|audio|music|flowcharts?|diagrams?)\b", re.I
)
NAMES = families()
CLASSIFYING = tuple(family.name for family in FAMILIES if family.labels)


def test_there_are_enough_families() -> None:
    assert len(NAMES) == len(set(NAMES)) >= 36
    assert len(CLASSIFYING) >= 13


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_every_core_names_every_parameter(family: Family) -> None:
    for core in (*family.orders, *family.questions):
        slots = parts(core)[1::2]
        assert set(family.slots) <= set(slots)
        assert len(slots) == len(set(slots))
        assert re.match("[a-z]+ ", core)
        assert not core.endswith(("?", "."))


@pytest.mark.parametrize("name", NAMES)
def test_composed_instructions_are_understood_and_solved(name: str) -> None:
    rng = random.Random(name)
    for _ in range(DRAWS):
        instruction, meant = compose_task(name, rng)
        task = recognise(instruction)
        assert task == meant, instruction
        assert recognise("  " + instruction.upper().replace(" ", " \n ").rstrip(".") + " ") == meant
        for label in task.labels or (None,):
            given, output = make_instance(task, rng, label)
            assert label in (None, output)
            assert (given != "") == task.needs_input
            assert not given.endswith(":")
            assert not output.endswith(":")
            assert output.strip()
            assert output != given
            assert answer(instruction, given) == output
            assert grade(instruction, given, output) == "right"
            assert grade(instruction, given, f'  "{output}".\n') == "right"
            wrong = wrong_answer(instruction, given, rng)
            assert wrong
            assert grade(instruction, given, wrong) == "wrong"
            if task.is_classification:
                assert wrong in task.labels
                assert grade(instruction, given, output.upper()) == "right"


@pytest.mark.parametrize("name", NAMES)
def test_instances_of_one_task_differ(name: str) -> None:
    rng = random.Random(name)
    _, task = compose_task(name, rng)
    inputs = {make_instance(task, rng)[0] for _ in range(100)}
    assert len(inputs) >= 90 if task.needs_input else inputs == {""}


def test_instructions_survive_the_usual_filters() -> None:
    rng = random.Random(0)
    drawn = set()
    for _ in range(5000):
        instruction = compose(rng)
        task = recognise(instruction)
        assert task
        drawn.add(task.family)
        assert not BANNED.search(instruction), instruction
        assert 5 <= len(instruction.split()) <= 60, instruction
        assert re.match("[A-Z]", instruction), instruction
        assert instruction.isascii()
        assert instruction.endswith((".", "?"))
        assert "\n" not in instruction
        assert "  " not in instruction
        assert "{" not in instruction
        assert not instruction.lower().startswith("write a program")
    assert drawn == set(NAMES)


def test_instructions_of_some_families_only() -> None:
    rng = random.Random(3)
    drawn = [recognise(compose(rng, ("parity", "topic"))) for _ in range(50)]
    assert {task.family for task in drawn if task} == {"parity", "topic"}


def test_composed_instructions_are_novel() -> None:
    rng = random.Random(1)
    characters: dict[str, str] = {}
    pool: list[str] = []
    for _ in range(3000):
        words = re.findall("[a-z0-9]+", compose(rng).lower())
        row = "".join(characters.setdefault(word, chr(0x4E00 + len(characters))) for word in words)
        if not process.extractOne(row, pool, scorer=Indel.normalized_similarity, score_cutoff=0.7 + 1e-9):
            pool.append(row)
    assert len(pool) >= 0.75 * 3000


def test_everything_follows_from_the_generator() -> None:
    code = (
        "import random\n"
        "from selfinstruct.simulated.world.tasks import *\n"
        "rng = random.Random(42)\n"
        "for _ in range(300):\n"
        "    text = compose(rng)\n"
        "    given, output = make_instance(recognise(text), rng)\n"
        "    print([text, given, output, wrong_answer(text, given, rng)])\n"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
    assert runs.pop().count(b"\n") == 300


@pytest.mark.parametrize(
    "instruction",
    [
        "",
        ".",
        "Write a poem about the sea.",
        "Sort the words.",
        "Sort the words below in random order.",
        "Never sort the words below in alphabetical order",
        'Replace the word "zeppelin" with "velvet" in the line below.',
        "What is 3 plus 4000000?",
        "What is 061 plus 2?",
        "Which weekday is 31 March 2020 in the calendar?",
        "Which weekday is 3 Brumaire 2020 in the calendar?",
        "Decide whether the message below is positive or blue.",
    ],
)
def test_other_instructions_are_not_understood(instruction: str) -> None:
    assert recognise(instruction) is None
    assert answer(instruction, "a, b") is None
    assert wrong_answer(instruction, "a, b", random.Random(0)) is None
    assert grade(instruction, "a, b", "a, b") == "unknown"


def test_a_task_without_that_label_is_refused() -> None:
    rng = random.Random(0)
    with pytest.raises(ValueError, match="no instance"):
        make_instance(compose_task("parity", rng)[1], rng, "purple")
    with pytest.raises(ValueError, match="no instance"):
        make_instance(compose_task("add_numbers", rng)[1], rng, "even")


TRUTHS = [
    ("Sort the words below in alphabetical order.", "pear, fig, apple", "apple, fig, pear", "fig, apple, pear"),
    ("Sort the words below in order from Z to A.", "pear, fig, apple", "pear, fig, apple", "apple, fig, pear"),
    ("Line up the words below from longest to shortest.", "fig, apple, pear", "apple, pear, fig", "fig, pear, apple"),
    ("Which of the words below is the shortest?", "fig, apple, pear", "fig", "apple"),
    ("Give the second to last entry of the words below.", "a, b, c, d", "c", "b"),
    ('Which of the words below rhymes with "night"?', "cake, light, moon", "light", "moon"),
    ("Spot the intruder among the words below.", "oak, fern, hammer, moss", "hammer", "oak"),
    ("Join the words below with a hyphen and no spaces.", "a, b, c", "a-b-c", "a b c"),
    ("Could you convert the sentence below to capitals?", "Go home, Ann.", "GO HOME, ANN.", "Go Home, Ann."),
    (
        'Swap "rusty" for "velvet" wherever it occurs in the line below.',
        "A rusty urn.",
        "A velvet urn.",
        "A rusty urn.",
    ),
    ("Abbreviate the title below to the initials of its words.", "Royal Kite Club", "RKC", "RCK"),
    ('What is the plural of "library"?', "", "libraries", "librarys"),
    ('What is the plural of "compass"?', "", "compasses", "compass"),
    ('What is the plural of "chimney"?', "", "chimneys", "chimnies"),
    ('How is "kettle" spelled backwards?', "", "elttek", "eltekt"),
    ("Which e-mail address appears in the line below?", "Ask ann@x.org now.", "ann@x.org", "ann@x.com"),
    ("Count the vowels in the sentence below, meaning a, e, i, o and u.", "Go away, Ann.", "4", "5"),
    ("How many sentences are there in the text below?", "Go home. Now! Why?", "3", "2"),
    ("How many words are there in the sentence below?", "The cat sat down.", "4", "5"),
    ("What is 907 times 50?", "", "45350", "45300"),
    ("What is 15 percent of 240?", "", "36", "24"),
    ("What is the average of the numbers below?", "3, 4, 8", "5", "6"),
    ("Which of the numbers below is the largest?", "9, 100, 27", "100", "9"),
    ("How much is 100 minus 58?", "", "42", "158"),
    (
        "Solve the word problem below and give the final count in digits.",
        "Ann owned 9 hats and then gave away 4 of them.",
        "5",
        "13",
    ),
    (
        "Express the amount below, going from feet to inches, with the unit written out.",
        "3 feet",
        "36 inches",
        "30 inches",
    ),
    ("Write the number below in Roman numerals.", "1987", "MCMLXXXVII", "MDCCCCLXXXVII"),
    ("Translate the number below from Roman into Arabic numerals.", "XLIV", "44", "64"),
    ("Write the number below in English words.", "30412", "thirty thousand four hundred and twelve", "thirty four"),
    ("Write the number below in digits instead of words.", "nine thousand and seven", "9007", "907"),
    ("What is the number below rounded to the nearest hundred if halves go up?", "1250", "1300", "1200"),
    ("Which weekday is 4 March 2021 in the calendar?", "", "Thursday", "Wednesday"),
    ("How many days apart are the two dates below?", "27 February 2024 and 1 March 2024", "3", "2"),
    ("Add 10 days to the date below and keep the notation.", "25 December 1999", "4 January 2000", "5 January 2000"),
    ("What time is it 50 minutes after the time below on a 24-hour clock?", "23:30", "00:20", "24:20"),
    ("Express the time below in the 24-hour form HH:MM.", "12:05 am", "00:05", "12:05"),
    ("Does the note below sound positive or negative?", "What a wonderful day.", "positive", "negative"),
    (
        "Is the line below written in English, German, French, Spanish or Italian?",
        "Mein Nachbar sucht den Käse.",
        "German",
        "French",
    ),
    ("Is the sentence below a question, statement or command?", "Where is the boat?", "question", "command"),
    ("Is the verb of the sentence below in the past, present or future tense?", "Ann will carry it.", "future", "past"),
    ("Is the number below odd or even?", "4178", "even", "odd"),
    ("Is the number below prime or composite?", "221", "composite", "prime"),
    ("Is the year below a leap year or common year?", "1900", "common year", "leap year"),
    ("Is the year below a leap year or common year?", "2000", "leap year", "common year"),
    ("Is the date below a weekday or weekend?", "6 March 2021", "weekend", "weekday"),
    (
        "Assign the date below to spring, summer, autumn or winter, with December to February as winter.",
        "1 December 2001",
        "winter",
        "autumn",
    ),
    ("Are the two words below anagrams of each other, yes or no?", "listen, silent", "yes", "no"),
    ("Is the word below a palindrome, yes or no?", "Rotator", "yes", "no"),
    ("Do the two words below rhyme with each other, no or yes?", "lamp, stand", "no", "yes"),
]


@pytest.mark.parametrize(("instruction", "given", "right", "wrong"), TRUTHS)
def test_known_truths(instruction: str, given: str, right: str, wrong: str) -> None:
    assert answer(instruction, given) == right
    assert grade(instruction, given, right) == "right"
    assert grade(instruction, given, wrong) == "wrong"


@pytest.mark.parametrize(
    ("instruction", "given"),
    [
        ("Sort the words below in alphabetical order.", "nonsense"),
        ("Sort the words below in alphabetical order.", ""),
        ("Is the number below odd or even?", "seven"),
        ("How many days apart are the two dates below?", "31 April 2020 and 2 May 2020"),
        ("Translate the number below from Roman into Arabic numerals.", "IIII"),
        ("Does the message below sound positive or negative?", "The lamp stands there."),
        ("Write the number below in digits instead of words.", "seven eleven"),
    ],
)
def test_inputs_of_another_kind_are_not_graded(instruction: str, given: str) -> None:
    assert recognise(instruction) is not None
    assert answer(instruction, given) is None
    assert grade(instruction, given, "x") == "unknown"


JUNK = (
    *("", " ", ".", ", ", "a", "?", "?, ?", "1, ?", "²", "٣, ٤", "-3", "3.5", "{}", "[1]", '{"a": 1}', "a=b=c", "=; ="),
    *(
        "9" * 5000,
        "1, " * 50,
        "[" * 20_000,
        "thousand " * 500,
        "zero hundred",
        "IIII",
        "MMMMM",
        "\x00",
        "éé, ü",
        "a, a",
    ),
    *("31 April 2020", "1 May 0000", "31 December 9999", "99:99", "13:00 pm", "one two", "4 and 4", "5 feet", "Wort?!"),
)


@pytest.mark.parametrize("name", NAMES)
def test_no_input_breaks_a_solver(name: str) -> None:
    rng = random.Random(name)
    for given in JUNK:
        instruction, _ = compose_task(name, rng)
        assert grade(instruction, given, "junk") in ("wrong", "unknown")
        wrong = wrong_answer(instruction, given, rng)
        assert wrong is None or grade(instruction, given, wrong) == "wrong"
