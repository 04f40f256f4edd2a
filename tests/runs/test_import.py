"""Recorded answers of other tools, brought into a run: every form of line, in order, once, and nothing lost."""

import json
import random
import re
import signal
import sqlite3
import string
import tomllib
from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer

from selfinstruct.engine.gate import Gate
from selfinstruct.errors import UsageError
from selfinstruct.filters.instruction import PAPER_FORBIDDEN_WORDS
from selfinstruct.records import Instance
from selfinstruct.runs import importing
from selfinstruct.runs.recorded import read_alpaca, read_classes, read_completions, read_instances
from selfinstruct.runs.run import open_run
from selfinstruct.simulated.world.tasks import compose, make_instance, recognise
from tests.conftest import json_lines, run_cli
from tests.loopback import HANG_S, command_after, working

SEEDS = {
    "Turn the temperature from Celsius into Fahrenheit.": ("21", "69.8"),
    "Say which of the two animals lives longer.": ("tortoise, hamster", "tortoise"),
    "Draft a polite reply to a neighbour who complains about noise.": ("", "Dear neighbour, I am sorry ..."),
    "List the ingredients of a simple pancake batter.": ("", "flour, milk, eggs, salt"),
}
RIVERS, TENSE, ICE, RHYME = (
    "Name three rivers that cross a border.",
    "Rewrite the given sentence in the past tense.",
    "Explain to a child why ice floats on water.",
    "Find a word that rhymes with the one I give you.",
)
PROMPT = "Think of new tasks:\n1. Turn the temperature from Celsius into Fahrenheit.\n2."
ANSWER = f" {RIVERS}\n3. {TENSE}\n4. {ICE}"  # goes on behind PROMPT
LISTED = f"1. {RIVERS}\n2. {TENSE}\n3. {ICE}"  # stands alone
NOTHING = "Recorded answers hold no such thing."


def written(path: Path, rows: list) -> Path:
    """A file of JSON lines; a row that is a text already is written as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def seed_file(tmp_path: Path) -> Path:
    rows = [
        {"instruction": text, "instances": [{"input": given, "output": output}], "is_classification": False}
        for text, (given, output) in SEEDS.items()
    ]
    return written(tmp_path / "seeds.jsonl", rows)


@pytest.fixture
def seeds(tmp_path) -> Path:
    return seed_file(tmp_path)


def said(*instructions: str, finish_reason: str = "stop") -> dict:
    """One recorded answer that proposes `instructions`."""
    text = "\n".join(f"{n}. {instruction}" for n, instruction in enumerate(instructions, 1))
    return {"prompt": "", "text": text, "finish_reason": finish_reason}


def admitted(run: Path) -> list[str]:
    return [row["instruction"] for row in json_lines(run_cli("tasks", run, "--json").stdout)]


def rejections(run: Path) -> list[dict]:
    return json_lines(run_cli("rejected", run, "--json").stdout)


def records(run: Path) -> list[tuple[str, str, str, bool | None]]:
    rows = json_lines((run / "records.jsonl").read_text())
    return [(row["instruction"], row["input"], row["output"], row["is_classification"]) for row in rows]


def whole(run: Path) -> dict[str, list]:
    """All that the run's database holds, but for the times."""
    db = sqlite3.connect(run / "run.db")
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
    found = {}
    for table in tables:
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] != "created_at"]
        found[table] = db.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1, 2").fetchall()
    db.close()
    return found


def files(run: Path) -> tuple[bytes, dict]:
    """The records byte by byte, and the settings, whose tables may be written in another order."""
    return (run / "records.jsonl").read_bytes(), tomllib.loads((run / "config.toml").read_text())


def fails(*arguments) -> str:
    """The message of a command that must fail as a user's mistake does: one message, exit code 2."""
    result = run_cli(*arguments)
    assert result.returncode == 2, f"{result.returncode}\n{result.stdout}\n{result.stderr}"
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr
    return result.stderr


# Every kind of line.


def choice(text: str, finish_reason: str = "stop") -> dict:
    return {"index": 0, "text": text, "finish_reason": finish_reason, "logprobs": None}


def message(text: str | None, finish_reason: str = "stop") -> dict:
    return {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}


def published(prompt: str, answer: str, *instructions: str, finish_reason: str = "stop") -> list[dict]:
    """Lines as the reference code writes them: the whole answer again with each instruction that it admitted."""
    metadata = {"prompt": prompt, "response": {"choices": [choice(answer, finish_reason)]}, "created_at": 1.5}
    return [
        {"instruction": text.capitalize(), "most_similar": {}, "avg_similarity_score": 0.1, "metadata": metadata}
        for text in instructions
    ]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([{"prompt": PROMPT, "text": ANSWER, "finish_reason": "stop", "created_at": 1}], id="text"),
        pytest.param([{"text": LISTED}], id="text alone"),
        pytest.param([{"prompt": PROMPT, "response": {"choices": [choice(ANSWER)]}}], id="raw"),
        pytest.param([{"prompt": PROMPT, "response": {"choices": [message(ANSWER)]}}], id="chat"),
        pytest.param(
            [
                {
                    "custom_id": "a",
                    "response": {"status_code": 200, "body": {"choices": [message(LISTED)]}},
                    "error": None,
                }
            ],
            id="batch",
        ),
        pytest.param(published(PROMPT, ANSWER, RIVERS, TENSE, ICE), id="reference code"),
        pytest.param(published(PROMPT, ANSWER, ICE), id="reference code, one line"),
        pytest.param([{"instruction": text} for text in (RIVERS, TENSE, ICE)], id="instructions alone"),
        pytest.param(["", {"text": f"Sure, here they are:\n\n{LISTED}\n\nHave fun with them!"}, " "], id="blank lines"),
        pytest.param([json.dumps([{"text": LISTED}], indent=1)], id="one JSON list"),
        pytest.param([{"text": json.dumps({"tasks": [RIVERS, TENSE, ICE]})}], id="answered in JSON"),
    ],
)
def test_every_form_of_a_recorded_proposal(cli, tmp_path, seeds, rows):
    file = written(tmp_path / "answers.jsonl", rows)
    output = cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds).stdout
    assert admitted(tmp_path / "run") == [RIVERS, TENSE, ICE]
    assert "3 admitted" in output
    assert "Tasks without recorded instances: 3." in output
    cli("verify", tmp_path / "run")


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(cli, tmp_path, seeds):
    (tmp_path / "answers.jsonl").write_bytes(
        b"\xef\xbb\xbf" + b"\r\n".join(json.dumps(said(text)).encode() for text in (RIVERS, ICE))
    )
    cli("import", tmp_path / "run", "--completions", tmp_path / "answers.jsonl", "--seeds", seeds)
    assert admitted(tmp_path / "run") == [RIVERS, ICE]


def test_the_order_of_the_file_is_kept(cli, tmp_path, seeds):
    rng = random.Random(4)
    rows = [said(*(compose(rng) for _ in range(4))) for _ in range(30)]
    file = written(tmp_path / "answers.jsonl", rows)
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
    proposed = [line.partition(". ")[2] for row in rows for line in row["text"].split("\n")]
    found = admitted(tmp_path / "run")
    assert len(found) > 80
    assert found == [text for text in proposed if text in set(found)]
    assert sorted({row["step"] for row in json_lines(run_cli("tasks", tmp_path / "run", "--json").stdout)})[-1] == 29
    cli("verify", tmp_path / "run")


def test_each_answer_is_kept_as_it_was_said_with_its_prompt(cli, tmp_path, seeds):
    rows = [{"prompt": PROMPT, "text": ANSWER, "finish_reason": "length"}, *published("", LISTED, RIVERS, TENSE)]
    file = written(tmp_path / "answers.jsonl", rows)
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
    found = whole(tmp_path / "run")
    assert sorted((row[1], row[2], row[6]) for row in found["requests"]) == [
        ("propose", "imported", ""), ("propose", "imported", PROMPT)
    ]  # fmt: skip
    assert sorted(row[1:3] for row in found["completions"]) == [(ANSWER, "length"), (LISTED, "stop")]


