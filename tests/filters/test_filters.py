"""Filters: each with its reason and its evidence, on both sides of its threshold."""

import pytest

from selfinstruct.filters import instance
from selfinstruct.filters.instance import (
    INSTANCE_FILTERS,
    conflicting_outputs,
    duplicate_instance,
    empty_output,
    ends_with_colon,
    merged_tasks,
    output_equals_input,
    pseudo_empty_input,
)
from selfinstruct.filters.instruction import (
    FORBIDDEN_WORDS,
    INSTRUCTION_FILTERS,
    asks_for_program,
    cut_off,
    forbidden_word,
    no_words,
    starts_with_non_ascii,
    starts_with_punctuation,
    too_long,
    too_short,
    too_similar,
)
from selfinstruct.filters.record import RECORD_FILTERS
from selfinstruct.filters.verdicts import (
    OPTIONAL,
    REQUIRED,
    RULES,
    FilterSettings,
    Verdict,
    verdict_on,
    verdict_on_record,
    verdicts_on_instances,
)
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.loops import looping_unit
from selfinstruct.pool.pool import Pool
from selfinstruct.records import Candidate, Instance, Neighbor, Record, Rejection, SeedTask, Task

SEED = SeedTask("s1", "rivers", "Name three long rivers of the given continent please.", (Instance("", "x"),), False)


def pool(*seeds, **rules):
    return Pool(seeds, FilterSettings(**rules))


def candidate(text, cut=False):
    return Candidate("r1", 0, text, cut)


def of(rule, text, **rules):
    return rule(candidate(text), pool(**rules))


# Candidates.


def test_a_cut_candidate_is_cut_off():
    assert cut_off(candidate("Name three rivers of", cut=True), pool()) == Rejection("cut_off", {})
    assert cut_off(candidate("Name three rivers of"), pool()) is None


@pytest.mark.parametrize("text", ["", "   ", "?! ... ---", "…", "()"])
def test_a_candidate_without_letters_and_digits_has_no_words(text):
    assert of(no_words, text) == Rejection("no_words", {})


@pytest.mark.parametrize("text", ["x", "7", "河", "ы", "ا"])
def test_a_letter_or_digit_of_any_script_is_a_word(text):
    assert of(no_words, text) is None


@pytest.mark.parametrize(
    ("text", "words"), [("Sort it now", 3), ("Translate this", 2), ("Sort   it\tnow", 3), ("写诗", 2), ("Écris ça", 2)]
)
def test_three_words_are_too_short(text, words):
    assert of(too_short, text) == Rejection("too_short", {"words": words})


@pytest.mark.parametrize("text", ["Sort it right now", "写一首诗", "Écris trois vers ici", "Назови три реки Африки"])
def test_four_words_are_enough(text):
    assert of(too_short, text) is None


def test_the_fewest_words_can_be_set():
    assert of(too_short, "Sort it right now", min_words=5) == Rejection("too_short", {"words": 4})
    assert of(too_short, "Sort it", min_words=2) is None


def test_150_words_are_the_most():
    assert of(too_long, " ".join(["word"] * 150)) is None
    assert of(too_long, " ".join(["word"] * 151)) == Rejection("too_long", {"words": 151})


def test_the_most_words_can_be_set_and_unspaced_scripts_count_by_character():
    assert of(too_long, "one two three four five", max_words=4) == Rejection("too_long", {"words": 5})
    assert of(too_long, "写一首关于大河的诗", max_words=8) == Rejection("too_long", {"words": 9})
    assert of(too_long, "写一首关于大河的诗", max_words=9) is None


@pytest.mark.parametrize("word", FORBIDDEN_WORDS)
def test_each_forbidden_word_is_found_in_any_case(word):
    for spelled in (word, word.upper(), word.capitalize()):
        text = f"Please now ({spelled}), then answer."
        assert of(forbidden_word, text) == Rejection("forbidden_word", {"word": spelled})


@pytest.mark.parametrize(
    "text",
    [
        "Explain how the coast was mapped by hand.",
        "Say who filed the complaint and when.",
        "Recommend a musical for a rainy evening.",
        "Describe a photograph in a paragraph of prose.",
        "Imagine a withdrawal and the drawing room.",
        "Profile a plotter who audited the mapping of maple trees.",
        "Who forgot to call, and why?",
        "Explain what file_name stands for.",
    ],
)
def test_a_forbidden_word_inside_another_word_is_none(text):
    assert of(forbidden_word, text) is None


