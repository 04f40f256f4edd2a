"""Novelty: the same scores and decisions as the rouge_score package, for every pair of texts and every threshold."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from selfinstruct.pool.novelty import NoveltyIndex, ascii_tokens, rouge_l_f1, tokens
from selfinstruct.records import Neighbor


class Tokenizer:
    """What RougeScorer asks for."""

    def tokenize(self, text):
        return tokens(text)


SCORER = RougeScorer(["rougeL"], use_stemmer=False)
SCORER_OF_ALL_SCRIPTS = RougeScorer(["rougeL"], tokenizer=Tokenizer())

# Few words, so that repeated tokens and ties are frequent; marks and digits, so that tokens are cut as there.
TEXTS = st.lists(
    st.sampled_from(["a", "b", "c", "Sort", "sort", "list", "2nd", "x_y", "don't", "-", "...", "7", "b,a"]),
    max_size=24,
).map(" ".join)
WORDS = st.lists(st.sampled_from("abc"), min_size=1, max_size=40).map(" ".join)
THRESHOLDS = st.one_of(st.sampled_from([-1.0, 0.0, 0.2, 0.5, 2 / 3, 0.7, 0.9, 1.0]), st.floats(-1, 1.1))


SCRIPTS = {
    "English": [f"word{i} " for i in range(40)],
    "repetitions": ["no ", "yes ", "no ", "perhaps ", "no "],
    "Chinese": "列出三条河流的名字并说明它们经哪些国家",
    "Japanese": "川の名前を三つ挙げてその長さ比べください",
    "Thai": "บอกชื่อแม่น้ำสามสายและเปรียบเทียบความยาว",
    "Russian and more": ["Назови ", "три ", "реки ", "नदियों ", "के ", "nombre ", "ríos ", "強", "さ", "أنهار "],
}


def edits(words, length, n, seed):
    """n texts that are edits of one text of `length` words: some words replaced, some left out, some moved."""
    rng = random.Random(seed)
    base = rng.choices(words, k=length)
    texts = []
    for _ in range(n):
        text = list(base)
        for _ in range(rng.randint(0, length)):
            place = rng.randrange(len(text) + 1)
            text[place : place + 1] = rng.choice(([], [rng.choice(words)], text[:1], text[-2:]))
        texts.append("".join(text))
    return texts


def rouge(one, other):
    return SCORER_OF_ALL_SCRIPTS.score(one, other)["rougeL"].fmeasure


def ranking(known, text):
    """All known texts by the package's score, one pair at a time: best first, the first of equals first."""
    return sorted((Neighbor(i, rouge(other, text)) for i, other in enumerate(known)), key=lambda near: -near.score)


def brute_force(known, text, above):
    """The published rule: the most similar text above the threshold, the first of equals."""
    return next((near for near in ranking(known, text)[:1] if near.score > above), None)


def index_of(known):
    index = NoveltyIndex()
    for text in known:
        index.add(text)
    return index


@given(TEXTS, TEXTS)
@settings(max_examples=200, deadline=None)
def test_the_score_of_two_texts_is_the_packages_score_to_the_last_bit(one, other):
    assert index_of([one]).nearest(other, above=-1) == Neighbor(0, SCORER.score(one, other)["rougeL"].fmeasure)


@given(st.text(alphabet=[chr(i) for i in range(128)], max_size=30))
@settings(max_examples=200, deadline=None)
def test_the_tokens_of_ascii_texts_are_the_packages(text):
    assert tokens(text) == SCORER._tokenizer.tokenize(text)


@given(st.text(st.sampled_from([*"aZ09 _-.é", "ß", "İ", "\u212a", "三", "д", "\u0301"]), max_size=30))
@settings(max_examples=200, deadline=None)
def test_the_published_tokens_of_all_texts_are_the_packages(text):
    assert ascii_tokens(text) == SCORER._tokenizer.tokenize(text)


def test_the_index_compares_what_its_tokenizer_gives():
    index = NoveltyIndex(ascii_tokens)
    index.add("三条 river")
    assert index.nearest("река river") == Neighbor(0, 1.0)
    assert index.nearest("река", above=-1) == Neighbor(0, 0.0)