def test_an_answer_that_is_repeated_by_a_teacher_is_judged_twice(cli, tmp_path, seeds):
    """Only the reference code's own lines are repetitions of one answer."""
    file = written(tmp_path / "answers.jsonl", [said(RIVERS), said(RIVERS)])
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
    (row,) = rejections(tmp_path / "run")
    assert (row["reason"], row["text"], row["evidence"]["score"]) == ("too_similar", RIVERS, 1.0)


@pytest.mark.parametrize(
    "failed",
    [
        {"prompt": PROMPT, "response": None},
        {"prompt": "", "text": "", "finish_reason": "error"},
        {"instruction": "", "metadata": {"prompt": PROMPT, "response": None}},
        {"custom_id": "b", "response": None, "error": {"code": "expired", "message": "it took too long"}},
    ],
)
def test_a_request_that_failed_is_told_and_costs_nothing_else(cli, tmp_path, seeds, failed):
    file = written(tmp_path / "answers.jsonl", [said(RIVERS), failed, said(ICE)])
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
    assert admitted(tmp_path / "run") == [RIVERS, ICE]
    (row,) = rejections(tmp_path / "run")
    assert (row["stage"], row["reason"], row["text"]) == ("propose", "no_answer", "")
    assert row["evidence"]["error"]
    cli("verify", tmp_path / "run")


@pytest.mark.parametrize(
    "row",
    [
        # A model that declines, or a filter that holds the answer back, leaves the text null.
        {"prompt": PROMPT, "response": {"choices": [message(None, "content_filter")]}},
        {"custom_id": "b", "response": {"status_code": 500, "body": {"error": {"message": "overloaded"}}}},
        {"custom_id": "b", "response": {"status_code": 200, "body": {"choices": []}}},
    ],
    ids=["null content", "error body", "no choices"],
)
def test_an_answer_without_text_does_not_make_the_others_unreadable(cli, tmp_path, seeds, row):
    file = written(tmp_path / "answers.jsonl", [said(RIVERS), row, said(ICE)])
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
    assert admitted(tmp_path / "run") == [RIVERS, ICE]
    (rejection,) = rejections(tmp_path / "run")
    assert rejection["reason"] in ("no_answer", "empty_answer")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty_answer"),
        ("I'm sorry, but I cannot help with that.", "refusal"),
        ("There is much to be done in this world.", "no_list"),
    ],
)
def test_an_answer_that_proposes_nothing_is_kept_with_the_reason(cli, tmp_path, seeds, text, reason):
    file = written(tmp_path / "answers.jsonl", [{"text": text}, said(ICE)])
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
    (row,) = rejections(tmp_path / "run")
    assert (row["stage"], row["reason"], row["text"]) == ("propose", reason, text)
    assert admitted(tmp_path / "run") == [ICE]


def test_an_answer_that_was_cut_off_loses_only_its_last_item(cli, tmp_path, seeds):
    cut = "Describe how a letter travels from the"
    file = written(tmp_path / "answers.jsonl", [said(RIVERS, TENSE, cut, finish_reason="length"), said(ICE)])
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
    assert admitted(tmp_path / "run") == [RIVERS, TENSE, ICE]
    (row,) = rejections(tmp_path / "run")
    assert (row["stage"], row["reason"], row["text"]) == ("filter", "cut_off", cut)


# Logs of other servers: camel-ai/camel#4266, QwenLM/qwen-code#9884 (cut); bespokelabsai/curator#261 (filtered).
@pytest.mark.parametrize(
    ("fields", "is_cut"),
    [({"finish_reason": "model_length"}, True), ({"finish_reason": "MAX_TOKENS"}, True),
     ({"stop_reason": "max_tokens"}, True), ({"finish_reason": "RECITATION"}, True),
     ({"finish_reason": "end_turn"}, False), ({"finish_reason": "eos_token"}, False), ({"finish_reason": 7}, False)],
)  # fmt: skip
def test_an_answer_was_cut_off_by_whatever_name(cli, tmp_path, seeds, fields, is_cut):
    answer = {name: value for name, value in said(RIVERS, TENSE, ICE).items() if name != "finish_reason"} | fields
    cli("import", tmp_path / "run", "--completions", written(tmp_path / "a.jsonl", [answer]), "--seeds", seeds)
    assert admitted(tmp_path / "run") == [RIVERS, TENSE, ICE][: 2 if is_cut else 3]


@pytest.mark.parametrize(
    "recorded_message",
    [{"content": [{"type": "thinking", "thinking": f"1. {RHYME}"}, {"type": "text", "text": LISTED}]},
     {"content": LISTED, "reasoning_content": f"1. {RHYME}"},
     {"content": None, "reasoning": f"1. {RHYME}</think>{LISTED}"}],
)  # fmt: skip
def test_a_recorded_answer_is_read_without_its_reasoning(cli, tmp_path, seeds, recorded_message):
    row = {"prompt": "", "response": {"choices": [{"message": recorded_message, "finish_reason": "stop"}]}}
    cli("import", tmp_path / "run", "--completions", written(tmp_path / "a.jsonl", [row]), "--seeds", seeds)
    assert admitted(tmp_path / "run") == [RIVERS, TENSE, ICE]


@pytest.mark.parametrize(
    "response",
    [{"error": {"code": 502, "message": "lost"}, "choices": [choice(LISTED)]},
     {"choices": [choice(LISTED, "insufficient_system_resource")]}, {"choices": [choice(LISTED, "abort")]}],
)  # fmt: skip
def test_a_recorded_answer_that_failed_halfway_is_none(cli, tmp_path, seeds, response):
    file = written(tmp_path / "a.jsonl", [{"prompt": "", "response": response}, said(RHYME)])
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
    assert admitted(tmp_path / "run") == [RHYME]
    assert [row["reason"] for row in rejections(tmp_path / "run")] == ["no_answer"]


@pytest.mark.parametrize(
    "instruction",
    [
        "Put the steps into the right order:\n1. Bake it.\n2. Knead the dough.\n3. Buy flour.",
        "Answer the question about this paragraph.\n\nThe lake froze over early that year.",
        "Say what rule 2. of the club means for new members.",
    ],
    ids=["a list", "two paragraphs", "a number with a period"],
)
def test_an_instruction_alone_is_one_task_whatever_it_holds(cli, tmp_path, seeds, instruction):
    file = written(tmp_path / "answers.jsonl", [{"instruction": instruction}, {"instruction": RIVERS}])
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
    found = [" ".join(text.split()) for text in admitted(tmp_path / "run")]
    assert found == [" ".join(instruction.split()), RIVERS]


def test_text_of_any_script_and_half_a_surrogate_pair_can_be_brought_in(cli, tmp_path, seeds):
    file = tmp_path / "answers.jsonl"
    file.write_text('{"text": "1. 写一首关于长江的短诗。\\n2. Name the letter \\ud800 in this old alphabet."}\n')
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
    assert admitted(tmp_path / "run") == ["写一首关于长江的短诗。", "Name the letter ? in this old alphabet."]
    cli("verify", tmp_path / "run")


# Classes and instances.

MOOD = "Tell whether the Review sounds happy or sad."
MADE_TENSE = "Example 1\nInput: She walks home.\nOutput: She walked home.\n\nExample 2\nInput: We eat.\nOutput: We ate."
MADE_MOOD = "Class label: happy\nInput: What a wonderful evening!\n\nClass label: sad\nInput: I left in tears."


def recorded(tmp_path, completions, classification=None, instances=None) -> list:
    """The options of an import of these rows."""
    options: list = []
    for name, rows in (("completions", completions), ("classification", classification), ("instances", instances)):
        if rows is not None:
            options += [f"--{name}", written(tmp_path / f"{name}.jsonl", rows)]
    return options


EXPECTED = [
    (TENSE, "She walks home.", "She walked home.", False),
    (TENSE, "We eat.", "We ate.", False),
    (MOOD, "What a wonderful evening!", "happy", True),
    (MOOD, "I left in tears.", "sad", True),
]