def test_the_first_forbidden_word_is_the_evidence():
    rejection = of(forbidden_word, "Look at the Picture and draw a map.")
    assert rejection == Rejection("forbidden_word", {"word": "Picture"})


def test_the_forbidden_words_can_be_set():
    assert of(forbidden_word, "Draw a map of it.", forbidden_words=("poem",)) is None
    assert of(forbidden_word, "Write a Poem, please.", forbidden_words=("poem",)) == Rejection(
        "forbidden_word", {"word": "Poem"}
    )
    assert of(forbidden_word, "Draw a map of it.", forbidden_words=()) is None


def test_a_forbidden_word_is_no_pattern():
    assert of(forbidden_word, "Write a.b here now", forbidden_words=("a.b",)) is not None
    assert of(forbidden_word, "Write axb here now", forbidden_words=("a.b",)) is None


@pytest.mark.parametrize(("word", "text"), [("c++", "Explain this C++ code."), ("@all", "Write to @all today please.")])
def test_a_forbidden_word_may_begin_or_end_with_a_mark(word, text):
    assert of(forbidden_word, text, forbidden_words=(word,)) is not None


def test_a_forbidden_word_of_an_unspaced_script_is_found():
    assert of(forbidden_word, "请写一段关于音乐的文字", forbidden_words=("音乐",)) == Rejection(
        "forbidden_word", {"word": "音乐"}
    )


@pytest.mark.parametrize(
    ("text", "rejected"),
    [
        ("Write a program that sorts names.", True),
        ("Write a program", True),
        ("Explain how to write a program that sorts.", False),
        ("Write a function that sorts names.", False),
        ("write a program that sorts names.", True),
        ("WRITE A PROGRAM", True),
        ("Rewrite a program", False),
    ],
)
def test_write_a_program_at_the_beginning_is_too_vague(text, rejected):
    assert of(asks_for_program, text) == (Rejection("asks_for_program", {}) if rejected else None)


