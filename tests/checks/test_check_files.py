"""`selfinstruct check` on files: every format in every kind of file, what it says, what --fix writes, bad files."""

import gzip
import json
import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from selfinstruct.checks.checking import check
from selfinstruct.checks.fixing import fix, mend, removed_path
from selfinstruct.errors import UsageError
from selfinstruct.pool.novelty import tokens
from selfinstruct.rows.fields import KNOWN
from selfinstruct.rows.files import read
from selfinstruct.rows.questions import read_lines
from tests.conftest import json_lines

TASKS = [
    ("Name the highest lock of the canal.", "", "It is the ninth one."),
    ("把这句话翻译成英文。", "船离开了船闸。", "The boat has left the lock."),
    ("Count the gates in the text.", "One gate is open, two are shut.", "3"),
]


def turns(instruction, given, output, keys=("role", "content"), names=("user", "assistant")):
    speaker, said = keys
    asked = f"{instruction}\n\n{given}" if given else instruction
    return [{speaker: names[0], said: asked}, {speaker: names[1], said: output}]


def system(prompt):
    return [{"role": "system", "content": prompt}]


def of_format(name):
    """Clean rows of one format, some with fields that hold nothing."""
    more = turns("And why?", "", "So it is.")
    rows = {
        "alpaca": [{"instruction": i, "input": g, "output": o, "origin": None} for i, g, o in TASKS],
        "messages": [{"messages": system("Be brief.") + turns(*t) + more, "n": None} for t in TASKS],
        "sharegpt": [{"id": "", "conversations": turns(*t, ("from", "value"), ("human", "gpt"))} for t in TASKS],
        "prompt-completion": [{"prompt": f"{i}\n{g}\n", "completion": f" {o}"} for i, g, o in TASKS],
        "records": [
            {"id": f"{n}", "task": n, "instruction": i, "input": g, "output": o, "is_classification": None,
             "messages": turns(i, g, o)}
            for n, (i, g, o) in enumerate(TASKS)
        ],
        "self-instruct": [
            {"id": f"t{n}", "instruction": i, "instances": [{"input": g, "output": o}], "is_classification": False}
            for n, (i, g, o) in enumerate(TASKS)
        ],
    }  # fmt: skip
    return rows[name]


FORMATS = ("alpaca", "messages", "sharegpt", "prompt-completion", "records", "self-instruct")
KINDS = {"json": "JSON list", "jsonl": "JSON Lines", "parquet": "Parquet"}