@pytest.mark.parametrize(
    ("classification", "instances"),
    [
        pytest.param(
            [{"instruction": TENSE, "is_classification": " No"}, {"instruction": MOOD, "is_classification": " Yes"}],
            [{"instruction": TENSE, "raw_instances": MADE_TENSE}, {"instruction": MOOD, "raw_instances": MADE_MOOD}],
            id="in two files",
        ),
        pytest.param(
            [{"instruction": TENSE, "is_classification": False}, {"instruction": MOOD, "is_classification": True}],
            [{"instruction": TENSE, "raw_instances": MADE_TENSE}, {"instruction": MOOD, "raw_instances": MADE_MOOD}],
            id="true and false",
        ),
        pytest.param(
            None,
            [
                {"instruction": TENSE, "raw_instances": MADE_TENSE, "is_classification_raw": "no, it is not"},
                {"instruction": MOOD, "raw_instances": MADE_MOOD, "is_classification": True},
            ],
            id="class beside the instances",
        ),
        pytest.param(
            [{"instruction": MOOD, "is_classification": "Yes, so."}, {"instruction": TENSE, "is_classification": "No"}],
            [
                {
                    "instruction": text.capitalize(), "raw_instances": made, "instruction_metadata": {},
                    "instance_metadata": {
                        "prompt": f"Task: {text}\n", "response": {"choices": [choice(made)]}, "created_at": 2.5
                    },
                    "most_similar": {}, "avg_similarity_score": 0.2,
                }
                for text, made in ((MOOD, MADE_MOOD), (TENSE, MADE_TENSE))
            ],
            id="reference code, other order",
        ),
        pytest.param(
            [
                {"instruction": f"  {MOOD.upper()}", "is_classification": "YES"},
                {"instruction": TENSE, "is_classification": "no"},
            ],
            [
                {"instruction": TENSE.lower().replace(" ", "  "), "raw_instances": MADE_TENSE, "is_classification": ""},
                {"instruction": MOOD.upper(), "raw_instances": MADE_MOOD, "is_classification": "No"},
            ],
            id="case and white space do not count, the file of classes goes before",
        ),
    ],
)  # fmt: skip
def test_instances_come_to_their_tasks(cli, tmp_path, seeds, classification, instances):
    options = recorded(tmp_path, [said(TENSE, MOOD)], classification, instances)
    output = cli("import", tmp_path / "run", *options, "--seeds", seeds).stdout
    assert records(tmp_path / "run") == EXPECTED
    assert rejections(tmp_path / "run") == []
    assert "no recorded instances" not in output
    cli("verify", tmp_path / "run")


def test_every_answer_is_in_the_store_with_its_stage(cli, tmp_path, seeds):
    options = recorded(
        tmp_path, [said(TENSE)],
        [{"instruction": TENSE, "is_classification": " No"}], [{"instruction": TENSE, "raw_instances": MADE_TENSE}],
    )  # fmt: skip
    cli("import", tmp_path / "run", *options, "--seeds", seeds)
    db = sqlite3.connect(tmp_path / "run/run.db")
    found = db.execute("SELECT r.stage, c.text FROM requests r JOIN completions c ON c.request_id = r.id").fetchall()
    of_instances = db.execute(
        "SELECT DISTINCT r.stage, c.text FROM instances i JOIN requests r ON r.id = i.request_id "
        "JOIN completions c ON c.request_id = r.id"
    ).fetchall()
    db.close()
    assert sorted(found) == [("classify", " No"), ("instances", MADE_TENSE), ("propose", f"1. {TENSE}")]
    assert of_instances == [("instances", MADE_TENSE)]


def test_instances_that_were_cut_off_lose_only_the_last(cli, tmp_path, seeds):
    row = {"instruction": TENSE, "raw_instances": MADE_TENSE + " And then", "is_classification": False}
    in_metadata = {"prompt": "", "response": {"choices": [choice(MADE_TENSE, "length")]}}
    for name, more in (("a", {"finish_reason": "length"}), ("b", {"instance_metadata": in_metadata})):
        options = recorded(tmp_path, [said(TENSE)], None, [row | more])
        cli("import", tmp_path / name, *options, "--seeds", seeds)
        assert records(tmp_path / name) == EXPECTED[:1]
        (rejection,) = rejections(tmp_path / name)
        assert (rejection["stage"], rejection["reason"]) == ("instances", "cut_off")
        assert "We ate. And then" in rejection["text"]


def test_a_prompt_that_had_begun_the_answer_is_read_with_it(cli, tmp_path, seeds):
    begun = {"prompt": f"Task: {MOOD}\nClass label:", "response": {"choices": [choice(MADE_MOOD[12:])]}}
    row = {"instruction": MOOD, "raw_instances": MADE_MOOD[12:], "instance_metadata": begun, "is_classification": True}
    cli("import", tmp_path / "run", *recorded(tmp_path, [said(MOOD)], None, [row]), "--seeds", seeds)
    assert records(tmp_path / "run") == EXPECTED[2:]


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("Input: She walks home.\nOutput: She walked home.", ("She walks home.", "She walked home.")),
        ("She walked home.", ("", "She walked home.")),
    ],
)
def test_what_stands_above_the_second_example_is_the_first(cli, tmp_path, seeds, first, expected):
    made = f"{first}\n\nExample 2\nInput: We eat.\nOutput: We ate."
    row = {"instruction": TENSE, "raw_instances": made, "is_classification": False}
    cli("import", tmp_path / "run", *recorded(tmp_path, [said(TENSE)], None, [row]), "--seeds", seeds)
    assert records(tmp_path / "run") == [(TENSE, *expected, False), EXPECTED[1]]


def test_a_failed_request_for_instances_leaves_the_task_without(cli, tmp_path, seeds):
    row = {"instruction": TENSE, "raw_instances": "", "instance_metadata": {"prompt": "", "response": None}}
    cli("import", tmp_path / "run", *recorded(tmp_path, [said(TENSE)], None, [row]), "--seeds", seeds)
    assert records(tmp_path / "run") == []
    (rejection,) = rejections(tmp_path / "run")
    assert (rejection["stage"], rejection["reason"]) == ("instances", "no_answer")


def test_an_unclear_class_is_kept_and_the_task_read_input_first(cli, tmp_path, seeds):
    classes = [{"instruction": TENSE, "is_classification": "That depends on the point of view."}]
    made = [{"instruction": TENSE, "raw_instances": MADE_TENSE}]
    cli("import", tmp_path / "run", *recorded(tmp_path, [said(TENSE)], classes, made), "--seeds", seeds)
    assert records(tmp_path / "run") == [(*row[:3], None) for row in EXPECTED[:2]]
    (rejection,) = rejections(tmp_path / "run")
    assert (rejection["stage"], rejection["reason"]) == ("classify", "unclear_class")
    assert rejection["text"] == classes[0]["is_classification"]


@pytest.mark.parametrize("line", ["same line", "other line"])
def test_lines_of_no_admitted_task_are_rejections_with_their_text(cli, tmp_path, seeds, line):
    other = "Hum the tune of a sad song."
    classes = [{"instruction": other, "is_classification": " No, I think"}]
    made = [{"instruction": other, "raw_instances": "Example 1\nOutput: Hmm."}]
    if line == "other line":
        made = [{"instruction": RIVERS, "raw_instances": "Example 1\nOutput: Oder, Mekong, Rhine"}, *made]
    options = recorded(tmp_path, [said(RIVERS)], classes, made)
    output = cli("import", tmp_path / "run", *options, "--seeds", seeds).stdout
    assert "Answers that no admitted task could use: 2 " in output
    found = rejections(tmp_path / "run")
    assert {(row["stage"], row["reason"], row["text"]) for row in found} == {
        ("classify", "no_such_task", " No, I think"), ("instances", "no_such_task", "Example 1\nOutput: Hmm."),
    }  # fmt: skip
    assert {row["evidence"]["instruction"] for row in found} == {other.casefold()}
    cli("verify", tmp_path / "run")


# Again, later, and after an interruption.


def test_the_same_files_again_change_nothing(cli, tmp_path, seeds):
    options = recorded(
        tmp_path, [said(TENSE, MOOD, "Draw a cat for me, please."), {"text": "no"}, said(TENSE, RIVERS)],
        [{"instruction": MOOD, "is_classification": "Yes"}, {"instruction": NOTHING, "is_classification": "Yes"}],
        [{"instruction": MOOD, "raw_instances": MADE_MOOD}, {"instruction": TENSE, "raw_instances": "?"}],
    )  # fmt: skip
    cli("import", tmp_path / "run", *options, "--seeds", seeds)
    before = whole(tmp_path / "run"), files(tmp_path / "run")
    cli("import", tmp_path / "run", *options, "--seeds", seeds)
    assert (whole(tmp_path / "run"), files(tmp_path / "run")) == before
    cli("import", tmp_path / "run", *options)  # it has its seeds
    assert (whole(tmp_path / "run"), files(tmp_path / "run")) == before
    assert len(rejections(tmp_path / "run")) == 4