@pytest.mark.parametrize("character", list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"))
def test_a_punctuation_mark_at_the_beginning(character):
    assert of(starts_with_punctuation, f"{character}start with a mark") == Rejection(
        "starts_with_punctuation", {"character": character}
    )


@pytest.mark.parametrize("text", ["Name it (now)!", "3 of these are odd", "Écris un vers", "河", "¿Qué es?"])
def test_letters_digits_and_other_scripts_may_begin(text):
    assert of(starts_with_punctuation, text) is None


def test_a_non_ascii_beginning_is_rejected_only_where_asked_for():
    assert of(starts_with_non_ascii, "Écris trois vers") is None
    assert of(starts_with_non_ascii, "Écris trois vers", ascii_start=True) == Rejection(
        "starts_with_non_ascii", {"character": "É"}
    )
    assert of(starts_with_non_ascii, "Name a café in Nîmes", ascii_start=True) is None


def test_a_similar_candidate_is_rejected_with_what_it_is_like():
    rejection, _, nearest = verdict_on(candidate("Name three long rivers of the given country please."), pool(SEED))
    assert nearest.index == 0
    assert nearest.score > 0.7
    assert rejection == Rejection(
        "too_similar", {"nearest": SEED.instruction, "nearest_id": "s1", "score": nearest.score}
    )


def test_a_candidate_like_an_admitted_task_names_the_task():
    known = pool(SEED)
    known.admit(Task(0, "t0", "Explain how a lock lifts a boat.", 0, "r0"))
    rejection, _, nearest = verdict_on(candidate("Explain how a lock lifts a ship."), known)
    assert nearest.index == 1
    assert rejection.reason == "too_similar"
    assert (rejection.evidence["nearest_id"], rejection.evidence["nearest"]) == (
        "t0", "Explain how a lock lifts a boat.",
    )  # fmt: skip


def test_exactly_the_threshold_passes():
    known = pool(SeedTask("s", "", "one two three four five six seven eight nine ten", (), False))
    rejection, _, nearest = verdict_on(candidate("one two three four five six seven and so on"), known)
    assert rejection is None
    assert nearest == Neighbor(0, 0.7)
    assert verdict_on(candidate("one two three four five six seven eight so on"), known)[0].reason == "too_similar"


def test_the_threshold_can_be_set():
    text = "Name three long rivers of the given country please."
    assert verdict_on(candidate(text), pool(SEED, rouge_threshold=0.95))[0] is None
    assert too_similar(Neighbor(0, 0.31), pool(SEED, rouge_threshold=0.3)).evidence["score"] == 0.31
    assert too_similar(Neighbor(0, 0.3), pool(SEED, rouge_threshold=0.3)) is None
    assert verdict_on(candidate(SEED.instruction), pool(SEED, rouge_threshold=1.0))[0] is None


def test_a_good_candidate_passes_with_its_nearest():
    rejection, _, nearest = verdict_on(candidate("Explain how a lock lifts a boat."), pool(SEED))
    assert rejection is None
    assert nearest.index == 0
    assert nearest.score < 0.3


def test_the_first_candidate_of_an_empty_pool_passes():
    assert verdict_on(candidate("Explain how a lock lifts a boat."), pool()) == Verdict(None, "novelty", None)


def test_the_filters_stand_in_the_order_of_the_published_ones():
    published = [
        "cut_off", "no_words", "too_short", "too_long", "forbidden_word", "asks_for_program",
        "starts_with_punctuation", "starts_with_non_ascii", "contaminated",
    ]  # fmt: skip
    assert [rule.name for rule in INSTRUCTION_FILTERS if rule.name in published] == published


@pytest.mark.parametrize(
    ("text", "cut", "reason"),
    [
        ("Draw", True, "cut_off"),
        ("Draw the line" + " in place" * 20, True, "repetition"),
        ("...", False, "no_words"),
        ("Draw it", False, "too_short"),
        ("Draw " * 151, False, "too_long"),
        ("Write a program to draw a map", False, "forbidden_word"),
        ("(Write a program, please do it)", False, "starts_with_punctuation"),
    ],
)
def test_the_first_objection_counts_and_the_pool_is_not_searched(text, cut, reason):
    rejection, _, nearest = verdict_on(candidate(text, cut), pool(SEED))
    assert rejection.reason == reason
    assert nearest is None


def test_a_rejected_candidate_stays_out_of_the_pool():
    known = pool(SEED)
    verdict_on(candidate("Explain how a lock lifts a boat."), known)
    assert len(known.index) == 1
    assert known.tasks == []


# Instances.


def by_position(*pairs):
    return dict(enumerate(instances(*pairs)))


def instances(*pairs):
    return [ParsedInstance(given, output, False) for given, output in pairs]


def one(rule, given, output, cut=False):
    return rule(0, {0: ParsedInstance(given, output, cut)}, FilterSettings())


def test_what_a_loop_has_filled_up_to_the_token_limit_is_repetition():
    loop = "A dress, and" + " it is very fashionable, and" * 9
    found = Rejection("repetition", {"repeats": looping_unit(loop, 100)})
    assert one(instance.repetition, loop, "Fashion", cut=True) == found
    assert one(instance.repetition, "Fashion", loop, cut=True) == found
    assert one(instance.repetition, "Fashion", loop) is None, "a refrain that was asked for"
    assert reasons([ParsedInstance("Fashion", loop, True)]) == ["repetition"]
    proposed = Candidate("r", 0, "Describe this dress.", True, instances=(Instance("", loop),))
    assert verdict_on(proposed, pool()).rejection == found


def test_a_cut_instance_is_cut_off():
    assert one(instance.cut_off, "a", "b", cut=True) == Rejection("cut_off", {})
    assert one(instance.cut_off, "a", "b") is None


@pytest.mark.parametrize("output", ["", " ", "\n\t"])
def test_an_instance_without_an_output(output):
    assert one(empty_output, "a", output) == Rejection("empty_output", {})
    assert one(empty_output, "", "0") is None


@pytest.mark.parametrize(("given", "output", "same"), [("a", "a", True), (" a\n", "a ", True), ("a", "A", False)])
def test_an_output_that_repeats_the_input(given, output, same):
    assert one(output_equals_input, given, output) == (Rejection("output_equals_input", {}) if same else None)


@pytest.mark.parametrize(
    ("given", "output", "field"),
    [("The list:", "x", "input"), ("x", "The list: ", "output"), ("a:\n", "b:", "input"), ("", "Namely:", "output")],
)
def test_a_colon_at_the_end_announces_what_is_missing(given, output, field):
    assert one(ends_with_colon, given, output) == Rejection("ends_with_colon", {"field": field})


def test_a_colon_inside_announces_nothing_that_is_missing():
    assert one(ends_with_colon, "a: b", "12:30") is None


@pytest.mark.parametrize("given", ["None", "N/A", "<noinput>", "<no input>", "No input needed.", "-", '""'])
def test_an_input_that_only_says_that_there_is_none(given):
    assert one(pseudo_empty_input, given, "x") == Rejection("pseudo_empty_input", {"input": given})


@pytest.mark.parametrize("given", ["", "None of the guests came.", "0", "no", "A - B"])
def test_an_input_that_is_empty_or_says_something(given):
    assert one(pseudo_empty_input, given, "x") is None


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("The Nile.\n7. Instruction: Name a lake.\n7. Input:\n<noinput>", "7. Instruction: Name a lake."),
        ("The Nile.\n12. Output: Baikal", "12. Output: Baikal"),
        ("The Nile.\n\n### Instruction:\nName a lake.", "### Instruction:"),
        ("The Nile.\n## response: Baikal", "## response: Baikal"),
        ("  3. input: here", "3. input: here"),
        ("The Nile.\n1. Input: lakes\n1. Output: Baikal\n2. Done", "1. Input: lakes"),
        ("The Nile.\n\nExample 2\nInput: lakes\nOutput: Baikal", "Example 2 Input: lakes"),
        ("Нил.\nПример 2\nВыход: Байкал", "Пример 2 Выход: Байкал"),
        ("The Nile.\n\nInput: lakes\nOutput: Baikal", "Input: lakes Output:"),
    ],
)
def test_an_output_that_goes_on_with_another_task(output, line):
    assert one(merged_tasks, "a", output) == Rejection("merged_tasks", {"line": line})


