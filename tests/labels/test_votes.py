"""Files of votes, read whole or refused by name; and the command on them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import selfinstruct as si
from selfinstruct.errors import UsageError
from selfinstruct.labels import NAMES
from selfinstruct.labels.combining import METHODS
from selfinstruct.labels.votes import MOST_LABELS, read_votes

CSV = """\
id,text,gold,alice,bob,carol
17,"The heating works, again.",fine,fine,broken,
18,No light on the stairs.,, broken ,broken,broken
19,All lifts stand still.,broken,broken,,broken
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text(CSV)
    return path


def test_names_are_those_of_the_file(file):
    votes = read_votes(file, ["alice", "bob", "carol"], id="id", gold="gold")
    assert votes.ids == ["17", "18", "19"]
    assert votes.labels == ("broken", "fine")
    assert votes.cast.tolist() == [[1, 0, -1], [0, 0, 0], [0, -1, 0]]
    assert votes.gold.tolist() == [1, -1, 0]


@pytest.mark.parametrize("kind", ["json", "jsonl", "parquet", "tsv"])
def test_the_same_votes_in_any_kind_of_file_are_the_same(kind, file, tmp_path):
    rows = [
        {"id": 17, "gold": 1, "alice": 1, "bob": False, "carol": None},
        {"id": 18, "gold": None, "alice": 0, "bob": False, "carol": 0},
    ]
    path = tmp_path / f"votes.{kind}"
    if kind == "parquet":
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        pq.write_table(pa.table(columns), path)
    elif kind == "tsv":
        lines = ["id\tgold\talice\tbob\tcarol", "17\t1\t1\tfalse\t", "18\t\t0\tfalse\t0"]
        path.write_text("\n".join(lines))
    else:
        path.write_text(json.dumps(rows) if kind == "json" else "\n".join(map(json.dumps, rows)))
    votes = read_votes(path, ["alice", "bob", "carol"], id="id", gold="gold")
    assert votes.labels == ("0", "1", "false")
    assert votes.cast.tolist() == [[1, 2, -1], [0, 2, 0]]
    assert [int(one) for one in votes.ids] == [17, 18]
    assert votes.gold.tolist() == [1, -1]


def test_votes_for_labels_that_are_not_listed_count_as_none_and_are_counted(file):
    votes = read_votes(file, ["alice", "bob"], labels=["fine", "worn"])
    assert votes.labels == ("fine", "worn")
    assert votes.cast.tolist() == [[0, -1], [-1, -1], [-1, -1]]
    assert votes.unlisted == {"alice": 2, "bob": 2}
    assert votes.ids == [1, 2, 3]


@pytest.mark.parametrize(
    ("columns", "options", "says"),
    [
        (["alice", "bobb"], {}, r"votes.csv: there is no column bobb; did you mean bob"),
        (["alice"], {}, r"nothing to combine: name at least two columns"),
        (["alice", "alice"], {}, r"The column alice is named twice"),
        (["alice", "gold"], {"gold": "gold"}, r"The column gold cannot be a voter as well"),
        (["alice", "bob"], {"id": "gold"}, r"row 2: it has no gold"),
        (
            ["alice", "bob"],
            {"gold": "text"},
            r"no gold label was ever voted for\. Gold: 'All lifts stand still\.', 'No",
        ),
        (
            ["alice", "bob"],
            {"labels": ["worn"]},
            r"no vote is for any of the labels you list\. Votes: 'broken', 'fine'",
        ),
        (
            ["alice", "bob"],
            {"labels": ["fine"], "gold": "gold"},
            r"gold labels that are not among the labels you list: 'broken'",
        ),
    ],
)
def test_what_cannot_be_combined_is_refused(file, columns, options, says):
    with pytest.raises(UsageError, match=says):
        read_votes(file, columns, **options)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n,\n,\n", r"there is no vote in a, b"),
        ("a,b\n", r"there is no row below the names of the columns"),
        ("", r"there is no row below the names of the columns"),
        ("a,b\nx,y,z\n", r"row 1: it has more or fewer cells than there are columns"),
        ("a,b\nx\n", r"row 1: it has more or fewer cells"),
        ("a,b,a\nx,y,z\n", r"two columns are called 'a'"),
        ("id,a,b\n1,x,y\n2,x,y\n1,y,y\n", r"rows 1 and 3 have the same id, \"1\""),
        (
            "a,b\n" + "".join(f"x{n},y\n" for n in range(MOST_LABELS)),
            r"201 different labels, such as 'x0', .* at most 200",
        ),
        ("a,b,id\nx,y,\n", r"row 1: it has no id"),
    ],
)
def test_a_file_that_is_no_table_of_votes_is_refused(text, says, tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=says):
        read_votes(path, ["a", "b"], id="id" if "id" in text else "")