def test_instances_may_be_given_later(cli, tmp_path, seeds):
    classes = [{"instruction": TENSE, "is_classification": " No"}, {"instruction": MOOD, "is_classification": " Yes"}]
    made = [{"instruction": TENSE, "raw_instances": MADE_TENSE}, {"instruction": MOOD, "raw_instances": MADE_MOOD}]
    completions = [said(TENSE, MOOD)]
    cli("import", tmp_path / "run", *recorded(tmp_path, completions), "--seeds", seeds)
    assert records(tmp_path / "run") == []
    output = cli("import", tmp_path / "run", *recorded(tmp_path, completions, classes[1:], made[1:])).stdout
    assert "Tasks without recorded instances: 1." in output
    assert records(tmp_path / "run") == EXPECTED[2:]
    cli("import", tmp_path / "run", *recorded(tmp_path, completions, classes, made))
    assert records(tmp_path / "run") == EXPECTED
    cli("import", tmp_path / "at_once", *recorded(tmp_path, completions, classes, made), "--seeds", seeds)
    assert records(tmp_path / "at_once") == EXPECTED
    cli("verify", tmp_path / "run")


def test_classes_that_were_given_before_the_instances_are_not_forgotten(cli, tmp_path, seeds):
    completions = [said(TENSE, MOOD)]
    classes = [{"instruction": TENSE, "is_classification": " No"}, {"instruction": MOOD, "is_classification": " Yes"}]
    made = [{"instruction": TENSE, "raw_instances": MADE_TENSE}, {"instruction": MOOD, "raw_instances": MADE_MOOD}]
    cli("import", tmp_path / "run", *recorded(tmp_path, completions, classes), "--seeds", seeds)
    cli("import", tmp_path / "run", *recorded(tmp_path, completions, None, made))
    assert records(tmp_path / "run") == EXPECTED


def many(n: int, seed: int = 11) -> tuple[list[dict], list[dict], list[dict]]:
    """Completions with 3 composed tasks each, with classes and instances of most of them."""
    rng = random.Random(seed)
    texts = [compose(rng) for _ in range(3 * n)]
    completions = [said(*texts[i : i + 3]) for i in range(0, 3 * n, 3)]
    classes, made = [], []
    for text in texts:
        if rng.random() < 0.2:
            continue
        task = recognise(text)
        given, output = make_instance(task, rng)
        order = (
            f"Class label: {output}\nInput: {given}" if task.is_classification else f"Input: {given}\nOutput: {output}"
        )
        classes.append({"instruction": text, "is_classification": "Yes" if task.is_classification else "No"})
        made.append({"instruction": text, "raw_instances": order})
    return completions, classes, [{"instruction": "Not one of them, this.", "raw_instances": "Output: x"}, *made]


def without_ids(found: dict[str, list]) -> dict[str, list]:
    """What is left to compare where settings beside the data may differ."""
    return {name: rows for name, rows in found.items() if name not in ("run",)}