@given(st.lists(TEXTS, max_size=12), TEXTS, THRESHOLDS)
@settings(max_examples=200, deadline=None)
def test_the_decision_at_a_threshold_is_the_published_one(known, text, above):
    assert index_of(known).nearest(text, above=above) == brute_force(known, text, above)


@given(st.sampled_from(sorted(SCRIPTS)), st.integers(1, 30), st.integers(), THRESHOLDS)
@settings(max_examples=120, deadline=None)
def test_of_edits_in_every_script_all_scores_and_decisions_are_the_packages(script, length, seed, above):
    """Each text is added after it was asked for: the index grows between the questions."""
    known, index = [], NoveltyIndex()
    for text in edits(SCRIPTS[script], length, 10, seed):
        right = ranking(known, text)
        assert index.top(text, len(known)) == right
        assert index.top(text, 3) == right[:3]
        for threshold in (above, 0.7, *(near.score for near in right[:2])):
            for around in (threshold, math.nextafter(threshold, -1), math.nextafter(threshold, 2)):
                expected = right[0] if right and right[0].score > around else None
                assert index.nearest(text, above=around) == expected
        if known:
            assert index.mean(text) == pytest.approx(np.mean([near.score for near in right]), abs=1e-12)
        known.append(text)
        assert index.add(text) == len(index) - 1


def test_among_more_texts_than_are_compared_first_every_score_is_the_packages():
    """Lengths from 1 to 60, so that texts stand on all shelves and most are left out by a bound."""
    known = [text for length in (1, 3, 7, 12, 20, 35, 60) for text in edits(SCRIPTS["English"], length, 60, length)]
    index = index_of(known)
    for length in (1, 7, 20, 60):
        text = edits(SCRIPTS["English"], length, 1, length)[0]
        right = ranking(known, text)
        for k in (0, 1, 40, 300, len(known), 1000):
            assert index.top(text, k) == right[:k]
        assert index.mean(text) == pytest.approx(np.mean([near.score for near in right]), abs=1e-12)
        for i in range(0, len(known), 20):
            assert index.nearest(text, above=right[i].score) == (right[0] if right[0].score > right[i].score else None)


@pytest.mark.parametrize("length", [10, 20, 21, 26, 28, 30, 60])
def test_exactly_the_threshold_is_decided_as_the_package_decides_it(length):
    """All pairs of lengths whose exact F1 is 7/10; floating point puts some of them above 0.7, others not."""
    query = [f"q{i}" for i in range(length)]
    pairs = [(lcs, n) for n in range(1, 151) for lcs in range(1, min(length, n) + 1) if 20 * lcs == 7 * (length + n)]
    assert pairs
    for lcs, n in pairs:
        text = " ".join(query[:lcs] + [f"other{i}" for i in range(n - lcs)])
        found = index_of([text]).nearest(" ".join(query), above=0.7)
        score = rouge(text, " ".join(query))
        assert score == rouge_l_f1(lcs, length, n)
        assert found == (Neighbor(0, score) if score > 0.7 else None)


def test_seven_of_ten_is_not_above_the_threshold():
    known = "one two three four five six seven eight nine ten"
    text = "one two three four five six seven and so on"
    assert index_of([known]).nearest(text, above=0.69) == Neighbor(0, 0.7)
    assert index_of([known]).nearest(text) is None
    assert index_of([known]).nearest(text.replace("so", "nine"), above=0.7) == Neighbor(0, rouge_l_f1(8, 10, 10))


@pytest.mark.parametrize(
    ("length", "pairs"),
    [(21, [(14, 19), (21, 39)]), (28, [(21, 32), (28, 52)]), (26, [(21, 34), (14, 14)])],
)
def test_of_scores_that_differ_in_the_last_bit_the_greater_one_counts(length, pairs):
    query = [f"q{i}" for i in range(length)]
    known = [" ".join(query[:lcs] + [f"other{i}" for i in range(n - lcs)]) for lcs, n in pairs]
    assert brute_force(known, " ".join(query), 0.7).index == 1
    assert index_of(known).nearest(" ".join(query), above=0.7) == brute_force(known, " ".join(query), 0.7)


