"""Seeds: what a user may have got wrong is named by line and field; the shipped ones are fit to begin with."""

import itertools
import json
import random
from collections import Counter

import pytest
from rouge_score.rouge_scorer import RougeScorer

from selfinstruct.asking.prompts import shipped
from selfinstruct.checks.seeds import ENOUGH, Finding, check_seeds
from selfinstruct.errors import UsageError
from selfinstruct.filters.instruction import INSTRUCTION_FILTERS
from selfinstruct.filters.verdicts import FilterSettings, verdict_on, verdicts_on_instances
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.pool.novelty import tokens
from selfinstruct.pool.pool import Pool
from selfinstruct.records import Candidate, Instance, SeedTask
from selfinstruct.rows.seeds import read_seeds
from selfinstruct.simulated.world.tasks import compose
from tests.conftest import json_lines

GOOD = {
    "id": "rivers",
    "name": "three_rivers",
    "instruction": "Name three rivers of the given continent.",
    "instances": [{"input": "Africa", "output": "Nile, Niger, Congo"}],
    "is_classification": False,
}


def written(tmp_path, *lines, encoding="utf-8", newline="\n"):
    path = tmp_path / "mine.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    path.write_bytes("".join(text + newline for text in texts).encode(encoding))
    return path


def refusal(path):
    with pytest.raises(UsageError) as caught:
        read_seeds(path)
    return str(caught.value)


def without(field):
    return {key: value for key, value in GOOD.items() if key != field}


def test_a_seed_is_read_with_all_its_fields(tmp_path):
    second = {**GOOD, "id": "b", "is_classification": True, "instances": [{"input": "", "output": "ja"}] * 2}
    assert read_seeds(written(tmp_path, GOOD, second)) == (
        SeedTask(
            "rivers", "three_rivers", "Name three rivers of the given continent.",
            (Instance("Africa", "Nile, Niger, Congo"),), False,
        ),
        SeedTask(
            "b", "three_rivers", "Name three rivers of the given continent.",
            (Instance("", "ja"), Instance("", "ja")), True,
        ),
    )  # fmt: skip


def test_id_and_name_may_be_missing(tmp_path):
    bare = {key: GOOD[key] for key in ("instruction", "instances", "is_classification")}
    first, second = read_seeds(written(tmp_path, bare, "", bare))
    assert (first.id, first.name) == ("seed_1", "")
    assert second.id == "seed_3"


def test_fields_of_other_programs_are_left_alone(tmp_path):
    (seed,) = read_seeds(written(tmp_path, {**GOOD, "source": "me", "license": "mine"}))
    assert seed.id == "rivers"


def test_white_space_around_the_instruction_goes_and_that_of_outputs_stays(tmp_path):
    (seed,) = read_seeds(
        written(tmp_path, {**GOOD, "instruction": "  Indent it.\n", "instances": [{"input": "x", "output": "  x"}]})
    )
    assert seed.instruction == "Indent it."
    assert seed.instances == (Instance("x", "  x"),)


@pytest.mark.parametrize(("encoding", "newline"), [("utf-8-sig", "\n"), ("utf-8", "\r\n"), ("utf-8-sig", "\r\n")])
def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(tmp_path, encoding, newline):
    path = written(tmp_path, GOOD, {**GOOD, "id": "flüsse"}, encoding=encoding, newline=newline)
    assert [seed.id for seed in read_seeds(path)] == ["rivers", "flüsse"]