@pytest.mark.parametrize("at", [("admit", 1), ("admit", 7), ("admit", 12), ("keep", 1), ("keep", 20)])
def test_an_import_that_was_interrupted_goes_on(cli, tmp_path, seeds, monkeypatch, at):
    method, call = at
    options = [*recorded(tmp_path, *many(12)), "--seeds", seeds]
    cli("import", tmp_path / "whole", *options)
    calls = []
    true = getattr(Gate, method)

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return true(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(importing, "STEPS_AT_ONCE", 5)
        patch.setattr(Gate, method, interrupted)
        with pytest.raises(BaseException):  # noqa: B017 - as the command line turns it into an exit
            open_and_bring(tmp_path / "run", tmp_path, seeds)
    assert len(whole(tmp_path / "run")["steps"]) < 12 or method == "keep"
    cli("import", tmp_path / "run", *options)
    assert without_ids(whole(tmp_path / "run")) == without_ids(whole(tmp_path / "whole"))
    assert files(tmp_path / "run") == files(tmp_path / "whole")
    cli("verify", tmp_path / "run")


def open_and_bring(folder: Path, rows: Path, seeds: Path) -> None:
    opened = open_run(folder, None, {}, seeds, asking=False)
    with opened.store:
        named = {name: rows / f"{name}.jsonl" for name in ("completions", "classification", "instances")}
        recorded = importing.read_recorded(folder, seeds, **named)
        importing.bring_in(opened, recorded)


KILLED_AT = """
import os, signal
from selfinstruct.engine.gate import Gate
from selfinstruct.runs import importing
importing.STEPS_AT_ONCE = 10
admit, calls = Gate.admit, []
def counted(*arguments):
    calls.append(1)
    if len(calls) == {n_calls}:
        os.kill(os.getpid(), signal.SIGKILL)
    return admit(*arguments)
Gate.admit = counted
"""


def test_an_import_that_was_killed_goes_on(cli, tmp_path, seeds):
    options = [*recorded(tmp_path, *many(30)), "--seeds", seeds]
    cli("import", tmp_path / "whole", *options)
    path = tmp_path / "run/run.db"
    for n_calls in (5, 15, 2):  # before anything is written, in the middle of it, and again
        with working(command_after(KILLED_AT.format(n_calls=n_calls), "import", tmp_path / "run", *options)) as killed:
            killed.wait(HANG_S)
        assert killed.returncode == -signal.SIGKILL
    assert 0 < n_steps(path) < 30
    cli("import", tmp_path / "run", *options)
    assert without_ids(whole(tmp_path / "run")) == without_ids(whole(tmp_path / "whole"))
    cli("verify", tmp_path / "run")


def n_steps(path: Path) -> int:
    if not path.exists():
        return 0
    db = sqlite3.connect(path)
    try:
        return db.execute("SELECT count(*) FROM steps").fetchone()[0]
    except sqlite3.OperationalError:  # its tables are not made yet
        return 0
    finally:
        db.close()


def test_a_run_generated_to_its_end_can_be_imported_again_without_change(cli, tmp_path, seeds):
    """Steps of a teacher behind those of the file are no part of the file."""
    options = recorded(tmp_path, *many(6))
    cli("import", tmp_path / "run", *options, "--seeds", seeds)
    cli("generate", tmp_path / "run", "--target", 30)
    before = whole(tmp_path / "run"), files(tmp_path / "run")
    cli("import", tmp_path / "run", *options)
    assert (whole(tmp_path / "run"), files(tmp_path / "run")) == before


def test_a_half_imported_run_that_a_teacher_went_on_with_loses_no_recorded_answer_silently(
    cli, tmp_path, seeds, monkeypatch
):
    options = [*recorded(tmp_path, *many(12)), "--seeds", seeds]
    true = Gate.admit
    with monkeypatch.context() as patch:
        patch.setattr(importing, "STEPS_AT_ONCE", 4)
        patch.setattr(Gate, "admit", lambda gate, step, *rest: true(gate, step, *rest) if step < 4 else 1 // 0)
        with pytest.raises(ZeroDivisionError):
            open_and_bring(tmp_path / "run", tmp_path, seeds)
    cli("generate", tmp_path / "run", "--target", 25)
    result = run_cli("import", tmp_path / "run", *options[:-2])
    if result.returncode == 0:
        texts = {row[1] for row in whole(tmp_path / "run")["completions"]}
        assert {row["text"] for row in many(12)[0]} <= texts
    else:
        assert result.returncode == 2
        assert "Error: " in result.stderr


# What does not belong together.


def test_other_files_are_refused_and_nothing_is_changed(cli, tmp_path, seeds):
    options = recorded(tmp_path, [said(RIVERS, TENSE)])
    cli("import", tmp_path / "run", *options, "--seeds", seeds)
    before = whole(tmp_path / "run"), files(tmp_path / "run")
    other = written(tmp_path / "other.jsonl", [said(RIVERS, TENSE), said(ICE)])
    assert "other.jsonl" in fails("import", tmp_path / "run", "--completions", other, "--seeds", seeds)
    alpaca = written(tmp_path / "alpaca.json", [{"instruction": ICE, "input": "", "output": "It is lighter."}])
    assert "new folder" in fails("import", tmp_path / "run", "--alpaca", alpaca)
    assert (whole(tmp_path / "run"), files(tmp_path / "run")) == before


def test_other_files_are_refused_before_settings_are_changed(cli, tmp_path, seeds):
    cli("import", tmp_path / "run", *recorded(tmp_path, [said(RIVERS, TENSE)]), "--seeds", seeds)
    before = whole(tmp_path / "run"), files(tmp_path / "run")
    other = written(tmp_path / "other.jsonl", [said(ICE)])
    config = tmp_path / "run.toml"
    config.write_text("seed = 5\nproposals_per_request = 20\n")
    fails("import", tmp_path / "run", "--completions", other, "--config", config)
    assert (whole(tmp_path / "run"), files(tmp_path / "run")) == before


def test_a_run_of_a_teacher_is_no_place_for_recorded_answers(cli, tmp_path, seeds):
    cli("generate", tmp_path / "run", "--target", 3)
    before = whole(tmp_path / "run"), files(tmp_path / "run")
    assert "new folder" in fails("import", tmp_path / "run", *recorded(tmp_path, [said(RIVERS)]))
    assert (whole(tmp_path / "run"), files(tmp_path / "run")) == before


def test_other_seeds_and_other_filters_are_refused(cli, tmp_path, seeds):
    options = recorded(tmp_path, [said(RIVERS, TENSE)])
    cli("import", tmp_path / "run", *options, "--seeds", seeds)
    before = whole(tmp_path / "run"), files(tmp_path / "run")
    row = {"instruction": ICE, "instances": [{"input": "", "output": "x"}], "is_classification": False}
    fewer = written(tmp_path / "fewer.jsonl", [row])
    config = tmp_path / "run.toml"
    config.write_text("[filters]\nrouge_threshold = 0.5\n")
    for command in (["import", tmp_path / "run", *options], ["generate", tmp_path / "run", "--target", 5]):
        assert "the seeds differ from those" in fails(*command, "--seeds", fewer)
        assert "filters.rouge_threshold was 0.7, now 0.5" in fails(*command, "--config", config)
    assert (whole(tmp_path / "run"), files(tmp_path / "run")) == before


def test_another_profile_is_refused(cli, tmp_path, seeds):
    options = recorded(tmp_path, [said(RIVERS, TENSE)])
    cli("import", tmp_path / "run", *options, "--seeds", seeds)
    for command in (["import", tmp_path / "run", *options], ["generate", tmp_path / "run", "--target", 5]):
        assert "filters.ascii_start was False, now True" in fails(*command, "--profile", "paper")


def test_another_strategy_brings_its_own_settings(cli, tmp_path, seeds):
    cli("import", tmp_path / "run", *recorded(tmp_path, [said(RIVERS, TENSE)]), "--seeds", seeds)
    cli("generate", tmp_path / "run", "--target", 5, "--strategy", "alpaca")
    found = tomllib.loads((tmp_path / "run/config.toml").read_text())
    assert (found["seed_demonstrations"], found["generated_demonstrations"]) == (3, 0)
    assert found["proposals_per_request"] == 20
    assert found["propose"]["sampling"]["max_tokens"] == 3072


def test_a_profile_holds_for_later_imports_and_for_generate(cli, tmp_path, seeds):
    options = recorded(
        tmp_path, [said("Éclair recipes differ; name two of them.", "Suggest some music for a wedding.")]
    )
    cli("import", tmp_path / "run", *options, "--seeds", seeds, "--profile", "paper")
    assert admitted(tmp_path / "run") == ["Suggest some music for a wedding."]
    (row,) = rejections(tmp_path / "run")
    assert (row["reason"], row["evidence"]) == ("starts_with_non_ascii", {"character": "É"})
    cli("import", tmp_path / "run", *options)
    cli("generate", tmp_path / "run", "--target", 4)
    assert 'profile = "paper"' in (tmp_path / "run/config.toml").read_text()


# Going on with a teacher.


@pytest.mark.parametrize("config", ["", "seed = 3\n[propose]\nsampling = { temperature = 0.3 }\n"])
def test_generate_goes_on_from_what_was_imported(cli, tmp_path, seeds, config):
    cli("import", tmp_path / "run", *recorded(tmp_path, *many(8)), "--seeds", seeds)
    imported = admitted(tmp_path / "run")
    made = {(row[0], row[1], row[2]) for row in records(tmp_path / "run")}
    unmade = [row["generated"] for row in json_lines(run_cli("tasks", tmp_path / "run", "--json").stdout)].count(False)
    assert 0 < unmade < len(imported)
    options = []
    if config:
        (tmp_path / "run.toml").write_text(config)
        options = ["--config", tmp_path / "run.toml", "--teacher", "simulated", "--model", "simulated-large"]
    target = len(imported) + 10
    output = cli("generate", tmp_path / "run", "--target", target, *options).stdout
    assert f"{target} admitted of {target}" in output
    grown = json_lines(run_cli("tasks", tmp_path / "run", "--json").stdout)
    assert [row["instruction"] for row in grown[: len(imported)]] == imported
    assert all(row["generated"] for row in grown)
    assert made <= {(row[0], row[1], row[2]) for row in records(tmp_path / "run")}
    cli("verify", tmp_path / "run")
    figures = json.loads(cli("status", tmp_path / "run", "--json").stdout)
    requests = {(row["stage"], row["model"]): row["requests"] for row in figures["usage"]}
    model = "simulated-large" if config else "simulated"
    assert requests["instances", model] == unmade + 10  # what was recorded is not asked for again
    assert requests["propose", "imported"] == 8
    # What the teacher was shown: seeds, and imported tasks.
    db = sqlite3.connect(tmp_path / "run/run.db")
    shown = db.execute("SELECT user FROM requests WHERE stage = 'propose' AND teacher = 'simulated'").fetchall()
    db.close()
    assert any(text in prompt for (prompt,) in shown for text in SEEDS)
    assert any(text in prompt for (prompt,) in shown for text in imported)
    # From here on it is a run like any other.
    assert "now 99" in fails("generate", tmp_path / "run", "--target", target + 1, "--seed", 99)
    cli("generate", tmp_path / "run", "--target", target + 2)
    cli("verify", tmp_path / "run")


def test_generate_from_an_import_is_repeatable_whatever_the_concurrency(cli, tmp_path, seeds):
    options = [*recorded(tmp_path, *many(8)), "--seeds", seeds]
    for name, concurrency in (("a", 1), ("b", 32)):
        cli("import", tmp_path / name, *options)
        cli("generate", tmp_path / name, "--target", 40, "--concurrency", concurrency)
    assert files(tmp_path / "a")[0] == files(tmp_path / "b")[0]


# Finished datasets.


def alpaca(tmp_path: Path, rows: list[dict], name: str = "alpaca.json") -> Path:
    path = tmp_path / name
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=2), encoding="utf-8")
    return path


def row(instruction: str, given: str = "", output: str = "Done.") -> dict[str, str]:
    return {"instruction": instruction, "input": given, "output": output}


def test_rows_with_the_same_instruction_are_instances_of_one_task(cli, tmp_path):
    rows = [row(TENSE, "I go.", "I went."), row(RIVERS, "", "Oder, Mekong, Rhine"), row(TENSE, "We see.", "We saw.")]
    path = alpaca(tmp_path, rows)
    output = cli("import", tmp_path / "run", "--alpaca", path).stdout
    assert records(tmp_path / "run") == [
        (TENSE, "I go.", "I went.", None), (TENSE, "We see.", "We saw.", None),
        (RIVERS, "", "Oder, Mekong, Rhine", None),
    ]  # fmt: skip
    assert admitted(tmp_path / "run") == [TENSE, RIVERS]
    assert "class      not requested" in output
    before = whole(tmp_path / "run"), files(tmp_path / "run")
    cli("import", tmp_path / "run", "--alpaca", path)
    assert (whole(tmp_path / "run"), files(tmp_path / "run")) == before
    lines = written(tmp_path / "alpaca.jsonl", rows)
    cli("import", tmp_path / "lines", "--alpaca", lines)
    assert records(tmp_path / "lines") == records(tmp_path / "run")
    cli("verify", tmp_path / "run")