@given(st.lists(WORDS, min_size=1, max_size=10), WORDS)
@settings(max_examples=60, deadline=None)
def test_the_score_lies_between_0_and_1_and_of_equal_texts_is_1(known, text):
    found = index_of(known).nearest(text, above=-1)
    assert 0.0 <= found.score <= 1.0
    assert index_of([*known, text]).nearest(text).score == 1.0


def test_repeated_tokens_count_as_often_as_they_match():
    assert index_of(["no no no no"]).nearest("no no", above=0.5) == Neighbor(0, rouge("no no no no", "no no"))
    assert rouge("no no no no", "no no") == pytest.approx(2 / 3)


def test_the_first_of_equally_similar_texts_is_given():
    known = ["name a red flower", "name a blue river", "name a blue river", "name a blue lake"]
    assert index_of(known).nearest("name a blue river") == Neighbor(1, 1.0)
    assert index_of(["x", *known]).nearest("name a green bird", above=-1) == Neighbor(1, 0.5)


def test_of_equally_similar_texts_of_different_lengths_the_first_comes_first():
    known = ["q r", "a b c d e f", "a x"]
    assert ranking(known, "a b") == [Neighbor(1, 0.5), Neighbor(2, 0.5), Neighbor(0, 0.0)]
    assert index_of(known).top("a b", 3) == ranking(known, "a b")


@pytest.mark.parametrize("n", [6, 12, 16, 23, 32])  # the shortest texts of a shelf
def test_a_score_that_is_rounded_up_is_above_the_number_before_it(n):
    """The bound on the shared tokens is rounded as well, and must not exclude such a score."""
    for lcs in range(1, n + 1):
        text = " ".join([f"q{i}" for i in range(lcs)] + [f"other{i}" for i in range(n - lcs)])
        index = index_of([text])
        for m in range(lcs, 60):
            score = rouge_l_f1(lcs, m, n)
            query = " ".join(f"q{i}" if i < lcs else f"more{i}" for i in range(m))
            assert index.nearest(query, above=math.nextafter(score, -1)) == Neighbor(0, score)
            assert index.nearest(query, above=score) is None


# Nothing to compare.


def test_an_empty_index_has_no_nearest():
    assert NoveltyIndex().nearest("Name a river.", above=-1) is None
    assert NoveltyIndex().nearest("Name a river.") is None
    assert NoveltyIndex().top("Name a river.", 3) == []
    assert len(NoveltyIndex()) == 0
    with pytest.raises(ValueError, match="nothing to compare"):
        NoveltyIndex().mean("Name a river.")


@pytest.mark.parametrize("text", ["", "  ", "?!", "…"])
def test_a_text_without_tokens_is_like_nothing(text):
    index = index_of(["name a river", text])
    assert index.nearest(text, above=-1) == Neighbor(0, 0.0)
    assert index.nearest(text, above=0.0) is None
    assert index.top(text, 5) == [Neighbor(0, 0.0), Neighbor(1, 0.0)]
    assert index.mean(text) == 0.0
    assert index.nearest("name a river", above=0.7) == Neighbor(0, 1.0)


def test_a_text_like_none_of_the_known_scores_0():
    index = index_of(["name a river", "sort it"])
    assert index.nearest("quite unlike everything", above=-1) == Neighbor(0, 0.0)
    assert index.nearest("quite unlike everything", above=0.0) is None


# Other scripts.