def test_line_separators_inside_a_string_do_not_end_the_line(tmp_path):
    (seed,) = read_seeds(written(tmp_path, {**GOOD, "instruction": "Join these\u2028two lines\x85please."}))
    assert seed.instruction == "Join these\u2028two lines\x85please."


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (without("instruction"), "instruction"),
        (without("instances"), "instances"),
        (without("is_classification"), "is_classification"),
        ({**GOOD, "instruction": ""}, "instruction"),
        ({**GOOD, "instruction": 7}, "instruction"),
        ({**GOOD, "instruction": None}, "instruction"),
        ({**GOOD, "is_classification": "false"}, "is_classification"),
        ({**GOOD, "is_classification": 0}, "is_classification"),
        ({**GOOD, "id": 7}, "id"),
        ({**GOOD, "name": ["x"]}, "name"),
        ({**GOOD, "instances": []}, "instances"),
        ({**GOOD, "instances": {"input": "a", "output": "b"}}, "instances"),
        ({**GOOD, "instances": ["a"]}, "instances.0"),
        ({**GOOD, "instances": [{"input": "a"}]}, "instances.0.output"),
        ({**GOOD, "instances": [{"output": "a"}]}, "instances.0.input"),
        ({**GOOD, "instances": [{"input": "a", "output": "b"}, {"input": None, "output": "b"}]}, "instances.1.input"),
        ('{"instruction": "\\ud800 is half a pair", "instances": [], "is_classification": true}', "instruction"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(tmp_path, line, field):
    path = written(tmp_path, GOOD, "", line)
    assert f"{path}, line 3: field {field}: " in refusal(path)


def test_a_seed_without_instances_says_how_many_it_needs(tmp_path):
    assert "instances: must have at least 1 item" in refusal(written(tmp_path, {**GOOD, "instances": []}))


def test_an_instruction_of_white_space_is_none(tmp_path):
    assert "line 1: field instruction: " in refusal(written(tmp_path, {**GOOD, "instruction": " \t\n"}))


def test_an_output_may_be_empty(tmp_path):
    """Only the instructions are shown to the teacher, and published seed files leave outputs out."""
    path = written(tmp_path, {**GOOD, "instances": [{"input": "a", "output": ""}]})
    assert read_seeds(path)[0].instances[0].output == ""


@pytest.mark.parametrize("line", ['{"id": "a",', "rivers", "{'id': 'a'}", '{"id": "a"} {"id": "b"}', '{"id": "a\tb"}'])
def test_a_line_that_is_no_json_is_named_with_its_column(tmp_path, line):
    message = refusal(written(tmp_path, GOOD, line))
    assert "line 2: not valid JSON (" in message
    assert "column " in message


@pytest.mark.parametrize("line", ["[1, 2]", "7", '"text"', "null"])
def test_a_line_that_is_no_object_is_named(tmp_path, line):
    assert "mine.jsonl, line 2: " in refusal(written(tmp_path, GOOD, line))


def test_all_lines_wrong_are_named_up_to_ten(tmp_path):
    message = refusal(written(tmp_path, *["{"] * 13))
    assert [line.split(", ")[1].split(":")[0] for line in message.splitlines()[:10]] == [
        f"line {n}" for n in range(1, 11)
    ]
    assert message.splitlines()[10:] == ["... and 3 more"]


def test_an_id_used_twice_is_named_with_both_lines(tmp_path):
    message = refusal(written(tmp_path, GOOD, {**GOOD, "id": "b"}, GOOD))
    assert message.endswith("mine.jsonl, line 3: field id: 'rivers' is already used on line 1")


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"\xef\xbb\xbf"])
def test_a_file_without_a_seed_says_what_it_needs(tmp_path, content):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    assert refusal(path) == f"{path}: no seed tasks found. At least one is needed; forty or more are better."


def test_a_missing_file_says_what_is_expected(tmp_path):
    path = tmp_path / "nowhere.jsonl"
    assert refusal(path) == f"{path}: no such file."


def test_a_folder_is_no_seed_file(tmp_path):
    assert refusal(tmp_path).startswith(f"{tmp_path}: this is a folder")


def test_a_file_in_another_encoding_is_named_with_the_byte(tmp_path):
    path = written(tmp_path, {**GOOD, "name": "flüsse"}, encoding="latin-1")
    assert refusal(path).startswith(f"{path}: not UTF-8 text (byte ")


# selfinstruct seeds check FILE.

OTHER = {**GOOD, "id": "verbs", "instruction": "Put the verb of this sentence into the past tense."}
CLASSES = {
    **GOOD, "id": "mood", "instruction": "Does the letter sound glad or sad?", "is_classification": True,
    "instances": [{"input": "I passed!", "output": "glad"}, {"input": "He left us.", "output": "sad"}],
}  # fmt: skip


def findings(path, level=None):
    """What is found of a level, as (line, message)."""
    return [(f.line, f.message) for f in check_seeds(path)[1] if level in (None, f.level)]


def example(given="", output="x"):
    return {"input": given, "output": output}