def test_an_empty_gold_column_and_a_label_that_is_a_list_are_refused(tmp_path):
    path = tmp_path / "votes.jsonl"
    path.write_text('{"a": "x", "b": ["x"], "gold": ""}\n')
    with pytest.raises(UsageError, match=r"row 1: b is not a label but \[\"x\"\]"):
        read_votes(path, ["a", "b"])
    path.write_text('{"a": "x", "b": "x", "gold": ""}\n')
    with pytest.raises(UsageError, match="the column gold has no gold label"):
        read_votes(path, ["a", "b"], gold="gold")


def test_a_name_for_each_label_model():
    assert list(METHODS) == list(NAMES[:-1])


def test_the_command_says_whether_to_use_the_combination(cli, file):
    said = cli(
        "combine", file, "--columns", "alice,bob,carol", "--id", "id", "--gold", "gold", "--by", "majority"
    ).stdout
    assert "3 rows, 3 voters, 2 labels, 7 votes; 22.2% of the votes are missing" in said
    assert "Not recommended: on the gold rows, majority is right no more often than alice alone." in said
    assert "winners: broken: 2, fine: 1" in said
    said = cli("combine", file, "--columns", "alice,bob,carol", "--labels", "broken,fine,worn").stdout
    assert "There are no gold labels: whether voters make the same mistakes is not known." in said
    assert "Nobody voted for worn." in said
    assert "22% of the votes are missing: compare with --by mace" in said


def test_rows_for_other_programs(cli, file):
    said = cli(
        "combine", file, "--columns", "bob,carol,alice", "--by", "majority", "--confidence", "0.6", "--json"
    ).stdout
    rows = [json.loads(line) for line in said.splitlines()]
    assert rows[0] == {
        "id": 1, "winner": "broken", "confidence": 0.5, "votes": {"bob": "broken", "alice": "fine"},
        "rejected": "disagreement",
    }  # fmt: skip
    assert rows[1] == {
        "id": 2, "winner": "broken", "confidence": 1.0, "votes": dict.fromkeys(("bob", "carol", "alice"), "broken"),
    }  # fmt: skip


def test_a_label_model_of_ones_own(cli, file, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n\n"
        "def first(votes, n_classes):\n"
        '    """Whoever is named first is right."""\n'
        "    return np.eye(n_classes)[votes[:, 0]]\n\n"
        "def wrong(votes, n_classes):\n"
        "    return votes\n"
    )
    said = cli("combine", file, "--columns", "alice,bob", "--by", f"{tmp_path}/mine.py:first", "--json").stdout
    assert [json.loads(line)["winner"] for line in said.splitlines()] == ["fine", "broken", "broken"]
    refused = cli("combine", file, "--columns", "alice,bob", "--by", f"{tmp_path}/mine.py:wrong", code=2).stderr
    assert "wrong: it returned the shape (3, 2) instead of (3, 2)." not in refused
    assert "each row of what it returns must be probabilities that sum to 1" in refused
    refused = cli("combine", file, "--columns", "alice,bob", "--by", "majorty", code=2).stderr
    assert "There is no label model 'majorty'; did you mean majority" in refused
    refused = cli("combine", file, "--columns", "alice,bob", "--by", "weighted", code=2).stderr
    assert "The label model weighted needs gold labels" in refused


def test_the_same_from_python(file):
    found = si.combine(file, ["alice", "bob", "carol"], id="id", gold="gold")
    assert [row["winner"] for row in found.rows()][1:] == ["broken", "broken"]
    first = si.combine(file, ["alice", "bob"], by=lambda votes, n: np.eye(n)[votes[:, 0]])
    assert [row["winner"] for row in first.rows()] == ["fine", "broken", "broken"]
