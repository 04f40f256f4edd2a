"""The questions of a file: from whatever fields they stand in, and every file says what is wrong with it."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selfinstruct.errors import UsageError
from selfinstruct.records import Line
from selfinstruct.rows.questions import read_lines
from selfinstruct.runs.recorded import digest


def write(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content))
    return path


def test_a_text_file_has_a_question_a_line(tmp_path):
    path = write(tmp_path, "exam.txt", "\ufeffOne?\r\n\n  \n Two\u2028lines? \n")
    assert read_lines(path) == [Line(str(path), 1, "One?"), Line(str(path), 4, "Two\u2028lines?")]


@pytest.mark.parametrize(("name", "line"), [("exam.txt", "{}"), ("exam.jsonl", '{{"question": "{}"}}')])
def test_byte_order_marks_of_joined_files_are_no_text(tmp_path, name, line):
    path = write(tmp_path, name, "\n".join("\ufeff" + line.format(text) for text in ("One?", "Two?")))
    assert [text for _, _, text in read_lines(path)] == ["One?", "Two?"]


QUESTION_AND_ANSWER = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "No."}]


@pytest.mark.parametrize(
    ("row", "texts"),
    [
        ("One?", ["One?"]),
        ({"question": "One?", "answer": "1", "id": 7}, ["One?"]),
        ({"prompt": "One?"}, ["One?"]),
        ({"input": "a", "instruction": "One?", "output": "b"}, ["One?\na"]),
        ({"instruction": "One?", "input": " ", "output": "b"}, ["One?"]),
        ({"question": "Who?", "context": "He came."}, ["He came.\nWho?"]),
        ({"ctx": "He came and", "endings": ["a"]}, ["He came and"]),
        ({"messages": QUESTION_AND_ANSWER}, ["One?"]),
        ({"conversations": [{"from": "human", "value": "One?"}, {"from": "gpt", "value": "No."}]}, ["One?"]),
        ({"instruction": "One?", "messages": QUESTION_AND_ANSWER}, ["One?"]),
        ({"instruction": "Add.", "instances": [{"input": "1, 2", "output": "3"}, {"input": "", "output": "0"}]},
         ["Add.\n1, 2", "Add."]),
        ({"instances": [{"input": "1, 2"}, {"input": "", "output": "0"}]}, ["1, 2"]),
        ({"instruction": "Add.", "instances": 7, "messages": 3}, ["Add."]),
    ],
)  # fmt: skip
def test_rows_are_read_from_their_known_fields(tmp_path, row, texts):
    path = write(tmp_path, "exam.jsonl", ["Zero?", row])
    assert read_lines(path) == [Line(str(path), 1, "Zero?"), *(Line(str(path), 2, text) for text in texts)]
    path = write(tmp_path, "exam.json", json.dumps([row]))
    assert read_lines(path) == [Line(str(path), 1, text) for text in texts]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("exam.jsonl", '"One?"\n\n{"id": 1, "label": "x"}', r"exam\.jsonl, line 3: no question .*: id, label\. Put "),
        ("exam.jsonl", '{"question": ""}', r"line 1: no question"),
        ("exam.jsonl", '{"output": "No."}', r"line 1: no question found; its fields are: output"),
        ("exam.json", "[7]", r"row 1: .* neither text nor an object"),
        ("exam.json", '{"data": []}', r"line 1: no question found; its fields are: data"),
        ("exam.json", '[{"a": 1},\n{"a" 2}]', r"exam\.json: not valid JSON \(.*, line 2, column 6\)"),
        ("exam.jsonl", '"One?"\n{oops', r"line 2: not valid JSON"),
        ("exam.jsonl", "[" * 100_000, r"exam\.jsonl: nested too deeply\. selfinstruct check .* names"),
        ("exam.jsonl", '{"question": "One?", "question": "Two?"}', r"line 1: has two values for the field question\."),
        ("exam.json", json.dumps({str(n): n for n in range(11)}, indent=1), r"with the fields 0, .*, 9, \.\.\.\. Put "),
        ("exam.json", '{\n"data": []\n}', r"exam\.json is one JSON value with the fields data\. Put the rows"),
        ("exam.txt", " \n\n", r"is empty"),
        ("exam.json", "", r"is empty"),
        ("exam.json", "[]", r"is empty"),
        ("exam.csv", "a,b", r"exam\.csv, line 1: not valid JSON .*\.csv files are not supported"),
        ("exam.parquet", "a,b", r"line 1: not valid JSON .*it is not a Parquet file"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_says_why(tmp_path, name, content, message):
    with pytest.raises(UsageError, match=message):
        read_lines(write(tmp_path, name, content))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_pipe_of_the_shell_can_be_read_again(tmp_path, suffix):
    file = write(tmp_path, "exam.jsonl", [{"text": "One?"}])
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist([{"text": "One?"}]), file)
    reading, writing = os.pipe()
    os.write(writing, file.read_bytes())
    os.close(writing)
    path = Path(f"/dev/fd/{reading}")
    assert [[text for _, _, text in read_lines(path)] for _ in range(2)] == [["One?"], ["One?"]]
    assert digest(path) == digest(file)
    os.close(reading)


def test_a_missing_file_a_folder_and_another_encoding_say_so(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_lines(tmp_path / "none.txt")
    with pytest.raises(UsageError, match="this is a folder"):
        read_lines(tmp_path)
    path = tmp_path / "latin.txt"
    path.write_bytes("Écris.".encode("latin-1"))
    with pytest.raises(UsageError, match=r"not UTF-8 text \(byte 0\)"):
        read_lines(path)