def test_each_row_is_in_the_store_as_it_was(cli, tmp_path):
    rows = [row(TENSE, "I go.", "I went."), row(RIVERS, "None", "Oder, Mekong, Rhine"), row("Draw.", "a cat", "=^.^=")]
    cli("import", tmp_path / "run", "--alpaca", alpaca(tmp_path, rows))
    texts = [json.loads(text) for _, text, *_ in whole(tmp_path / "run")["completions"]]
    found = [one for text in texts for one in text]
    assert len(found) == 3
    assert all(one in found for one in rows)


def test_a_missing_input_is_none(cli, tmp_path):
    rows = [{"instruction": RIVERS, "output": "Oder, Mekong, Rhine", "text": "of another tool"}]
    cli("import", tmp_path / "run", "--alpaca", alpaca(tmp_path, rows))
    assert records(tmp_path / "run") == [(RIVERS, "", "Oder, Mekong, Rhine", None)]


SPELLINGS = [
    "None", "none.", "N/A", "n/a", "NA", "No input", "no input.", "No Input Provided", "No input needed",
    "No input required.", "no additional input", "No specific input given", "<noinput>", "<no input>", "[none]",
    "(none)",     "Not applicable", "Not applicable.", "not required", "Empty", "-", "--", '""',
]  # fmt: skip


def test_every_spelling_of_no_input_is_told(cli, tmp_path):
    rng = random.Random(2)
    texts = [compose(rng) for _ in SPELLINGS]
    # Alike as such tasks may be, they are not to be compared here.
    config = tmp_path / "run.toml"
    config.write_text("[filters]\nrouge_threshold = 1.0\n")
    rows = [row(text, given, f"Answer {n}.") for n, (text, given) in enumerate(zip(texts, SPELLINGS, strict=True))]
    cli("import", tmp_path / "run", "--alpaca", alpaca(tmp_path, rows), "--config", config)
    found = {(r["reason"], r["evidence"]["input"]) for r in rejections(tmp_path / "run")}
    assert found == {("pseudo_empty_input", given) for given in SPELLINGS}
    cli("verify", tmp_path / "run")


@pytest.mark.parametrize(
    "given",
    ["None of us knew the way.", "nonet", "Empty the bin, please.", "N. Armstrong", "no inputs: 3", "NaN", "-5"],
)
def test_an_input_that_only_resembles_those_stays(cli, tmp_path, given):
    cli("import", tmp_path / "run", "--alpaca", alpaca(tmp_path, [row(TENSE, given, "It was so.")]))
    assert records(tmp_path / "run") == [(TENSE, given, "It was so.", None)]


@pytest.mark.parametrize(
    ("bad", "reason", "evidence"),
    [
        (row(TENSE, "I go.", "I go."), "output_equals_input", {}),
        (row(TENSE, "I go.", " I go.\n"), "output_equals_input", {}),
        (row(TENSE, "I go.", "Here is the sentence:"), "ends_with_colon", {"field": "output"}),
        (row(TENSE, "The sentence:", "I went."), "ends_with_colon", {"field": "input"}),
        (
            row(TENSE, "I go.", "I went.\n\n7. Instruction: Name a lake.\n7. Input: <noinput>\n7. Output: Como"),
            "merged_tasks", {"line": "7. Instruction: Name a lake."},
        ),
        (row(TENSE, "I go.", "I went.\n### Response: We saw."), "merged_tasks", {"line": "### Response: We saw."}),
        (row(TENSE, "I go.", "I went.\n##Instruction:\nName a lake."), "merged_tasks", {"line": "##Instruction:"}),
        (row(TENSE, "I go.", "I went.\n8. Input: We see."), "merged_tasks", {"line": "8. Input: We see."}),
    ],
)  # fmt: skip
def test_each_defect_of_a_finished_dataset_has_its_reason(cli, tmp_path, bad, reason, evidence):
    rows = [row(RIVERS, "", "Oder, Mekong, Rhine"), bad, row(ICE, "", "It is lighter than water.")]
    output = cli("import", tmp_path / "run", "--alpaca", alpaca(tmp_path, rows)).stdout
    (found,) = rejections(tmp_path / "run")
    assert (found["stage"], found["reason"], found["evidence"]) == ("instances", reason, evidence)
    assert bad["output"].strip() in found["text"]
    assert [record[0] for record in records(tmp_path / "run")] == [RIVERS, ICE]
    assert admitted(tmp_path / "run") == [RIVERS, TENSE, ICE]
    assert reason in output
    assert "1 task has none" in output
    cli("verify", tmp_path / "run")


@pytest.mark.parametrize("bad", [row(TENSE, "I go.", ""), row(TENSE, "I go.", " \n"), row(TENSE, "", "[Your answer]")])
def test_a_row_without_an_output_is_no_task(cli, tmp_path, bad):
    """It would count towards the target, and keep out others like it."""
    other = row(f"Kindly {TENSE[0].lower()}{TENSE[1:]}", "I go.", "I went.")
    cli("import", tmp_path / "run", "--alpaca", alpaca(tmp_path, [bad, other]))
    (found,) = rejections(tmp_path / "run")
    assert (found["stage"], found["reason"], found["text"]) == ("filter", "empty_output", TENSE)
    assert admitted(tmp_path / "run") == [other["instruction"]]
    cli("verify", tmp_path / "run")


def test_repeated_and_contradictory_rows(cli, tmp_path):
    rows = [
        row(TENSE, "I go.", "I went."), row(TENSE, "I go.", "I went."),
        row(RHYME, "house", "mouse"), row(RHYME, "house", "grouse"), row(RHYME, "tree", "sea"),
        row(RIVERS, "", "Oder, Mekong, Rhine"), row(RIVERS, "", "Danube, Nile, Congo"),
    ]  # fmt: skip
    cli("import", tmp_path / "run", "--alpaca", alpaca(tmp_path, rows))
    assert [record[:3] for record in records(tmp_path / "run")] == [
        (TENSE, "I go.", "I went."), (RIVERS, "", "Oder, Mekong, Rhine"), (RIVERS, "", "Danube, Nile, Congo"),
    ]  # fmt: skip
    found = sorted((r["reason"], json.dumps(r["evidence"])) for r in rejections(tmp_path / "run"))
    conflict = json.dumps({"input": "house", "outputs": ["mouse", "grouse"]})
    assert found == [("conflicting_outputs", conflict)] * 3 + [("duplicate_instance", '{"same_as": 0}')]


def test_tasks_that_are_alike_or_forbidden_are_told_with_the_evidence(cli, tmp_path, seeds):
    rows = [
        row(RIVERS), row("Name three rivers that cross the border."), row("Draw a map of the Rhine valley."),
        row("Turn a temperature from Celsius into Fahrenheit.", "3", "37.4"), row("Write a program that counts."),
        row("Sing it."), row("!!!"), row(""), row("Name a river, " + "long " * 150),
    ]  # fmt: skip
    cli("import", tmp_path / "run", "--alpaca", alpaca(tmp_path, rows), "--seeds", seeds)
    assert admitted(tmp_path / "run") == [RIVERS]
    found = {r["text"]: (r["reason"], r["evidence"]) for r in rejections(tmp_path / "run")}
    assert {text: reason for text, (reason, _) in found.items()} == {
        rows[1]["instruction"]: "too_similar", rows[2]["instruction"]: "forbidden_word",
        rows[3]["instruction"]: "too_similar", rows[4]["instruction"]: "asks_for_program",
        rows[5]["instruction"]: "too_short", "!!!": "no_words", "": "no_words", rows[8]["instruction"]: "too_long",
    }  # fmt: skip
    assert found[rows[1]["instruction"]][1]["nearest"] == RIVERS
    assert found[rows[3]["instruction"]][1]["nearest"] == next(iter(SEEDS))
    assert 0.7 < found[rows[3]["instruction"]][1]["score"] < 1
    cli("verify", tmp_path / "run")


def test_only_so_many_instances_of_a_task_are_kept(cli, tmp_path):
    rows = [row(RHYME, word, f"{word} and {word}") for word in ("one", "two", "three", "four", "five", "six", "seven")]
    cli("import", tmp_path / "run", "--alpaca", alpaca(tmp_path, rows))
    assert [record[1] for record in records(tmp_path / "run")] == ["one", "two", "three", "four", "five"]
    assert {(r["reason"], r["evidence"]["most"]) for r in rejections(tmp_path / "run")} == {("too_many", 5)}


