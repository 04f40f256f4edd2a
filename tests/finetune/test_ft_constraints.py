"""The checkable constraints: each check at its boundary, and prompts whose constraints can all be kept to."""

import json
from random import Random

import pytest

from finetune.evaluation.constraint_kinds import KINDS, LANGUAGES
from finetune.evaluation.constraints import Check, compose, prompts

WORDS = {
    "Arabic": "أزرق", "Armenian": "կապույտ", "Bengali": "নীল", "Chinese": "蓝色", "Georgian": "ლურჯი",
    "Greek": "μπλε", "Hebrew": "כחול", "Hindi": "नीला", "Japanese": "あおい", "Korean": "파란", "Russian": "синий",
    "Tamil": "நீலம்", "Thai": "สีฟ้า",
}  # fmt: skip


def kept(checks):
    """An answer that keeps to all of the checks of one prompt."""
    asked = {check.kind: check.parameters for check in checks}
    word = WORDS[asked["language"]["language"]] if "language" in asked else "blue"
    said = [word]
    said += [word] * asked.get("words_at_least", {"n": 0})["n"]
    said += [f"[{word}]"] * asked.get("placeholders", {"n": 0})["n"]
    said += [f"*{word}*"] * asked.get("highlights", {"n": 0})["n"]
    said += ["BLUE"] * asked.get("capitals_at_least", {"n": 0})["n"]
    said += asked.get("includes", {}).values()
    if "keyword_at_least" in asked:
        said += [asked["keyword_at_least"]["word"]] * asked["keyword_at_least"]["n"]
    if "letter_at_least" in asked:
        said += [asked["letter_at_least"]["letter"] * asked["letter_at_least"]["n"]]
    text = " ".join(said) + "." + f" {word}." * (asked.get("sentences_at_least", {"n": 1})["n"] - 1)
    if "starts" in asked:
        text = f"{asked['starts']['phrase']} {text}"
    if "title" in asked:
        text = f"<<{word}>>\n{text}"
    for kind, line in (("bullets", "- {}"), ("numbered", "{}. "), ("sections", "Section {}\n")):
        for n in range(1, asked.get(kind, {"n": 0})["n"] + 1):
            text += "\n" + line.format(n) + word
    if "paragraphs" in asked:
        text += f"\n\n{word}" * (asked["paragraphs"]["n"] - 1)
    if "paragraph_start" in asked:
        n, k, first = asked["paragraph_start"].values()
        text = "\n\n".join([text, *(first if place == k else word for place in range(2, n + 1))])
    if "alternatives" in asked:
        text += f"\n******\n{word}"
    if "json" in asked:
        text = json.dumps([text], ensure_ascii=False)
    if "ends" in asked:
        text += f" {asked['ends']['phrase']}"
    if "postscript" in asked:
        text += f"\n{asked['postscript']['mark']} {word}"
    if "quoted" in asked:
        text = f'"{text}"'
    return text.lower() if "lower" in asked else text.upper() if "upper" in asked else text