def many(n, seed=5, **fields):
    """Seeds that nothing is wrong with, unless `fields` say otherwise."""
    rng = random.Random(seed)
    texts = {}
    while len(texts) < n:
        texts[compose(rng)] = None
    rows = [{**GOOD, "id": f"seed {i}", "instruction": text} for i, text in enumerate(texts)]
    for i in range(n):
        if i % 3 == 0:
            rows[i] |= {"is_classification": True, "instances": CLASSES["instances"]}
        elif i % 3 == 1:
            rows[i]["instances"] = [example("", "Once upon a time.")]
        rows[i] |= fields
    return rows


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (without("instruction"), "field instruction: missing"),
        (without("instances"), "field instances: missing; put input and output into it"),
        ({**GOOD, "instances": []}, "field instances: "),
        ({**GOOD, "instances": [example(), {"input": "a"}]}, "field instances.1.output: "),
        ({**GOOD, "is_classification": "no"}, "field is_classification: "),
        ('{"id": "a",', "not valid JSON ("),
        ("[1]", ""),
        (GOOD, "field id: 'rivers' is already used on line 1"),
    ],
)
def test_errors_are_what_keeps_a_run_from_beginning(cli, tmp_path, row, message):
    path = written(tmp_path, GOOD, OTHER, "", row)
    ((line, found),) = findings(path, "error")
    assert (line, found[: len(message)]) == (4, message)
    output = cli("seeds", "check", path, code=1).stdout
    assert f"{path}, line 4: error: {found}" in output.split("\n")
    with pytest.raises(UsageError):
        read_seeds(path)


def test_all_errors_are_named_not_only_ten(tmp_path):
    assert [line for line, _ in findings(written(tmp_path, *["{"] * 13), "error")] == list(range(1, 14))


def test_all_errors_of_one_line_are_named(tmp_path):
    found = findings(written(tmp_path, {"instruction": 7, "instances": [{}]}), "error")
    assert [line for line, _ in found] == [1] * 4
    assert {message.partition(":")[0] for _, message in found} == {
        "field instruction", "field instances.0.input", "field instances.0.output", "field is_classification"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("Name a river.", "too few words: 3"),
        ("Name a river. " + "More of it. " * 60, "too many words: 183"),
        (
            "Describe the photo as if the picture were old.",
            "asks for what a text model cannot do: picture",
        ),
        ("Write a program that sorts numbers.", 'begins with "Write a program"'),
        ("- Name rivers of Europe.", "begins with punctuation: -"),
        ("??? ... !!!", "no letter or digit in it"),
    ],
)
def test_an_instruction_that_a_filter_would_reject_is_a_warning(cli, tmp_path, instruction, expected):
    path = written(tmp_path, OTHER, {**GOOD, "instruction": instruction})
    found = findings(path, "warning")
    assert (2, f"field instruction: would be rejected as a new task ({expected})") in found
    assert {line for line, _ in found} == {2}
    assert f"{path}, line 2: warning: field instruction: would be" in cli("seeds", "check", path, code=1).stdout
    read_seeds(path)  # a run could begin with it all the same


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        ([example("a", "b"), example("c", "")], "field instances.1: no output"),
        ([example("a", "a")], "field instances.0: the output repeats the input"),
        ([example("N/A", "a")], "field instances.0: the input only says there is none"),
        ([example("a", "Here it is:")], "field instances.0: input or output ends with a colon"),
        (
            [example("a", "b\n3. Instruction: c")],
            "field instances.0: the output contains another task",
        ),
        ([example("a", "b"), example("a", "b")], "field instances.1: repeats another instance of the task"),
    ],
)
def test_an_instance_that_teaches_something_wrong_is_a_warning(tmp_path, instances, expected):
    path = written(tmp_path, OTHER, {**GOOD, "instances": instances})
    assert findings(path, "warning") == [(2, expected)]


def test_instances_that_contradict_each_other_are_both_named(tmp_path):
    rows = [example("a", "b"), example("a", "c"), example("d", "e")]
    said = "the task has conflicting outputs"
    found = findings(written(tmp_path, {**GOOD, "instances": rows}), "warning")
    assert found == [(1, f"field instances.{n}: {said}") for n in range(3)]