@pytest.mark.parametrize(
    "output",
    [
        "1. Read the instruction: it is short.\n2. Sort it.",
        "Instruction: press the button.",
        "# Input: a heading of the README",
        "See 7. Instruction: in the middle of a line",
        "### Responses\nThree people wrote.",
        "1. Input: read it.\n2. Output: print it.",
        "Its samples are:\n\nInput: 3\nOutput: 9",
        "Input: 3\nOutput: 9",
        "The first was easy.\nExample 2 is not.",
        'def double(n):\n    """Double it.\n\n    Input: a number\n    Output: twice as much\n    """',
    ],
)
def test_an_output_that_speaks_of_instructions_is_whole(output):
    assert one(merged_tasks, "a", output) is None


def test_two_outputs_of_one_input_are_a_conflict():
    both = by_position(("a", "b"), ("a", "c"))
    expected = Rejection("conflicting_outputs", {"input": "a", "outputs": ["b", "c"]})
    assert [conflicting_outputs(i, both, FilterSettings()) for i in range(2)] == [expected, expected]


def test_different_outputs_without_an_input_are_no_conflict():
    assert conflicting_outputs(0, by_position(("", "b"), ("", "c")), FilterSettings()) is None
    assert conflicting_outputs(0, by_position(("a", "b"), ("a", "b")), FilterSettings()) is None
    assert conflicting_outputs(0, by_position(("a", "b"), ("x", "b")), FilterSettings()) is None


def test_an_earlier_instance_may_be_the_same():
    found = by_position(("a", "b"), ("x", "y"), ("a", "b"))
    assert [duplicate_instance(i, found, FilterSettings()) for i in range(3)] == [
        None, None, Rejection("duplicate_instance", {"same_as": 0}),
    ]  # fmt: skip
    assert duplicate_instance(1, by_position(("", "b"), ("", "b")), FilterSettings()) == Rejection(
        "duplicate_instance", {"same_as": 0}
    )


def judged(found, most=5, without=()):
    return verdicts_on_instances(found, FilterSettings(max_instances=most, without=without))