def write(path: Path, rows) -> Path:
    """The rows as the kind of file that the name says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=4, ensure_ascii=False), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rules(path):
    """What is found in a file: pairs of rule and number."""
    return [(finding.rule, finding.number) for finding in check(path).findings]


def alpaca(path, *texts):
    return write(path, [{"instruction": i, "input": g, "output": o} for i, g, o in texts])


# Formats and kinds of files.


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("format", FORMATS)
def test_a_clean_file_of_any_format_comes_out_as_it_was(tmp_path, cli, format, suffix):
    path = write(tmp_path / f"data.{suffix}", of_format(format))
    out = tmp_path / f"out.{suffix}"
    said = cli("check", path, "--fix", out, "--level", "advice").stdout
    assert f"3 rows, {KINDS[suffix]}, format {format}\nNo problems found.\n" in said
    if suffix == "parquet":
        assert pq.read_table(out).equals(pq.read_table(path))
    else:
        assert out.read_bytes() == path.read_bytes()
    assert removed_path(out).read_bytes() == b""


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("format", FORMATS)
def test_a_defect_of_any_format_is_mended_in_its_place(tmp_path, format, suffix):
    rows = of_format(format)
    broken = json.loads(
        json.dumps(rows).replace("It is the ninth one.", "It\\u00e2\\u20ac\\u2122s the ninth one.<|im_end|>\\n")
    )
    path = write(tmp_path / f"data.{suffix}", broken)
    checked = check(path)
    assert {finding.rule for finding in checked.findings} >= {"special_tokens", "mojibake"}
    fixed = fix(checked, tmp_path / f"out.{suffix}")
    assert (fixed.kept, fixed.changed, fixed.removed) == (3, 1, 0)
    wanted = json.loads(json.dumps(rows).replace("It is the ninth one.", "It\\u2019s the ninth one."))
    out = tmp_path / f"out.{suffix}"
    if format == "prompt-completion":  # there, the space around a text is meant
        wanted[0]["completion"] = " It’s the ninth one."
    assert (pq.read_table(out).to_pylist() if suffix == "parquet" else read_values(out)) == wanted
    (entry,) = json_lines(removed_path(out).read_text(encoding="utf-8"))
    assert (entry["action"], entry["was"]) == ("changed", broken[0])
    assert entry["became"].items() <= wanted[0].items()  # of Parquet the columns that are looked at


def read_values(path):
    return [row.value for row in read(path).rows]


def test_prompt_and_completion_may_be_lists_of_messages(tmp_path):
    row = {"prompt": turns("Nine?", "", "Yes.")[:1], "completion": turns("Nine?", "", "Yes.")[1:]}
    assert rules(write(tmp_path / "a.jsonl", [row])) == []
    row["completion"] = []
    assert rules(write(tmp_path / "b.jsonl", [row])) == [("no_answer_at_end", 1)]


def test_role_and_content_under_conversations_are_messages(tmp_path):
    path = write(tmp_path / "a.json", [{"conversations": turns(*task)} for task in TASKS])
    assert check(path).format == "messages"


def test_numbers_are_lines_in_lines_and_places_in_lists(tmp_path):
    good, bad = ({"instruction": "Nine?", "output": output} for output in ("Yes.", ""))
    lines = tmp_path / "a.jsonl"
    lines.write_text(f"\n{json.dumps(good)}\n\n{json.dumps(bad)}\n")
    assert ("empty_output", 4) in rules(lines)
    assert ("empty_output", 2) in rules(write(tmp_path / "a.json", [good, bad]))
    assert ("empty_output", 2) in rules(write(tmp_path / "a.parquet", [good, bad]))


def test_lines_may_end_with_cr_alone(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"instruction": "Nine?", "output": "Yes."}\r{"instruction": "Ten?"}\r')
    assert [row.value["instruction"] for row in read(path).rows] == ["Nine?", "Ten?"]


def test_a_list_in_the_first_line_of_several_is_a_row(tmp_path):
    (path := tmp_path / "a.jsonl").write_text('[{"messages": false}]\n\n{"instruction": "Why?", "output": "So."}\n')
    checked = check(path)
    assert checked.file.kind == "JSON Lines"
    assert [(f.rule, f.number) for f in checked.worst("error")] == [("wrong_type", 1)]


def test_rows_of_another_format_and_rows_without_one(tmp_path):
    rows = [
        *of_format("alpaca"),
        of_format("sharegpt")[0],
        {"instruction": "Ten?", "verdict": "No."},
        "text",
        {"messages": None},
    ]
    findings = check(write(tmp_path / "a.json", rows)).findings
    found = {finding.number: finding for finding in findings if finding.level == "error"}
    assert found[4].rule == "mixed_formats"
    assert found[4].evidence == "sharegpt, not alpaca"
    assert (found[5].rule, found[5].field) == ("missing_field", "output")
    assert found[6].rule == "wrong_type"
    assert found[7].rule == "mixed_formats"


def test_an_unwanted_answer_is_no_conflict_and_no_copy(tmp_path):
    rows = [
        {"instruction": "Which lock?", "output": output, "label": label}
        for output, label in (("The ninth.", True), ("None at all.", False), ("The ninth.", False))
    ]
    found = rules(write(tmp_path / "a.json", rows))
    assert [one for one in found if one[0] in ("conflicting_outputs", "exact_copy")] == []


# What is found between rows.

LOCK = "The keeper shuts both gates and opens the paddles, so that water flows in until the levels are equal."


def test_copies_other_answers_and_near_duplicates(tmp_path):
    path = alpaca(
        tmp_path / "a.json",
        ("Tell how a lock lifts a boat.", "", LOCK),
        ("Tell how a lock lifts a boat.", "", LOCK + "\n"),
        ("Tell  how a lock lifts a BOAT.", "", "With water."),
        ("Say how a lock lifts a boat.", "", LOCK),
        ("Tell how a weir works.", "", "It holds water back."),
    )
    found = [(f.rule, f.number, f.evidence) for f in check(path).findings if f.level != "advice"]
    assert found[0] == ("exact_copy", 2, "of row 1")
    assert found[1] == ("conflicting_outputs", 3, "asked in row 1")
    assert found[2][:2] == ("near_duplicate", 4)
    assert found[2][2].startswith("of row 1, Jaccard 0.")
    assert len(found) == 3


def test_a_shared_instruction_makes_no_near_duplicates(tmp_path):
    words = tokens("barge lock weir gate keel mast rope quay dock crane sluice basin tow path bridge ferry")
    instruction = (
        f"You are the keeper of a canal. {LOCK} Say of the word below whether it floats, and give no reason for it."
    )
    path = alpaca(tmp_path / "a.json", *((instruction, f"{a} {b}", "yes") for a in words for b in words if a < b))
    assert rules(path) == []


def test_rows_that_share_an_instruction_are_compared_without_it(tmp_path):
    task = f"Say whether this is true: {LOCK}"
    given = "A barge of forty tons rises in the ninth lock of the canal within ten minutes, when both paddles are open."
    near = given.replace("forty", "fifty")
    assert rules(alpaca(tmp_path / "a.json", (task, "a lock", "yes"), (task, "a weir", "no"))) == []
    assert rules(alpaca(tmp_path / "b.json", (task, given, "yes"), (task, near, "yes"))) == [("near_duplicate", 2)]


def test_instances_of_one_task_are_not_compared_but_their_repetition_is(tmp_path):
    task = {"instruction": f"Say whether this is true: {LOCK}", "is_classification": True, "instances": []}
    task["instances"] = [{"input": "a lock", "output": "yes"}, {"input": "a weir", "output": "no"}]
    assert rules(write(tmp_path / "a.jsonl", [task])) == []
    task["instances"].append(task["instances"][0])
    assert rules(write(tmp_path / "b.jsonl", [task])) == [("near_duplicate", 1)]
    task["instances"][2] = {"input": "a lock", "output": "no"}
    assert rules(write(tmp_path / "c.jsonl", [task])) == [("conflicting_outputs", 1)]


# What it says.


def test_json_has_every_finding_and_a_summary(tmp_path, cli):
    path = alpaca(
        tmp_path / "a.json", ("One?", "N/A", "1."), ("Two?", "", ""), ("Three?", "", "See https://locks.test/3.")
    )
    *found, last = json_lines(cli("check", path, "--json", code=1).stdout)
    assert [(row["rule"], row["level"], row["row"], row["field"]) for row in found] == [
        ("pseudo_empty_input", "warning", 1, "input"), ("empty_output", "error", 2, "output"),
        ("url_in_output", "advice", 3, "output"),
    ]  # fmt: skip
    assert found[0]["evidence"] == "N/A"
    assert all(row["message"] for row in found)
    assert last["summary"] == {
        "file": str(path), "kind": "JSON list", "format": "alpaca", "rows": 3, "rows_with_findings": 3, "errors": 1,
        "warnings": 1, "advice": 1, "not_used": {},
        "rules": {"pseudo_empty_input": 1, "empty_output": 1, "url_in_output": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("output", "codes"),
    [("", (1, 1, 1)), ("As an AI, I cannot.", (0, 1, 1)), ("Nine. ", (0, 0, 1)), ("Nine.", (0, 0, 0))],
)
def test_the_exit_code_follows_the_level(tmp_path, cli, output, codes):
    path = alpaca(tmp_path / "a.json", ("Which lock?", "", output))
    for level, code in zip(("error", "warning", "advice"), codes, strict=True):
        cli("check", path, "--level", level, code=code)
    cli("check", path, code=codes[0])


def test_examples_are_capped_and_steer_no_terminal(tmp_path, cli):
    path = alpaca(tmp_path / "a.json", *((f"Lock {n}?", "", "\x1b[31mred\x1b[0m" * 50 + str(n)) for n in range(30)))
    said = cli("check", path, code=1).stdout
    assert "\x1b" not in said
    assert "     30  control_characters" in said
    assert len(said) < 1000
    assert "errors: 30, warnings: 0, advice: 0; in 30 of 30 rows; --json lists all" in said


# --fix.


def test_a_run_is_not_a_file_and_its_records_are_named(tmp_path, cli):
    assert cli("check", tmp_path, code=2).stderr == f"Error: {tmp_path}: this is a folder; name a file.\n"
    records = write(tmp_path / "records.jsonl", of_format("alpaca"))
    assert f"The records of this run are in {records}." in cli("check", tmp_path, code=2).stderr


def test_a_pipe_of_the_shell_is_read_but_no_named_pipe_and_no_device(tmp_path, cli):
    named = tmp_path / "named.jsonl"
    os.mkfifo(named)
    for path in (named, "/dev/zero"):
        assert cli("check", path, code=2).stderr == f"Error: {path}: not a regular file.\n"
    reading, writing = os.pipe()
    os.write(writing, b'{"instruction": "Deep?", "output": "4 m."}')
    os.close(writing)
    assert len(read(Path(f"/dev/fd/{reading}")).rows) == 1
    os.close(reading)


@pytest.mark.parametrize(
    ("suffix", "other"), [("jsonl", "parquet"), ("parquet", "jsonl"), ("json", "jsonl"), ("jsonl", "csv")]
)
def test_a_fixed_file_is_not_written_as_another_kind(tmp_path, cli, suffix, other):
    path = write(tmp_path / f"data.{suffix}", of_format("alpaca"))
    refused = cli("check", path, "--fix", tmp_path / f"out.{other}", code=2).stderr
    assert refused.endswith(f"out.{other} must end in .{suffix}.\n")
    assert sorted(tmp_path.iterdir()) == [path]


SAID = {"instruction": "Tell how a lock lifts a boat.", "output": LOCK}
TURNS = [{"role": "user", "content": "Tell how a lock lifts a boat."}, {"role": "assistant", "content": LOCK}]


def shown(image):
    asked = [{"type": "image", "image": image}, {"type": "text", "text": "What is this?"}]
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": [{"type": "text", "text": LOCK}]}]


@pytest.mark.parametrize("kind", ["JSON", "Parquet"])
@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        ({**SAID, "images": ["a.png"]}, {**SAID, "images": ["b.png"]}, 2),
        ({**SAID, "image": "a.png"}, SAID, 2),
        ({**SAID, "label": 0}, {**SAID, "label": 1}, 2),
        ({**SAID, "score": 0.1}, {**SAID, "score": 0.9}, 2),
        ({**SAID, "source": "a"}, {**SAID, "source": "b"}, 2),
        ({"messages": TURNS, "label": "good"}, {"messages": TURNS, "label": "bad"}, 2),
        ({"messages": [{**TURNS[0], "name": "Eve"}, TURNS[1]]},
         {"messages": [{**TURNS[0], "name": "Bo"}, TURNS[1]]}, 1),
        ({**SAID, "id": 1, "sample_id": "a"}, {**SAID, "id": 2, "sample_id": "b"}, 1),
        ({**SAID, "score": 0.1, "id": 1}, {**SAID, "score": 0.1, "id": 2}, 1),
        ({**SAID, "score": 0.1, "output": LOCK + "\n"}, {**SAID, "score": 0.1}, 1),
        ({"messages": shown("a.png")}, {"messages": shown("b.png")}, 2),
    ],
)  # fmt: skip
def test_rows_that_differ_beside_their_texts_are_no_copies(tmp_path, kind, one, other, kept):
    path, out = tmp_path / "a.jsonl", tmp_path / "out"
    if kind == "Parquet":
        pq.write_table(pa.Table.from_pylist([one, other]), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in (one, other)))
    checked = check(path)
    assert sum(finding.rule == "exact_copy" for finding in checked.findings) == 2 - kept
    assert fix(checked, out).kept == kept


def test_what_goes_and_what_is_changed_is_kept_with_its_reason(tmp_path, cli):
    texts = [
        ("One?", "N/A", "1."),
        ("Two?", "", ""),
        ("Three?", "", " 3."),
        ("Three?", "", "3."),
        ("Four?", "", "4.\ud83d"),
    ]
    path = alpaca(tmp_path / "a.jsonl", *texts)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, '{"instruction": "Five?", "output"']))
    out = tmp_path / "out.jsonl"
    said = cli("check", path, "--fix", out, code=1).stdout
    assert f"{out}: 2 rows, 2 of them changed; 4 removed" in said
    assert [(row["instruction"], row["input"], row["output"]) for row in read_values(out)] == [
        ("One?", "", "1."),
        ("Three?", "", "3."),
    ]
    entries = json_lines(removed_path(out).read_text())
    assert [(e["line"], e["action"], [f["rule"] for f in e["findings"]]) for e in entries] == [
        (1, "changed", ["pseudo_empty_input"]), (2, "removed", ["empty_output"]), (3, "changed", ["surrounding_space"]),
        (4, "removed", ["exact_copy"]), (5, "removed", ["half_surrogate"]), (6, "removed", ["unreadable"]),
    ]  # fmt: skip
    assert [entry["was"] for entry in entries] == [*map(json.loads, lines), '{"instruction": "Five?", "output"']
    assert entries[0]["became"]["input"] == ""
    assert path.read_text().splitlines()[:5] == lines
    cli("check", out, "--level", "advice")


def test_a_question_behind_the_last_answer_is_cut_off(tmp_path):
    rows = [
        {"messages": turns("One?", "", "1.") + turns("Two?", "", "2.")[:1]},
        {"messages": turns("Three?", "", "3.")[:1]},
    ]
    fixed = fix(check(write(tmp_path / "a.jsonl", rows)), tmp_path / "out.jsonl")
    assert (fixed.kept, fixed.changed, fixed.removed) == (1, 1, 1)
    assert read_values(fixed.out) == [{"messages": turns("One?", "", "1.")}]


def test_messages_of_a_record_follow_its_fields(tmp_path):
    row = of_format("records")[0] | {"input": "no input"}
    row["messages"] = turns(row["instruction"], "no input", row["output"])
    other = row | {"messages": turns("Anything else?", "", row["output"]), "output": "8."}
    fixed = fix(check(write(tmp_path / "a.jsonl", [row, other])), tmp_path / "out.jsonl")
    first, second = read_values(fixed.out)
    assert (first["input"], first["messages"]) == ("", turns(row["instruction"], "", row["output"]))
    assert (second["input"], second["messages"]) == ("", other["messages"])
    capitals = {name.capitalize(): value for name, value in row.items()}
    assert mend(capitals, "records")["Messages"] == first["messages"]


def test_columns_of_parquet_that_nothing_looks_at_stay(tmp_path):
    rows = [
        {"instruction": i, "input": "none" if n == 1 else g, "output": o, "raw": bytes([n]), "when": None}
        for n, (i, g, o) in enumerate(TASKS)
    ]
    rows[2]["output"] = ""
    schema = pa.schema([
        ("raw", pa.binary()), ("instruction", pa.large_string()), ("input", pa.dictionary(pa.int32(), pa.string())),
        ("output", pa.string()), ("when", pa.timestamp("ns")),
    ], metadata={"made by": "hand"})  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "a.parquet")
    fix(check(tmp_path / "a.parquet"), tmp_path / "out.parquet")
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.schema.equals(schema, check_metadata=True)
    assert out.column("raw").to_pylist() == [b"\x00", b"\x01"]
    assert out.column("input").to_pylist() == ["", ""]


def test_a_field_that_nothing_looks_at_may_be_deep(tmp_path):
    text = '{"instruction": "Nine?", "output": " Yes. ", "path": ' + "[" * 600 + "]" * 600 + "}"
    (tmp_path / "a.jsonl").write_text(text)
    fix(check(tmp_path / "a.jsonl"), tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == text.replace(" Yes. ", "Yes.")


@pytest.mark.parametrize("taken", ["out.json", "out.json.removed.jsonl"])
def test_nothing_is_overwritten(tmp_path, cli, taken):
    path = alpaca(tmp_path / "a.json", *TASKS)
    (tmp_path / taken).write_text("mine")
    said = cli("check", path, "--fix", tmp_path / "out.json", code=2).stderr
    assert f"{taken} already exists" in said
    assert (tmp_path / taken).read_text() == "mine"
    before = path.read_bytes()
    cli("check", path, "--fix", path, code=2)
    (tmp_path / "link.json").symlink_to(path)
    cli("check", path, "--fix", tmp_path / "link.json", code=2)
    assert path.read_bytes() == before


def test_a_place_that_may_not_be_written(tmp_path, cli):
    (tmp_path / "shut").mkdir(mode=0o500)
    path = alpaca(tmp_path / "a.json", *TASKS)
    arguments = ("check", path, "--fix", tmp_path / "shut/out.json")
    assert "cannot be written" in cli(*arguments, code=2, as_anyone=True).stderr


def test_a_place_that_is_no_folder_leaves_nothing_behind(tmp_path, cli):
    path = alpaca(tmp_path / "a.json", *TASKS)
    said = cli("check", path, "--fix", path / "out.json", code=2).stderr
    assert "cannot be written" in said
    assert "--fix" in said
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


# Bad files.


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"[]", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "no row can be read (line 1: not UTF-8"),
        (b"PAR1 and no more", "cannot be read as Parquet"),
        (b"instruction,output\nNine?,Yes.\n", "no row can be read"),
        ('{"instruction": "Öffne?", "output": "Ja."}\n'.encode("latin1"), "iconv -f latin1 -t utf-8"),
        (b'{\n"data": [],\n"version": 1\n}', "is one JSON value with the fields data, version"),
        (b'{"data": []}', "no row has a known format; line 1 has the fields data"),
        (b"[1, 2]", "row 1 is not an object"),
        (b'[{"instruction": "caf\xe9"}]', "not UTF-8 text"),
        (b"[" * 100_000, "no row can be read"),
        ("[]".encode("utf-16"), "text in UTF-16. Convert it: iconv -f utf-16 -t utf-8"),
        ('{"instruction": "Nine?"}'.encode("utf-16-le"), "iconv -f utf-16le -t utf-8"),
        ("[]".encode("utf-32"), "text in UTF-32"),
        (gzip.compress(b"[]", mtime=0), "compressed with gzip. Unpack it first"),
        (b"PK\x03\x04 and more", "a ZIP archive or an .xlsx file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:9\n", "only a pointer of Git LFS"),
        (b'{"output": "a", "output": "b"}', "no row can be read (line 1: has two values for the field output)"),
        (b"9" * 5000, "no row can be read"),
        (b"\x00" * 5000, "no row can be read"),
    ],
)
def test_a_bad_file_gives_a_clear_error(tmp_path, cli, content, says):
    path = tmp_path / "bad"
    path.write_bytes(content)
    result = cli("check", path, code=2)
    assert says in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ([("output", pa.array(["9"])), ("output", pa.array(["8"]))], "has two columns with the name output"),
        ([("output", pa.array([b"\xff"]).view(pa.string()))], "cannot be read as Parquet (Column 1"),
        ([("output", pa.array([10**7], pa.int32()).view(pa.date32()))], "cannot be read as Parquet (date value"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(tmp_path, columns, says):
    path = tmp_path / "a.parquet"
    columns = [("instruction", pa.array(["Nine?"])), *columns]
    pq.write_table(pa.Table.from_arrays([values for _, values in columns], [name for name, _ in columns]), path)
    for reading in (check, read_lines):
        with pytest.raises(UsageError, match=re.escape(says)):
            reading(path)


def test_a_field_with_two_values_is_a_fault_of_its_row_alone(tmp_path):
    twice = '{"instruction": "Nine?", "messages": [{"role": "user", "role": "tool"}]}'
    (tmp_path / "a.json").write_text(f'[{{"a": 1, "a": 1}}, {twice}, {{"b": [{{"c": 1}}, {{"c": 2}}]}}]')
    assert [(row.value, row.fault) for row in read(tmp_path / "a.json").rows] == [
        ({"a": 1}, None), (None, "has two values for the field role"), ({"b": [{"c": 1}, {"c": 2}]}, None),
    ]  # fmt: skip


def test_a_missing_file_and_a_folder(tmp_path, cli):
    assert "no such file" in cli("check", tmp_path / "none.json", code=2).stderr
    assert "this is a folder; name a file" in cli("check", tmp_path, code=2).stderr


def test_a_file_that_may_not_be_read(tmp_path, cli):
    path = alpaca(tmp_path / "a.json", *TASKS)
    path.chmod(0)
    assert "a.json' is not readable" in cli("check", path, code=2, as_anyone=True).stderr


def test_lines_that_cannot_be_read_are_findings_and_the_others_are_checked(tmp_path):
    path = tmp_path / "a.jsonl"
    good = json.dumps(of_format("alpaca")[0]).encode()
    path.write_bytes(
        b"\n".join(
            [
                good,
                b'{"instruction": "caf\xe9"}',
                b"{",
                b"[" * 100_000,
                b'{"output": "a\tb"}',
                b'{"output": "a", "output": "b"}',
                b'{"instruction": "Ten?", "output": ""}',
            ]
        )
    )
    found = check(path).findings
    assert [(f.rule, f.number) for f in found] == [("unreadable", n) for n in (2, 3, 4, 5, 6)] + [("empty_output", 7)]
    assert "not UTF-8 (character 21)" in found[0].evidence
    assert "column" in found[1].evidence
    fixed = fix(check(path), tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == good
    assert fixed.removed == 6


@pytest.mark.parametrize("end", ["", ',\n{"instruction": "Ten?", "outp', ",", ", oops]", "] more", " {}]"])
def test_a_list_that_breaks_off_is_checked_as_far_as_it_goes(tmp_path, end):
    first = json.dumps({"instruction": "Nine?", "output": ""})
    path = tmp_path / "a.json"
    path.write_text(f"[{first}{end}")
    found = check(path).findings
    assert [(f.rule, f.number) for f in found] == [("empty_output", 1), ("unreadable", 2)]
    assert "line " in found[1].evidence


def test_a_huge_line_is_a_row_as_any(tmp_path):
    path = alpaca(
        tmp_path / "a.jsonl",
        ("Which lock?", "(" * 300_000, "a " * 500_000 + "."),
        ("Which?", "", "{\n" * 200_000),
        (" " * 200_000 + "x", " \n" * 99_999, "```" + " \n" * 99_999 + "a</s>"),
    )
    assert {finding.number for finding in check(path).findings} == {2, 3}


# Any row.

TEXTS = st.sampled_from(
    ["Nine?", "Nine.", "no input", "", " a", "x</s>", "\ud83d", "\x00", "â€™", "https://a.test", "```\na"]
) | st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*KNOWN, "role", "content", "from", "value", "type", "text", "tool_calls"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool", "x"]), "content": TEXTS | VALUES}
)
SAID = st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt", "system"]), "value": TEXTS | VALUES})
INSTANCE = st.fixed_dictionaries({"input": TEXTS | VALUES, "output": TEXTS | VALUES})
ROWS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {"instruction": TEXTS, "input": TEXTS | VALUES, "output": TEXTS | VALUES}, optional={"system": VALUES}
    ),
    st.fixed_dictionaries({"messages": st.lists(TURN, max_size=4) | VALUES}),
    st.fixed_dictionaries({"conversations": st.lists(SAID, max_size=4) | VALUES}),
    st.fixed_dictionaries({"prompt": TEXTS | st.lists(TURN, max_size=2) | VALUES, "completion": TEXTS | VALUES}),
    st.fixed_dictionaries({"instruction": TEXTS | VALUES, "instances": st.lists(INSTANCE, max_size=2) | VALUES}),
    st.fixed_dictionaries(
        {
            "instruction": TEXTS,
            "input": TEXTS,
            "output": TEXTS | VALUES,
            "messages": st.lists(TURN, max_size=2) | VALUES,
        }
    ),
)


@given(st.lists(ROWS, min_size=1, max_size=6), st.sampled_from(["json", "jsonl"]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_row_crashes_it_and_what_is_fixed_has_no_error(tmp_path_factory, rows, suffix):
    assume(suffix == "json" or len(rows) > 1 or not isinstance(rows[0], list))  # a line with a list is a list of rows
    folder = tmp_path_factory.mktemp("any")
    (path := folder / f"a.{suffix}").write_text(
        json.dumps(rows) if suffix == "json" else "".join(json.dumps(r) + "\n" for r in rows)
    )
    try:
        checked = check(path)
    except UsageError as error:
        assert "no row has a known format" in str(error) or "is empty" in str(error) or "row can be read" in str(error)
        return
    fixed = fix(checked, folder / "out")
    entries = json_lines(removed_path(fixed.out).read_text(encoding="utf-8"))
    assert fixed.kept + fixed.removed == len(checked.file.rows) == len(rows)
    assert [e["action"] for e in entries].count("removed") == fixed.removed
    assert [e["was"] for e in entries] == [rows[e[checked.file.unit] - 1] for e in entries]
    assert all(entry["findings"] for entry in entries)
    if fixed.kept:
        again = check(fixed.out)
        assert again.worst("error") == []
        assert again.format == checked.format
        assert fix(again, folder / "again").changed == 0