LANGUAGES = {
    "Chinese": ("列出三条河流的名字。", "列出五座高山的名字。"),
    "Japanese": ("川の名前を三つ挙げてください。", "山の高さを二つ比べてください。"),
    "Korean": ("아프리카의 강 이름을 세 개 말하세요.", "아시아의 산 이름을 다섯 개 말하세요."),
    "Thai": ("บอกชื่อแม่น้ำสามสาย", "บอกชื่อภูเขาห้าลูก"),
    "Russian": ("Назови три реки Африки.", "Назови пять озёр Африки."),
    "Hindi": ("तीन नदियों के नाम बताइए।", "पाँच पहाड़ों के नाम बताइए।"),
    "Arabic": ("اذكر ثلاثة أنهار في أفريقيا.", "اذكر خمسة جبال في آسيا."),
    "Greek": ("Πες τρία ποτάμια της Αφρικής.", "Πες πέντε βουνά της Ασίας."),
    "Hebrew": ("ציין שלושה נהרות באפריקה.", "ציין חמישה הרים באסיה."),
    "Burmese": ("မြစ်သုံးစင်းကို အမည်ပေးပါ", "တောင်ငါးလုံးကို ဖော်ပြပါ"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_instructions_in_every_script_are_compared(language):
    one, other = LANGUAGES[language]
    index = index_of([one])
    assert index.nearest(one) == Neighbor(0, 1.0)
    assert 0.0 < index.nearest(other, above=-1).score < 1.0
    assert index.nearest(other, above=0.99) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Übersetze den höflichen Gruß", ["übersetze", "den", "höflichen", "gruß"]),
        ("Décris l'été à Orléans", ["décris", "l", "été", "à", "orléans"]),
        ("De\u0301cris l'e\u0301te\u0301", ["décris", "l", "été"]),
        ("Zażółć gęślą jaźń", ["zażółć", "gęślą", "jaźń"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("三条river", ["三", "条", "river"]),
        ("Ｆｕｌｌ width ９", ["full", "width", "9"]),
        ("snake_case für alle", ["snake", "case", "für", "alle"]),
        ("— … “”", []),
    ],
)
def test_words_stay_whole_and_unspaced_scripts_are_read_by_character(text, expected):
    assert tokens(text) == expected


def test_an_accent_makes_a_different_word_and_its_two_spellings_do_not():
    index = index_of(["Décris l'été à Orléans"])
    assert index.nearest("De\u0301cris l'e\u0301te\u0301 a\u0300 Orle\u0301ans") == Neighbor(0, 1.0)
    assert index.nearest("Decris l'été à Orléans", above=-1).score < 1.0


@given(st.text(max_size=30))
@settings(max_examples=150, deadline=None)
def test_every_text_is_as_similar_to_itself_as_can_be(text):
    found = index_of([text]).nearest(text, above=-1)
    assert found.score == (1.0 if tokens(text) else 0.0)


# Size.


def test_more_texts_than_the_first_1024_are_all_compared():
    rng = random.Random(4)
    known = [" ".join(rng.choices(["red", "blue", "old", "new", "big", "map"], k=8)) for _ in range(2500)]
    known[2311] = "eight words that no other text here has"
    index = index_of(known)
    assert len(index) == 2500
    assert index.nearest("eight words that no other text here has") == Neighbor(2311, 1.0)
    # Every score again, one pair at a time.
    query = "red blue old new big red blue old"
    assert index.nearest(query, above=-1) == brute_force(known, query, -1)


def test_more_distinct_tokens_than_there_are_code_points_before_the_surrogates():
    index = NoveltyIndex()
    per_text, n_texts = 1000, 70
    for i in range(n_texts):
        index.add(" ".join(f"w{i}x{j}" for j in range(per_text)))
    for i in (0, 54, 55, 56, 69):  # tokens 0, 54 000, 55 000 (crosses 55 296), 56 000, 69 000
        text = " ".join(f"w{i}x{j}" for j in range(per_text))
        assert index.nearest(text) == Neighbor(i, 1.0)
        half = " ".join(f"w{i}x{j}" for j in range(0, per_text, 2))
        assert index.nearest(half, above=-1) == Neighbor(i, rouge_l_f1(500, 500, 1000))
    assert index.nearest("w55x295 w55x296 w0x0", above=0.9) is None


def test_tokens_keep_their_characters_while_others_are_looked_up():
    index = index_of(["name a river"])
    for i in range(3000):
        index.nearest(f"word{i} word{i + 1}")
    index.add("word7 word8 word9")
    assert index.nearest("name a river") == Neighbor(0, 1.0)
    assert index.nearest("word7 word8 word9") == Neighbor(1, 1.0)