def reasons(found, most=5):
    return [verdict and verdict.reason for verdict in judged(found, most)]


def test_good_instances_stay():
    assert judged(instances(("a", "b"), ("c", "d"), ("", "e")), 5) == [None, None, None]
    assert judged([], 5) == []


def test_the_rules_stand_in_order():
    known = [
        "cut_off", "empty_output", "output_equals_input", "pseudo_empty_input", "ends_with_colon",
        "merged_tasks", "conflicting_outputs", "duplicate_instance", "too_many",
    ]  # fmt: skip
    assert [rule.name for rule in INSTANCE_FILTERS if rule.name in known] == known
    assert reasons([ParsedInstance("", "", True)]) == ["cut_off"]
    assert reasons(instances(("", ""))) == ["empty_output"]
    assert reasons(instances(("a:", "a:"))) == ["output_equals_input"]


def test_a_conflict_rejects_all_of_the_tasks_instances():
    found = instances(("a", "b"), ("x", "y"), ("a", "c"))
    verdicts = judged(found, 5)
    assert verdicts == [Rejection("conflicting_outputs", {"input": "a", "outputs": ["b", "c"]})] * 3


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (ParsedInstance("a", "other and", True), "cut_off"),
        (ParsedInstance("a", " ", False), "empty_output"),
        (ParsedInstance("a", "a", False), "output_equals_input"),
        (ParsedInstance("a", "namely:", False), "ends_with_colon"),
    ],
)
def test_an_invalid_instance_conflicts_with_nothing(bad, reason):
    good = instances(("a", "b"))
    assert reasons([*good, bad]) == [None, reason]
    assert reasons([bad, *good]) == [reason, None]


def test_only_the_first_of_equal_instances_stays():
    assert reasons(instances(("a", "b"), ("a", "b"), ("a", "b"), ("c", "d"))) == [
        None, "duplicate_instance", "duplicate_instance", None,
    ]  # fmt: skip


def test_a_duplicate_names_the_position_in_the_answer():
    verdicts = judged(instances(("x", ""), ("a", "b"), ("a", "b")), 5)
    assert verdicts[2] == Rejection("duplicate_instance", {"same_as": 1})


def test_only_good_instances_count_towards_the_most():
    found = instances(("x", ""), ("a", "1"), ("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"))
    assert reasons(found, most=3) == ["empty_output", None, "duplicate_instance", None, None, "too_many"]
    assert judged(found, 3)[5] == Rejection("too_many", {"most": 3})


def test_five_of_seven_stay():
    found = instances(*[(str(n), "odd") for n in range(7)])
    assert reasons(found) == [None] * 5 + ["too_many"] * 2
    assert reasons(found[:5]) == [None] * 5


# Whole records.

LIFT = ParsedInstance(
    "", "The gates close and water flows in until both levels are equal, then the boat goes on.", False
)


def pool_with_a_record():
    known = pool()
    known.add_record("i0", f"Explain how a lock lifts a boat.\n{LIFT.output}")
    return known


def record(instruction, instance):
    return Record.of("", 0, instruction, instance.input, instance.output)


def test_a_record_like_one_of_another_task_names_it():
    rejection = verdict_on_record(record("Describe how a lock lifts a boat.", LIFT), pool_with_a_record())
    # Each has 22 word triples, of which the first one differs.
    assert rejection == Rejection("near_duplicate", {"nearest_id": "i0", "jaccard": pytest.approx(21 / 23)})
    assert verdict_on_record(record("Describe how a crane lifts a container.", LIFT), pool_with_a_record()) is None
    assert verdict_on_record(record("Describe how a lock lifts a boat.", LIFT), pool()) is None


def test_the_similarity_of_records_can_be_set():
    known = pool(near_duplicate=1.0)
    known.add_record("i0", f"Explain how a lock lifts a boat.\n{LIFT.output}")
    assert verdict_on_record(record("Describe how a lock lifts a boat.", LIFT), known) is None
    same = verdict_on_record(record("Explain how a lock lifts a boat.", LIFT), known)
    assert same == Rejection("near_duplicate", {"nearest_id": "i0", "jaccard": 1.0})