def test_more_instances_than_a_run_keeps_are_fine(tmp_path):
    rows = [example(str(n), str(n + 1)) for n in range(9)]
    assert findings(written(tmp_path, {**GOOD, "instances": rows}), "warning") == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            {
                "is_classification": True,
                "instances": [
                    example("a", "glad"),
                    example("b", "This is one of those letters that are neither glad nor sad at all."),
                ],
            },
            "field is_classification: true, but an output is not a label: "
            "this is one of those letters that are neither glad nor sad a",
        ),
        (
            {"is_classification": True, "instances": [example("a", "Glad."), example("b", "glad")]},
            "field instances: all have the label 'glad'; show different ones",
        ),
        (
            {"instances": [example("a", "Yes."), example("b", "no")]},
            "field is_classification: false, but every output is yes, no, true or false",
        ),
    ],
)
def test_a_class_that_does_not_fit_is_a_warning(tmp_path, rows, expected):
    assert findings(written(tmp_path, OTHER, {**GOOD, **rows}), "warning") == [(2, expected)]


@pytest.mark.parametrize(
    "rows",
    [
        {"is_classification": True, "instances": [example("a", "glad")]},
        {"is_classification": True, "instances": [example("a", "in the second half of the year"), example("b", "x")]},
        {"instances": [example("a", "Yes."), example("b", "It depends.")]},
    ],
)
def test_a_class_that_may_well_fit_is_none(tmp_path, rows):
    assert findings(written(tmp_path, OTHER, {**GOOD, **rows}), "warning") == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Name three rivers of the given continent.", "Name four rivers of the given continent."),
        ("请把下面这句话翻译成英文。", "请把下面这段话翻译成英文。"),
        ("请把下面这句话翻译成英文。", "请把下面这句话翻译成英文。"),
        ("次の文を過去形に書き直してください。", "次の文章を過去形に書き直してください。"),
        ("다음 문장을 존댓말로 바꿔 주세요.", "다음 문장을 존댓말로 바꿔 주십시오."),
        ("แปลประโยคต่อไปนี้เป็นภาษาอังกฤษ", "แปลประโยคนี้เป็นภาษาอังกฤษ"),
    ],
)
def test_near_duplicates_are_found_in_every_script(cli, tmp_path, first, second):
    path = written(tmp_path, {**GOOD, "instruction": first}, OTHER, "", {**GOOD, "id": "b", "instruction": second})
    score = RougeScorer(["rougeL"], tokenizer=OurTokens()).score(first, second)["rougeL"].fmeasure
    assert findings(path, "warning") == [(4, f"field instruction: ROUGE-L {score:.2f} to line 1: {first}")]
    assert first in cli("seeds", "check", path, code=1).stdout


def test_different_tasks_in_one_script_are_no_near_duplicates(tmp_path):
    rows = ["请把下面这句话翻译成英文。", "写一首关于秋天的七言绝句。", "这条评论是好评还是差评？"]
    path = written(tmp_path, *({**GOOD, "id": text, "instruction": text} for text in rows))
    assert findings(path, "warning") == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (many(5), "only 5 tasks; with fewer than 40, the same ones appear in prompt after prompt."),
        (
            many(ENOUGH, is_classification=False, instances=GOOD["instances"])[:-1] + many(1),
            "Of 40 tasks only 1 is classification. Few will be proposed.",
        ),
        (
            many(ENOUGH, is_classification=False, instances=GOOD["instances"])[:-3] + many(7, 1)[::3],
            "Of 40 tasks only 3 are classification. Few will be proposed.",
        ),
        (many(ENOUGH, is_classification=False), "Of 40 tasks none is classification. Few will be proposed."),
        (
            many(ENOUGH, is_classification=True, instances=CLASSES["instances"]),
            "40 of 40 tasks are classification. Few others will be proposed.",
        ),
        (
            many(ENOUGH, instances=CLASSES["instances"]),
            "All tasks have an input. Add some without, such as questions.",
        ),
        (
            many(ENOUGH, is_classification=False, instances=[example("", "It is so.")]),
            "No task has an input. Add some that work on a text, a list or code.",
        ),
        (
            [{**row, "instruction": f"Kindly {row['instruction']}"} for row in many(11)] + many(40)[11:],
            "11 of 40 instructions begin with 'kindly'. Vary the verbs and the kinds of sentences.",
        ),
        (
            [{**row, "instruction": f"Name {n} {n + 1} {n + 2}."} for n, row in enumerate(many(10))],
            "Nearly all instructions have fewer than 12 words. Longer ones lead to more varied tasks.",
        ),
    ],
)  # fmt: skip
def test_advice_is_about_the_whole(cli, tmp_path, rows, expected):
    rows = [{**row, "id": str(n)} for n, row in enumerate(rows)]
    path = written(tmp_path, *rows)
    found = check_seeds(path)[1]
    assert Finding("advice", None, expected) in found
    if {finding.level for finding in found} == {"advice"}:
        assert f"{path}: advice: {expected}" in cli("seeds", "check", path).stdout