# Of each kind, answers that break it by as little as possible.
BREACHES = {
    "words_at_least": lambda n: ["blue " * (n - 1), "blue - " * (n - 1)],
    "words_at_most": lambda n: ["blue " * (n + 1)],
    "sentences_at_least": lambda n: ["Blue. " * (n - 1), "Mr. Blue is here. " * (n - 1), "1. Blue?\n" * (n - 1)],
    "sentences_at_most": lambda n: ["Blue. " * (n + 1), "Blue! " * n + "and so on", "青。" * (n + 1)],
    "paragraphs": lambda n: ["blue\n\n" * (n - 1), "blue\n\n" * (n + 1), "blue\n" * n],
    "paragraph_start": lambda n, k, word: [
        "\n\n".join(["blue"] * n),
        "\n\n".join([word] * (n - 1)),
        "\n\n".join([word + "ish"] * n),
    ],
    "bullets": lambda n: ["- blue\n" * (n - 1), "* blue\n" * (n + 1), "-blue\n" * n, "-\n" * n],
    "numbered": lambda n: ["1. blue\n" * n, "\n".join(f"{i}. blue" for i in range(1, n)), "2. a\n1. b"],
    "sections": lambda n: ["Section 1\nblue\n" * n, "Section\n" * n],
    "alternatives": lambda: ["blue", "blue\n******\nblue", "a ****** b", "a\n******\nb\n******\nc", "******\nblue"],
    "json": lambda: ['{"a": 1', 'Here: {"a": 1}', '"blue"', "[" * 100_000, "```json\n{\n```", "{'a': 1}"],
    "includes": lambda word, other: [word, other, f"{word}s {other}s"],
    "excludes": lambda word: [f"It is {word.upper()}!", word],
    "keyword_at_least": lambda word, n: [f"{word} " * (n - 1), word * n],
    "letter_at_least": lambda letter, n: [letter * (n - 1), "0"],
    "lower": lambda: ["blue Blue", "123"],
    "upper": lambda: ["BLUE blue", "123"],
    "capitals_at_least": lambda n: ["BLUE " * (n - 1) + "I A Blue", "Blue " * n],
    "starts": lambda phrase: [f"Well. {phrase} blue", phrase[:-1]],
    "ends": lambda phrase: [f"{phrase} Bye.", phrase[:-1]],
    "quoted": lambda: ['"blue', 'blue"', '"', '""', "'blue'"],
    "no_commas": lambda: ["red, blue", "红,蓝"],
    "title": lambda: ["<blue>", "<<>>", "<< >>", "<<bl\nue>>"],
    "postscript": lambda mark: ["blue", f"see {mark} blue", mark],
    "placeholders": lambda n: ["[blue] " * (n - 1) + "[]", "[[]]" * n],
    "highlights": lambda n: ["*blue* " * (n - 1), "* blue\n" * 2 * n, "**" * n, "******\n" * n],
    "language": lambda language: ["blue", "123", f"{WORDS[language]} and the rest in English"],
}


@pytest.mark.parametrize("name", KINDS)
def test_each_check_accepts_what_keeps_to_it_and_rejects_what_just_does_not(name):
    for seed in range(30):
        check = Check(name, KINDS[name].draw(Random(seed)))
        answer = kept([check])
        assert check.holds(answer), (check, answer)
        assert check.holds(f"\n {answer} \n")
        for breach in BREACHES[name](**check.parameters):
            assert not check.holds(breach), (check, breach)
        assert not check.holds("  \n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_told_from_all_others(language):
    check = Check("language", {"language": language})
    assert [other for other, word in WORDS.items() if check.holds(f"{word}, 1 {word}!")] == [language]


def test_the_constraints_of_a_prompt_can_all_be_kept_to():
    pairs = set()
    for prompt in prompts(3000):
        answer = kept(prompt.checks)
        assert all(check.holds(answer) for check in prompt.checks), (prompt, answer)
        pairs |= {(one.kind, other.kind) for one in prompt.checks for other in prompt.checks}
    assert len(pairs) > 400  # of 27 * 27, those that cannot go together left out


def test_each_kind_comes_up_and_every_parameter_is_in_its_wording():
    seen = {check.kind for prompt in prompts(300) for check in prompt.checks}
    assert seen == KINDS.keys()
    for kind in KINDS.values():
        drawn = kind.draw(Random(1))
        for wording in kind.wordings:
            assert all(str(value) in wording.format(**drawn) for value in drawn.values()), wording


def test_prompts_are_the_same_for_the_same_seed_and_more_begin_with_the_same():
    assert prompts(5) == prompts(9)[:5]
    assert prompts(5) != prompts(5, seed=1)
    assert compose(Random(3)) == compose(Random(3))
    assert json.loads(json.dumps([check._asdict() for check in prompts(9)[2].checks]))


def test_loosely_the_first_and_last_line_and_asterisks_do_not_count():
    small = Check("lower", {})
    assert not small.holds("Sure! Here it is:\nall small\nAnything else?")
    assert small.holds_loosely("Sure! Here it is:\nall small\nAnything else?")
    assert not small.holds_loosely("Sure!\nHere it is:\nall small")
    start = Check("starts", {"phrase": "In short"})
    assert not start.holds("**In** short, blue.")
    assert start.holds_loosely("**In** short, blue.")
    assert Check("json", {}).holds_loosely("Of course:\n[1]")
    assert not small.holds_loosely("Only one line, which is not to be taken off")


def test_json_may_stand_in_a_code_fence():
    assert Check("json", {}).holds('```json\n{"a": [1]}\n```')
    assert Check("json", {}).holds("```\n[]\n```")