@pytest.fixture(scope="module")
def big() -> list[dict]:
    """400 rows as such datasets are: every task once, most of them with an input."""
    rng = random.Random(8)
    rows: dict[str, dict] = {}
    while len(rows) < 400:
        text = compose(rng)
        rows.setdefault(text, row(text, *make_instance(recognise(text), rng)))
    return list(rows.values())


def test_many_rows_keep_their_order(cli, tmp_path, monkeypatch, big):
    """They go in by several transactions: 120 tasks at once, and the instances of 6."""
    monkeypatch.setattr(importing, "STEPS_AT_ONCE", 6)
    path = alpaca(tmp_path, big)
    cli("import", tmp_path / "run", "--alpaca", path)
    found = [record[:3] for record in records(tmp_path / "run")]
    order = {(r["instruction"], r["input"], r["output"]): n for n, r in enumerate(big)}
    assert [order[record] for record in found] == sorted(order[record] for record in found)
    told = rejections(tmp_path / "run")
    assert len(found) + len(told) == 400  # nothing is lost on the way
    assert len(found) > 200
    cli("verify", tmp_path / "run")
    cli("export", tmp_path / "run", "--format", "alpaca", "--output", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == [row(*record) for record in found]


def test_other_settings_beside_the_filters_do_not_bring_rows_in_twice(cli, tmp_path, big):
    path = alpaca(tmp_path, big[:60])
    cli("import", tmp_path / "run", "--alpaca", path)
    before = without_ids(whole(tmp_path / "run"))
    config = tmp_path / "run.toml"
    for n in (3, 20):
        config.write_text(f"proposals_per_request = {n}\n")
        cli("import", tmp_path / "run", "--alpaca", path, "--config", config)
        assert without_ids(whole(tmp_path / "run")) == before


@pytest.mark.parametrize("call", [2, 4])
def test_an_interrupted_import_of_a_dataset_goes_on(cli, tmp_path, monkeypatch, big, call):
    path = alpaca(tmp_path, big[:100])
    cli("import", tmp_path / "whole", "--alpaca", path)
    calls = []
    true = Gate.admit

    def interrupted(*arguments):
        calls.append(1)
        return true(*arguments) if len(calls) < call else 1 // 0

    with monkeypatch.context() as patch:
        patch.setattr(importing, "STEPS_AT_ONCE", 3)
        patch.setattr(Gate, "admit", interrupted)
        opened = open_run(tmp_path / "run", None, {}, None, asking=False)
        with opened.store, pytest.raises(ZeroDivisionError):
            importing.bring_in(opened, importing.read_recorded(tmp_path / "run", None, alpaca=path))
    cli("import", tmp_path / "run", "--alpaca", path)
    assert without_ids(whole(tmp_path / "run")) == without_ids(whole(tmp_path / "whole"))
    cli("verify", tmp_path / "run")


@pytest.mark.parametrize("strategy", ["self-instruct", "alpaca"])
@pytest.mark.parametrize("seeded", [True, False])
def test_generate_goes_on_from_a_dataset(cli, tmp_path, big, strategy, seeded):
    path = alpaca(tmp_path, big[:30])
    cli("import", tmp_path / "run", "--alpaca", path, *(["--seeds", seed_file(tmp_path)] if seeded else []))
    imported = records(tmp_path / "run")
    n = len(admitted(tmp_path / "run"))
    cli("generate", tmp_path / "run", "--target", n + 12, "--strategy", strategy)
    grown = records(tmp_path / "run")
    assert grown[: len(imported)] == imported
    assert len(admitted(tmp_path / "run")) == n + 12
    assert {record[3] for record in grown[len(imported) :]} <= ({None} if strategy == "alpaca" else {True, False})
    cli("verify", tmp_path / "run")


# A user's mistakes.


UNREADABLE = [
    (b"", "is empty"),
    (b"\n  \n", "is empty"),
    (b"[]", "is empty"),
    (b'{"text": "1. Name a lake in the north."}\n{"text": "1. \n', "line 2: not valid JSON"),
    (b"Name a lake.\n", "line 1: not valid JSON"),
    (b'[{"text": "a"},\n {"text": }]', "not valid JSON (Expecting value, line 2"),
    (b'\n{"text": "1. Name a lake."}\n["text"]\n', "line 3: not a JSON object"),
    (b'[7]', "row 1: not a JSON object"),
    (b'{"text": "1. Name a lake."}\n\n{"answer": "1. Name a sea.", "id": 4}\n', "line 3: needs a text"),
    (b'{"text": "1. Name a lake."}\n{}\n', "line 2: needs a text"),
    (b'{"text": ["1. Name a lake."]}\n', "line 1: needs a text"),
    (b'{"text": "1. Nenne einen Fl\xfc\xdf chen."}\n', "not UTF-8 text (byte 27)"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"text": "a", "n": ' + b"9" * 5000 + b"}", "line 1: has a number with too many digits"),
]  # fmt: skip


def test_completions_that_cannot_be_read_are_not_in_the_way_of_a_second_try(cli, tmp_path, seeds):
    file = tmp_path / "answers.jsonl"
    for content, expected in UNREADABLE:
        file.write_bytes(content)
        complaint = fails("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
        assert f"{file}" in complaint
        assert expected in complaint
        assert complaint.count("\n") == 1
        if "has no" in expected and b"answer" in content:
            assert "Its fields are: answer, id" in complaint
    written(file, [said(RIVERS)])
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds)
    assert admitted(tmp_path / "run") == [RIVERS]
    cli("verify", tmp_path / "run")


@pytest.mark.parametrize(
    ("option", "bad", "expected"),
    [
        ("classification", {"instruction": RIVERS}, "line 2: has no is_classification. Its fields are: instruction"),
        (
            "classification",
            {"is_classification": "Yes"},
            "line 2: has no instruction. Its fields are: is_classification",
        ),
        ("classification", {"instruction": RIVERS, "is_classification": 1}, "line 2: has no is_classification"),
        (
            "instances",
            {"instruction": RIVERS, "output": "x"},
            "has no raw_instances. Its fields are: instruction, output",
        ),
        ("instances", {"instruction": None, "raw_instances": "x"}, "line 2: has no instruction"),
        ("alpaca", {"instruction": RIVERS}, "line 2: needs the text fields instruction, input and output"),
        ("alpaca", {"input": "a", "output": "b"}, "Its fields are: input, output"),
        ("alpaca", {"instruction": RIVERS, "output": 7}, "line 2: output: a number, not text. It must be text"),
        ("alpaca", {"data": []}, "Its fields are: data"),
    ],
)
def test_a_line_without_its_field_is_named_and_nothing_is_brought_in(tmp_path, seeds, option, bad, expected):
    good = {
        "instruction": RIVERS,
        "is_classification": "No",
        "raw_instances": "Output: Oder",
        "input": "",
        "output": "x",
    }
    file = written(tmp_path / f"{option}.jsonl", [good, bad])
    options = [] if option == "alpaca" else recorded(tmp_path, [said(RIVERS)])
    complaint = fails("import", tmp_path / "run", *options, f"--{option}", file, "--seeds", seeds)
    assert expected in complaint
    assert complaint.count("\n") == 1
    assert not (tmp_path / "run/records.jsonl").exists()
    if (tmp_path / "run/run.db").exists():
        assert whole(tmp_path / "run")["steps"] == []


def test_a_missing_file_is_named_and_not_in_the_way_of_a_second_try(cli, tmp_path, seeds):
    nowhere = tmp_path / "nowhere.jsonl"
    good = {"--completions": written(tmp_path / "answers.jsonl", [said(RIVERS)]), "--seeds": seeds}
    for option in ("completions", "classification", "instances", "alpaca", "seeds", "config"):
        asked = {**good, f"--{option}": nowhere}
        if option == "alpaca":
            del asked["--completions"]
        complaint = fails("import", tmp_path / "run", *(part for pair in asked.items() for part in pair))
        assert str(nowhere) in complaint
        assert complaint.count("\n") == 1
    cli("import", tmp_path / "run", *(part for pair in good.items() for part in pair))
    assert admitted(tmp_path / "run") == [RIVERS]


def test_a_folder_is_no_file(tmp_path, seeds):
    assert "this is a folder" in fails("import", tmp_path / "run", "--completions", tmp_path, "--seeds", seeds)


def test_what_goes_with_what(cli, tmp_path, seeds):
    completions = written(tmp_path / "answers.jsonl", [said(RIVERS)])
    dataset = alpaca(tmp_path, [row(RIVERS)])
    run = tmp_path / "run"
    assert "(--completions FILE) or alpaca (--alpaca FILE)" in fails("import", run)
    for option in ("--completions", "--instances", "--classification"):
        assert "(--alpaca) imports whole tasks" in fails("import", run, "--alpaca", dataset, option, completions)
    assert "completions (--completions) needs seeds (--seeds)" in fails("import", run, "--completions", completions)
    assert not run.exists()
    cli("import", run, "--completions", completions, "--seeds", seeds)


def test_an_empty_folder_is_no_run_with_seeds_of_its_own(tmp_path):
    (tmp_path / "run").mkdir()
    completions = written(tmp_path / "answers.jsonl", [said(RIVERS)])
    assert "completions (--completions) needs seeds (--seeds)" in fails(
        "import", tmp_path / "run", "--completions", completions
    )


def test_the_readers_by_themselves(tmp_path):
    """What the command line cannot show: lines, and what a prompt had begun."""
    path = written(
        tmp_path / "a.jsonl", ["", {"prompt": PROMPT, "text": ANSWER}, {"prompt": "x\nClass label: ", "text": "y"}]
    )
    first, second = read_completions(path)
    assert (first.line, first.prefix, first.finish_reason) == (2, "2. ", "stop")
    assert (second.line, second.prefix) == (3, "Class label: ")
    classes = read_classes(
        written(tmp_path / "b.jsonl", [{"instruction": "A  b", "is_classification": v} for v in (True, " no")])
    )
    assert {name: [answer.text for answer in answers] for name, answers in classes.items()} == {"a b": ["Yes", " no"]}
    made = read_instances(
        written(tmp_path / "c.jsonl", [{"instruction": "A b", "raw_instances": "x", "finish_reason": None}])
    )
    ((answer, verdict),) = made["a b"]
    assert (answer.finish_reason, verdict) == ("stop", None)
    (task,) = read_alpaca(written(tmp_path / "d.jsonl", [row("a", "1", "x"), row("a", "2", "y")]))
    assert task == (1, "a", (Instance("1", "x"), Instance("2", "y")))
    with pytest.raises(UsageError, match="nowhere"):
        read_alpaca(tmp_path / "nowhere")


# The published rules, once more and independently.


def by_the_published_rules(seed_texts: list[str], completions: list[str]) -> list[str]:
    """What the rules of the reference code admit, in order: its splitting, its filters, its comparison."""
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    known = list(seed_texts)
    accepted = []
    for completion in completions:
        for part in re.split(r"\n\d+\s?\. ", "\n" + completion):
            text = re.sub(r"\s+", " ", part).strip().capitalize()
            if not text or not 3 < len(text.split()) <= 150:
                continue
            if any(re.search(rf"\b({word})\b", text, re.IGNORECASE) for word in PAPER_FORBIDDEN_WORDS):
                continue
            if text.startswith("Write a program") or text[0] in string.punctuation or not text[0].isascii():
                continue
            if any(scorer.score(text, other)["rougeL"].fmeasure > 0.7 for other in known):
                continue
            known.append(text)
            accepted.append(text)
    return accepted


def reworded(rng: random.Random, text: str) -> str:
    """The text with some of its words changed, left out, or in other places."""
    words = text.split()
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(words))
        if rng.random() < 0.4:
            words[at] = rng.choice(["quickly", "IT", "the", "2024", "e-mail,"])
        elif rng.random() < 0.5 and len(words) > 1:
            del words[at]
        else:
            words.insert(rng.randrange(len(words)), words.pop(at))
    return " ".join(words)


def proposed(rng: random.Random, before: list[str]) -> str:
    """One instruction as base models make them: new, said before in other words, or worth nothing."""
    text = compose(rng)
    kind = rng.randrange(12)
    if kind <= 3 and before:
        text = reworded(rng, rng.choice(before))
    elif kind == 4:
        at = text.index(" ")
        text = f"{text[:at]} {rng.choice([*PAPER_FORBIDDEN_WORDS, 'Images', 'GO TO', 'imagery', 'Mapping'])}{text[at:]}"
    elif kind == 5:
        text = " ".join(text.split()[: rng.randrange(1, 6)])
    elif kind == 6:
        text = rng.choice(["Write a program to ", "write a PROGRAM that ", "Write a programme for "]) + text.lower()
    elif kind == 7:
        text = rng.choice(["- ", "...", "(", "'", "$5: "]) + text
    elif kind == 8:
        text = f"{text} " * rng.randrange(2, 30)
    elif kind == 9:
        text = text.upper() if rng.random() < 0.5 else "  " + text.replace(" ", "   ", 2)
    return text.strip() if rng.random() < 0.9 else f" {text} "


@pytest.mark.parametrize("seed", range(6))
def test_the_published_rules_admit_the_same(cli, tmp_path, seed):
    rng = random.Random(seed)
    seed_texts = [compose(rng) for _ in range(12)]
    row = {"instances": [{"input": "", "output": "x"}], "is_classification": False}
    seeds = written(tmp_path / "seeds.jsonl", [{"instruction": text, **row} for text in seed_texts])
    completions, before = [], list(seed_texts)
    for _ in range(8):
        items = [proposed(rng, before) for _ in range(7)]
        before += items
        completions.append("".join(f"{n}. {text}\n" for n, text in enumerate(items, 9)))
    rows = [{"prompt": "Think of new tasks:\n8. So far.\n9.", "text": text.removeprefix("9.")} for text in completions]
    file = written(tmp_path / "answers.jsonl", rows)
    cli("import", tmp_path / "run", "--completions", file, "--seeds", seeds, "--profile", "paper")
    expected = by_the_published_rules(seed_texts, completions)
    assert [text.lower() for text in admitted(tmp_path / "run")] == [text.lower() for text in expected]
    assert len(expected) > 10
    assert {"too_similar", "too_short", "forbidden_word", "asks_for_program"} <= {
        rejection["reason"] for rejection in rejections(tmp_path / "run")
    }
    cli("verify", tmp_path / "run")


@pytest.mark.parametrize("named", [True, False])
def test_names_of_fields_in_a_language_that_is_not_known_can_be_set(cli, tmp_path, seeds, named):
    config = tmp_path / "run.toml"
    config.write_text(
        '[field_names]\nexample = ["Enghraifft"]\ninput = ["Mewnbwn"]\noutput = ["Allbwn"]\n' if named else ""
    )
    answer = "Enghraifft 1\nMewnbwn: sade\nAllbwn: rain\n\nEnghraifft 2\n**Mewnbwn:** lumi\n**Allbwn:** snow"
    completions = written(tmp_path / "completions.jsonl", [said(TENSE)])
    instances = written(tmp_path / "instances.jsonl", [{"instruction": TENSE, "raw_instances": answer}])
    run, again = tmp_path / "run", tmp_path / "again"
    cli(
        "import", run, "--completions", completions, "--instances", instances, "--seeds", seeds, "--config", config
    )  # fmt: skip
    cli("refilter", run, again)
    for folder in (run, again):
        read = [record[1:3] for record in records(folder)]
        assert read == ([("sade", "rain"), ("lumi", "snow")] if named else [])
        assert [row["reason"] for row in rejections(folder)] == ([] if named else ["no_instance"])


def test_rows_that_cannot_be_imported_are_named_at_once_with_each_reason_once(tmp_path):
    good = {"instruction": "Name a river.", "input": "", "output": "The Nile."}
    bad = {"instruction": "Name a lake.", "input": ""}
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (good, *[bad] * 7, {**good, "image": "a.png"})))
    with pytest.raises(UsageError) as refused:
        read_alpaca(path)
    assert str(refused.value).splitlines() == [
        f"{path}, line 2 and 6 more (3, 4, 5, 6, ...): needs the text fields instruction, input and output. "
        "Its fields are: instruction, input.",
        f"{path}, line 9: image: a text of media cannot be imported. Remove the row.",
        f"8 rows cannot be imported. selfinstruct check {path} lists them.",
    ]
