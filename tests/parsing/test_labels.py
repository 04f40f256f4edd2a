"""Labels and scores in answers as models write them; nothing is guessed.

The forms are those of public answers: chain of thought that ends in "So the answer is (b)" (google-research,
distilling-step-by-step), "[[rating]]" (lm-sys/FastChat, llm_judge), a number on the first line (gpt4life/alpagasus),
"Score: 4/5" (distilabel's UltraFeedback), bold labels and JSON in a fence (many).
"""

import pytest

from selfinstruct.parsing.labels import read_label, read_rationale, read_score

MAIL = ("spam", "not spam")
MOOD = ("positive", "negative", "neutral")
LETTERS = ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "labels", "label"),
    [
        ("spam", MAIL, "spam"),
        (" Not Spam.\n", MAIL, "not spam"),
        ("NOT_SPAM", MAIL, "not spam"),
        ("**Label:** Not spam.", MAIL, "not spam"),
        ("It is not spam.", MAIL, "not spam"),
        ("This is spam.", MAIL, "spam"),
        ("It isn't spam.", MAIL, None),
        ('{"label": "SPAM"}', MAIL, "spam"),
        ('```json\n{"class": "negative"}\n```', MOOD, "negative"),
        ('{"rationale": "It praises.", "label": "positive"}', MOOD, "positive"),
        ('{"label": "mixed"}', MOOD, None),
        ("1. positive", MOOD, "positive"),
        ("positive or negative", MOOD, None),
        ("label: positive/negative", MOOD, None),
        ("The answer is positive, not negative.", MOOD, "positive"),
        ("Nothing negative in it.\n\nAnswer: **positive**", MOOD, "positive"),
        ("Positive\n\nIt praises the food; nothing is negative.", MOOD, "positive"),
        ("I would say it is neither positive nor negative.", MOOD, None),
        ("The sentiment is neutral.", MOOD, "neutral"),
        ("<think>negative?</think>\npositive", MOOD, "positive"),
        ("Birds fly and fish swim. So the answer is (b).", LETTERS, "b"),
        ("(B)", LETTERS, "b"),
        ("Answer: A resident asks for help.", LETTERS, None),
        ("Answer: A. The resident asks for help.", LETTERS, "a"),
        ("A good answer would be longer.", LETTERS, None),
        ("The text can be classified as: neutral", MOOD, "neutral"),
        ("中立", ("积极", "消极", "中立"), "中立"),
        ("Label: 中立。", ("积极", "消极", "中立"), "中立"),
        ("mixed", MOOD, None),
        ("", MOOD, None),
        ('["positive", "negative"]', MOOD, None),
        ('{"labels": ["positive", "neutral"]}', MOOD, None),
        ('{"label": ["positive"]}', MOOD, "positive"),
        ('{"sentiment": "positive"}', MOOD, "positive"),
        ("positive\nnegative\nneutral", MOOD, None),
        ("Label: positive, neutral", MOOD, None),
        ("Label: positive & negative", MOOD, None),
        ("Label: non-negative", MOOD, None),
        ("Positive, because the food is good.", MOOD, "positive"),
        ("Positive, but the service is negative.", MOOD, None),
        ("This is a bug, as any feature request would say.", ("bug", "feature request"), None),
        ("feature-request", ("bug", "feature request"), "feature request"),
        ("Yes, it does.", ("yes", "no"), "yes"),
        ("A. The lamp is broken.", LETTERS, "a"),
        ("1. First, both texts are read.", ("1", "2"), None),
        ("I cannot help with that.", MOOD, None),
    ],
)
def test_the_one_label_that_an_answer_chooses(text, labels, label):
    assert read_label(text, labels) == label


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("4", 4), ("**4**", 4), ("4.5\nIt is clear.", 4.5), ("4,5", 4.5), ("4/5", 4), ("4 out of 5", 4),
        ("Score: 4/5", 4), ("Rating: [[3]]", 3), ("I would give it 3.5 points.", 3.5), ('{"score": 2}', 2),
        ('{"rationale": "2 errors", "score": 3}', 3), ("2 of the 3 facts are wrong.\n\nScore: 2", 2),
        ("<think>5?</think>1", 1),
        ("Score (1-5): 4", 4), ("4 - good", 4), ("Two errors, 3 typos.\n\n4", 4),
        ("Score: 3-4", None), ("4\n\n2", None), ("1.5123456789012", 1.5123456789012),
        ("7", None), ("4/10", None), ("-1", None), ("five", None), ("3, 4", None), ("Between 3 and 4.", None),
        ("Score: 9", None), ("", None),
    ],
)  # fmt: skip
def test_the_one_number_that_an_answer_gives(text, score):
    assert read_score(text, 1, 5) == score


def test_numbers_of_other_scales():
    assert read_score("−1", -2, 2) == -1
    assert read_score("0.123456789", 0, 1) == 0.123456789
    assert read_score(".8", 0, 1) == 0.8
    assert read_score("10,000", 0, 10_000) == 10_000


@pytest.mark.parametrize(
    ("text", "rationale"),
    [
        ('{"rationale": "It rains.", "label": "wet"}', "It rains."),
        ("Rationale: It rains.\nLabel: wet", "It rains."),
        ("It rains.\nSo the ground is wet. Label: wet", "It rains.\nSo the ground is wet."),
        ("**Reasons:** It rains.\n\n**Label:** wet", "It rains."),
        ("wet", ""),
    ],
)
def test_the_reasons_above_a_choice(text, rationale):
    assert read_rationale(text) == rationale


@pytest.mark.parametrize("mark", ["label: ", "a", "(", "[[", "{", "\n", "1", "is ", "*", "not ", "answer is "])
def test_long_answers_are_read_at_once(mark):
    text = mark * (100_000 // len(mark))
    read_label(text, MOOD)
    read_score(text, 1, 5)
    read_rationale(text)