def test_the_rules_for_records_stand_in_order():
    assert [rule.name for rule in RECORD_FILTERS] == [
        "refused_output", "copied_demonstration", "near_duplicate", "contaminated",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("instruction", "output", "is_one"),
    [
        ("Name the tallest tree of a street.", "I'm sorry, but I can't help with that.", True),
        ("Nenn den höchsten Baum.", "Es tut mir leid, aber das kann ich nicht.", True),
        ("Nämn det högsta trädet.", "Tyvärr kan jag inte svara på det.", True),
        ("Write an apology to a guest.", "I'm sorry, but we can't seat you tonight.", False),
        ("Name the tallest tree of a street.", "The lime tree.", False),
    ],
)
def test_a_record_whose_output_is_a_refusal_is_rejected(instruction, output, is_one):
    rejection = verdict_on_record(Record.of("", 0, instruction, "", output), pool())
    assert rejection == (Rejection("refused_output", {}) if is_one else None)


# Filters that are switched off.


def test_every_reason_can_be_switched_off_or_is_necessary():
    assert {rule.name for rule in RULES} == {*OPTIONAL, *REQUIRED}
    assert set(REQUIRED) == {"no_words", "empty_output", "repetition"}


def test_a_filter_that_is_switched_off_lets_the_others_see():
    text = "Draw it."
    assert verdict_on(candidate(text), pool())[0].reason == "too_short"
    assert verdict_on(candidate(text), pool(without=("too_short",)))[0].reason == "forbidden_word"
    rejection, _, nearest = verdict_on(candidate(text), pool(SEED, without=("too_short", "forbidden_word")))
    assert rejection is None
    assert nearest.score == 0.0


def test_a_similar_one_is_admitted_with_its_neighbor_where_that_filter_is_off():
    rejection, _, nearest = verdict_on(candidate(SEED.instruction), pool(SEED, without=("too_similar",)))
    assert rejection is None
    assert nearest == Neighbor(0, 1.0)


def test_instances_of_which_one_filter_is_off():
    found = instances(("a", "b"), ("a", "c"), ("a", "b"), ("x:", "y"))
    assert [v and v.reason for v in judged(found, 5, ("conflicting_outputs",))] == [
        None, None, "duplicate_instance", "ends_with_colon",
    ]  # fmt: skip
    off = ("conflicting_outputs", "duplicate_instance", "ends_with_colon")
    assert [v and v.reason for v in judged(found, 3, off)] == [None, None, None, "too_many"]
    assert judged(found, 3, (*off, "too_many")) == [None] * 4


def test_records_of_which_one_filter_is_off():
    known = pool_with_a_record()
    assert verdict_on_record(record("Describe how a lock lifts a boat.", LIFT), known) is not None
    known.rules = known.rules.model_copy(update={"without": ("near_duplicate",)})
    assert verdict_on_record(record("Describe how a lock lifts a boat.", LIFT), known) is None


@pytest.mark.parametrize(
    ("given", "output", "reason"),
    [
        ("3", "[Your answer here]", "empty_output"), ("3", "{output}", "empty_output"),
        ("3", "...", "empty_output"), ("3", "TODO", "empty_output"), ("3", "Wait ...", None),
        ("3", "<insert text here>", "empty_output"),
        ("{text}", "three", "pseudo_empty_input"), ("[Insert the text here]", "three", "pseudo_empty_input"),
        ("3", "<input>", None), ("<article>", "<article>Ada</article>", None), ("3", "<answer>", "empty_output"),
        ("3", "[Insert summary here]", "empty_output"), ("[a text]", "French", "pseudo_empty_input"),
        ("...", "three", "pseudo_empty_input"), (" … ", "three", "pseudo_empty_input"), ("Wait...", "three", None),
        ("[x/y]", "[1/2]", None), ("[Chorus]", "[yes]", None), ("[a, b]", "[list]", None),
        ("[3]", "[three]", None), ("{name}", "Ada", None), ("(text)ile", "[Your answer here] is a placeholder.", None),
    ],
)  # fmt: skip
def test_a_placeholder_is_neither_an_input_nor_an_output(given, output, reason):
    (rejection,) = verdicts_on_instances([ParsedInstance(given, output, False)], pool().rules)
    assert (rejection and rejection.reason) == reason
