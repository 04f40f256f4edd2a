"""Novelty: the same scores and decisions as the rouge_score package, in one call over all known texts."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from selfinstruct.novelty import NoveltyIndex, rouge_l_f1, tokens
from selfinstruct.records import Neighbor

SCORER = RougeScorer(["rougeL"], use_stemmer=False)

# Few words, so that repeated tokens and ties are frequent; marks and digits, so that tokens are cut as there.
TEXTS = st.lists(
    st.sampled_from(["a", "b", "c", "Sort", "sort", "list", "2nd", "x_y", "don't", "-", "...", "7", "b,a"]),
    max_size=24,
).map(" ".join)
WORDS = st.lists(st.sampled_from("abc"), min_size=1, max_size=40).map(" ".join)


def rouge(one, other):
    return SCORER.score(one, other)["rougeL"].fmeasure


def brute_force(known, text, above):
    """The published rule, one pair at a time: the most similar text above the threshold, the first of equals."""
    best = None
    for index, other in enumerate(known):
        score = rouge(other, text)
        if score > above and (best is None or score > best.score):
            best = Neighbor(index, score)
    return best


def index_of(known):
    index = NoveltyIndex()
    for text in known:
        index.add(text)
    return index


@given(TEXTS, TEXTS)
@settings(max_examples=200, deadline=None)
def test_the_score_of_two_texts_is_the_packages_score_to_the_last_bit(one, other):
    assert index_of([one]).nearest(other) == Neighbor(0, rouge(one, other))


@given(st.text(alphabet=[chr(i) for i in range(128)], max_size=30))
@settings(max_examples=200, deadline=None)
def test_the_tokens_of_ascii_texts_are_the_packages(text):
    assert tokens(text) == SCORER._tokenizer.tokenize(text)


@given(st.lists(TEXTS, max_size=12), TEXTS, st.sampled_from([0.3, 0.5, 2 / 3, 0.7, 0.9]))
@settings(max_examples=150, deadline=None)
def test_the_decision_at_a_threshold_is_the_published_one(known, text, above):
    assert index_of(known).nearest(text, above=above) == brute_force(known, text, above)


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
    assert index_of([known]).nearest(text) == Neighbor(0, 0.7)
    assert index_of([known]).nearest(text, above=0.7) is None
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
    found = index_of(known).nearest(text)
    assert 0.0 <= found.score <= 1.0
    assert index_of([*known, text]).nearest(text).score == 1.0


def test_repeated_tokens_count_as_often_as_they_match():
    assert index_of(["no no no no"]).nearest("no no") == Neighbor(0, rouge("no no no no", "no no"))
    assert rouge("no no no no", "no no") == pytest.approx(2 / 3)


def test_the_first_of_equally_similar_texts_is_given():
    known = ["name a red flower", "name a blue river", "name a blue river", "name a blue lake"]
    assert index_of(known).nearest("name a blue river") == Neighbor(1, 1.0)
    assert index_of(["x", *known]).nearest("name a green bird") == Neighbor(1, 0.5)


# Nothing to compare.


def test_an_empty_index_has_no_nearest():
    assert NoveltyIndex().nearest("Name a river.") is None
    assert NoveltyIndex().nearest("Name a river.", above=0.7) is None
    assert len(NoveltyIndex()) == 0


@pytest.mark.parametrize("text", ["", "  ", "?!", "…"])
def test_a_text_without_tokens_is_like_nothing(text):
    index = index_of(["name a river", text])
    assert index.nearest(text) == Neighbor(0, 0.0)
    assert index.nearest(text, above=0.0) is None
    assert index.nearest("name a river", above=0.7) == Neighbor(0, 1.0)


def test_a_text_like_none_of_the_known_scores_0():
    index = index_of(["name a river", "sort it"])
    assert index.nearest("quite unlike everything") == Neighbor(0, 0.0)
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
    assert 0.0 < index.nearest(other).score < 1.0
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
    assert index.nearest("Decris l'été à Orléans").score < 1.0


@given(st.text(max_size=30))
@settings(max_examples=150, deadline=None)
def test_every_text_is_as_similar_to_itself_as_can_be(text):
    found = index_of([text]).nearest(text)
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
    assert index.nearest(query) == brute_force(known, query, -1.0)


def test_more_distinct_tokens_than_there_are_code_points_before_the_surrogates():
    index = NoveltyIndex()
    per_text, n_texts = 1000, 70
    for i in range(n_texts):
        index.add(" ".join(f"w{i}x{j}" for j in range(per_text)))
    for i in (0, 54, 55, 56, 69):  # tokens 0, 54 000, 55 000 (crosses 55 296), 56 000, 69 000
        text = " ".join(f"w{i}x{j}" for j in range(per_text))
        assert index.nearest(text) == Neighbor(i, 1.0)
        half = " ".join(f"w{i}x{j}" for j in range(0, per_text, 2))
        assert index.nearest(half) == Neighbor(i, rouge_l_f1(500, 500, 1000))
    assert index.nearest("w55x295 w55x296 w0x0", above=0.9) is None


def test_tokens_keep_their_characters_while_others_are_looked_up():
    index = index_of(["name a river"])
    for i in range(3000):
        index.nearest(f"word{i} word{i + 1}")
    index.add("word7 word8 word9")
    assert index.nearest("name a river") == Neighbor(0, 1.0)
    assert index.nearest("word7 word8 word9") == Neighbor(1, 1.0)