def test_varied_seeds_have_nothing_to_find_fault_with(cli, tmp_path):
    rows, texts = [], []
    for row in many(400):
        if all(len(set(tokens(row["instruction"])) & set(tokens(text))) < 8 for text in texts) and len(rows) < 45:
            rows.append(row)
            texts.append(row["instruction"])
    path = written(tmp_path, *rows)
    output = cli("seeds", "check", path).stdout
    assert "No problems found." in output
    assert output.startswith(f"{path}: {len(rows)} tasks with ")
    assert cli("seeds", "check", path, "--json").stdout == ""


def test_a_summary_counts_tasks_instances_classes_and_those_without_input(cli, tmp_path):
    free = {**OTHER, "instances": [example("", "x"), example("", "y"), example("", "z")]}
    path = written(tmp_path, GOOD, CLASSES, free)
    summary = "3 tasks with 6 instances; 1 classification, 1 without input"
    assert check_seeds(path)[0] == summary
    assert cli("seeds", "check", path).stdout.split("\n")[-2] == f"{path}: {summary}. Findings: 1."


def test_findings_come_by_level_and_line_in_words_and_in_json(cli, tmp_path):
    path = written(tmp_path, {**GOOD, "instruction": "Name a river."}, "{", OTHER, {**OTHER, "id": "c"}, "[]")
    rows = json_lines(cli("seeds", "check", path, "--json", code=1).stdout)
    assert all(list(row) == ["level", "line", "message"] for row in rows)
    levels = [(row["level"], row["line"]) for row in rows]
    assert levels[:4] == [("error", 2), ("error", 5), ("warning", 1), ("warning", 4)]
    assert set(levels[4:]) == {("advice", None)}
    words = cli("seeds", "check", path, code=1).stdout.split("\n")
    for row, line in zip(rows, words, strict=False):
        where = f"{path}, line {row['line']}" if row["line"] else str(path)
        assert line == f"{where}: {row['level']}: {row['message']}"
    assert words[len(rows)].endswith(f"Findings: {len(rows)}.")


def test_mere_advice_is_no_failure(cli, tmp_path):
    rows = json_lines(cli("seeds", "check", written(tmp_path, GOOD, OTHER, CLASSES), "--json").stdout)
    assert {row["level"] for row in rows} == {"advice"}


