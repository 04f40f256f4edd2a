"""Seeds: what a user may have got wrong is named by line and field; the shipped ones are fit to begin with."""

import itertools
import json

import pytest

from selfinstruct.config import FilterSettings
from selfinstruct.errors import UsageError
from selfinstruct.filters import FILTERS, judge, judge_instances
from selfinstruct.novelty import NoveltyIndex
from selfinstruct.parsing import ParsedInstance
from selfinstruct.pool import Pool
from selfinstruct.prompts import shipped
from selfinstruct.records import Candidate, Instance, SeedTask
from selfinstruct.seeds import read_seeds

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
    assert message.endswith("mine.jsonl, line 3: field id: 'rivers' is used on line 1 already")


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"\xef\xbb\xbf"])
def test_a_file_without_a_seed_says_what_it_needs(tmp_path, content):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    assert refusal(path) == f"{path}: holds no seed task. It needs at least one, better forty."


def test_a_missing_file_says_what_is_expected(tmp_path):
    path = tmp_path / "nowhere.jsonl"
    assert refusal(path) == f"{path}: there is no such seed file. --seeds takes a JSONL file of seed tasks."


def test_a_folder_is_no_seed_file(tmp_path):
    assert refusal(tmp_path).startswith(f"{tmp_path}: cannot be read (")


def test_a_file_in_another_encoding_is_named_with_the_byte(tmp_path):
    path = written(tmp_path, {**GOOD, "name": "flüsse"}, encoding="latin-1")
    assert refusal(path).startswith(f"{path}: not UTF-8 text (byte ")


# The shipped seeds.


@pytest.fixture(scope="module")
def seeds():
    return read_seeds(shipped("seeds") / "seeds.jsonl")


def test_there_are_forty_seeds_and_a_quarter_are_classification(seeds):
    assert len(seeds) >= 40
    assert sum(seed.is_classification for seed in seeds) >= len(seeds) / 4


def test_the_seeds_pass_the_projects_own_filters(seeds):
    pool = Pool((), FilterSettings())
    objections = {
        seed.id: rejection
        for seed in seeds
        for rule in FILTERS
        if (rejection := rule(Candidate("seed", 0, seed.instruction), pool))
    }
    assert objections == {}


def test_the_seeds_instances_pass_the_instance_rules(seeds):
    verdicts = {
        seed.id: judge_instances([ParsedInstance(i.input, i.output, False) for i in seed.instances], 5)
        for seed in seeds
    }
    assert {name: found for name, found in verdicts.items() if any(found)} == {}


def test_no_two_seeds_are_alike(seeds):
    index = NoveltyIndex()
    alike = []
    for seed in seeds:
        if near := index.nearest(seed.instruction, above=0.6):
            alike.append((seed.id, seeds[near.index].id, near.score))
        index.add(seed.instruction)
    assert alike == []


def test_a_seed_would_not_be_admitted_again(seeds):
    pool = Pool(seeds, FilterSettings())
    rejection, nearest = judge(Candidate("r", 0, seeds[7].instruction), pool)
    assert nearest.index == 7
    assert rejection.evidence["nearest_id"] == seeds[7].id


def test_the_labels_of_a_shipped_classification_task_repeat_or_are_short(seeds):
    outputs = [instance.output for seed in seeds if seed.is_classification for instance in seed.instances]
    assert max(len(output.split()) for output in outputs) <= 6


def test_every_shipped_seed_has_a_name_of_its_own(seeds):
    names = [seed.name for seed in seeds]
    assert len(set(names)) == len(names)
    assert all(a.id < b.id for a, b in itertools.pairwise(seeds))