def test_a_file_that_cannot_be_read_is_a_mistake_of_the_user(cli, tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n \n")
    (tmp_path / "latin.jsonl").write_bytes(json.dumps({**GOOD, "name": "flüsse"}, ensure_ascii=False).encode("latin-1"))
    for name, expected in (
        ("nowhere.jsonl", "no such file"), ("empty.jsonl", "no seed tasks found"),
        ("latin.jsonl", "not UTF-8 text"), (".", "this is a folder"),
    ):  # fmt: skip
        for options in ([], ["--json"]):
            result = cli("seeds", "check", tmp_path / name, *options, code=2)
            assert expected in result.stderr
            assert result.stderr.startswith("Error: ")
            assert result.stdout == ""


def test_what_a_seed_says_does_not_steer_the_terminal(cli, tmp_path):
    text = GOOD["instruction"].replace(" continent", "\x1b[2J continent")
    path = written(tmp_path, {**GOOD, "instruction": text}, {**GOOD, "id": "b", "instruction": text})
    output = cli("seeds", "check", path, code=1).stdout
    assert "\x1b" not in output
    assert "\\x1b[2J" in output


def test_control_characters_alone_are_no_instruction(tmp_path):
    path = written(tmp_path, *many(10), {**GOOD, "instruction": "\x1c"})
    assert [line for line, _ in findings(path, "error")] == [11]


def test_long_instructions_in_chinese_are_not_called_short(tmp_path):
    words = ["春天", "大海", "山川", "城市", "乡村", "历史", "科学", "音韵", "友情", "旅行", "饮食", "天气"]
    texts = [
        f"请以{word}为题写一篇不少于三百字的短文，语气要亲切自然，并在结尾提出{i}个问题。"
        for i, word in enumerate(words)
    ]
    path = written(tmp_path, *({**GOOD, "id": text, "instruction": text} for text in texts))
    assert not any("fewer than 12 words" in message for _, message in findings(path))


def test_a_long_output_in_chinese_is_no_label(tmp_path):
    rows = [
        example("甲", "好评"),
        example("乙", "这条评论先说了产品的优点，然后又说了很多缺点，所以很难说是好还是坏。"),
    ]
    path = written(tmp_path, OTHER, {**CLASSES, "instances": rows})
    assert [line for line, message in findings(path, "warning") if "is not a label" in message] == [2]


def test_a_list_of_seeds_is_told_how_to_become_lines(tmp_path):
    path = tmp_path / "seeds.json"
    path.write_text(json.dumps([GOOD, OTHER], indent=1))
    with pytest.raises(
        UsageError, match=r"one JSON list; seed tasks must be JSON Lines, .* jq -c '\.\[\]' .*seeds\.json"
    ):
        read_seeds(path)
    path.write_text(json.dumps({"seeds": [GOOD, OTHER]}, indent=1))
    with pytest.raises(UsageError, match="is one JSON value with the fields seeds"):
        read_seeds(path)


# The shipped seeds.


def test_the_shipped_seeds_have_nothing_to_find_fault_with(cli):
    output = cli("seeds", "check", shipped("seeds") / "seeds.jsonl").stdout
    assert output.endswith(". No problems found.\n")
    assert cli("seeds", "check", shipped("seeds") / "seeds.jsonl", "--json").stdout == ""


@pytest.fixture(scope="module")
def seeds():
    return read_seeds(shipped("seeds") / "seeds.jsonl")


def test_there_are_two_hundred_seeds_and_a_quarter_are_classification(seeds):
    assert len(seeds) >= 200
    assert sum(seed.is_classification for seed in seeds) >= max(50, len(seeds) / 4)


def test_the_seeds_pass_the_projects_own_filters(seeds):
    pool = Pool((), FilterSettings())
    objections = {
        seed.id: rejection
        for seed in seeds
        for rule in INSTRUCTION_FILTERS
        if (rejection := rule(Candidate("seed", 0, seed.instruction), pool))
    }
    assert objections == {}


def test_the_seeds_instances_pass_the_instance_rules(seeds):
    verdicts = {
        seed.id: verdicts_on_instances(
            [ParsedInstance(i.input, i.output, False) for i in seed.instances], FilterSettings()
        )
        for seed in seeds
    }
    assert {name: found for name, found in verdicts.items() if any(found)} == {}


class OurTokens:
    """What RougeScorer asks for."""

    def tokenize(self, text):
        return tokens(text)


def test_no_two_seeds_are_alike(seeds):
    """By rouge_score, which knows nothing of our index; a pair that shares too few tokens need not be scored."""
    scorer = RougeScorer(["rougeL"], tokenizer=OurTokens())
    counted = [Counter(tokens(seed.instruction)) for seed in seeds]
    alike = []
    n_scored = 0
    for (a, first), (b, second) in itertools.combinations(zip(seeds, counted, strict=True), 2):
        if 2 * (first & second).total() <= 0.6 * (first.total() + second.total()):
            continue  # the longest common subsequence has at most the shared tokens
        n_scored += 1
        score = scorer.score(a.instruction, b.instruction)["rougeL"].fmeasure
        if score > 0.6:
            alike.append((a.id, b.id, score))
    assert alike == []
    assert n_scored < 2000


def test_a_seed_would_not_be_admitted_again(seeds):
    pool = Pool(seeds, FilterSettings())
    rejection, _, nearest = verdict_on(Candidate("r", 0, seeds[7].instruction), pool)
    assert nearest.index == 7
    assert rejection.evidence["nearest_id"] == seeds[7].id


def test_the_labels_of_a_shipped_classification_task_repeat_or_are_short(seeds):
    outputs = [instance.output for seed in seeds if seed.is_classification for instance in seed.instances]
    assert max(len(output.split()) for output in outputs) <= 6


def test_every_shipped_seed_has_a_name_of_its_own(seeds):
    names = [seed.name for seed in seeds]
    assert len(set(names)) == len(names)
    assert all(a.id < b.id for a, b in itertools.pairwise(seeds))
