"""Runs as an earlier version left them (tests/data): they open, go on with the same bytes, and keep their decisions."""

import json
import re
import subprocess
import zipfile
from hashlib import sha256
from http.cookiejar import CookieJar
from pathlib import Path
from typing import NamedTuple
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from tests.conftest import COMMAND, json_lines
from tests.loopback import working

DATA = Path(__file__).parents[1] / "data"


class Old(NamedTuple):
    """A run, and what the version that wrote it made of it."""

    name: str
    tasks: str
    """Digest of the instructions of its tasks."""
    rejected: str
    """Digest of reasons and texts of what was rejected."""
    records: str
    """Digest of its records."""
    messages: str
    """Digest of its export in messages."""
    grown: str
    """Digest of its records after `generate --target 20`."""
    loose: str
    """Digest of its records after `refilter` under looser rules."""
    n_loose: int
    """Tasks under these rules."""
    banned: tuple[str, str]
    """Ids of an instance and a task."""
    taken_back: str
    """Id of an instance whose ban was taken back."""
    edited: str


OLD = [
    Old(
        name="old_run_self_instruct",
        tasks="30dbc5c0aae903b87151df673198864f69e4e3315fbd8f13f5844830247e6f8c",
        rejected="d42f916ab81610c527e897ff1a5916f6a6c851189563931f5881557e9b26eaf4",
        records="13222d0ac7b158277a39682f257f24806a840d19cd4e55dc990c16e902d1af1b",
        messages="b69a950782bcc6c1a14112ef42ed4512a5776a8ec700fb8577f87f488c122831",
        grown="3470570565e054755fe62f0b44cc794824f4715db0ce0d6eff76fc037e3d9368",
        loose="13222d0ac7b158277a39682f257f24806a840d19cd4e55dc990c16e902d1af1b",
        n_loose=12,
        banned=("1cda9b9f8256594df30f61df", "b7769139937cd353fafa8240"),
        taken_back="53f6d6a83f884e8777e8b94d",
        edited="4f3074898bd7bb58d473f63a",
    ),
    Old(
        name="old_run_alpaca",
        tasks="d3b83b6e568f905b8a0fcaa104ecabf8e5c64b0c1749667ed0cf525bc71f56d3",
        rejected="6c8a37d8b3e64fd58278eaa51ae32c5ea9d182b6ee75cc6faf5cbed0f2f04c98",
        records="8e399d732903e1f9b9c38e4844bb0b201f3ec8250aaa542e65362a450ee0ab26",
        messages="7ba3837a377bc0f85f39aed49ee81af74538e094aaa7044f33051b321f6f9714",
        grown="d1a828e04620bd4990b0ec47d093dcfbbe5b26a806adbb5eec1f9d1c1a888855",
        loose="e286f1a5bcb0d8301f8580d72b93f7fec6deaba8be7ae3ca2f9867ff193687d6",
        n_loose=14,
        banned=("017ae776c583b7064b7a3bca", "db8b483425be89777c8ef0ea"),
        taken_back="3fad80158cadcb1205fdee01",
        edited="0dc1ea269883c72b8696876f",
    ),
]


@pytest.fixture(params=OLD, ids=lambda old: old.name)
def old(request) -> Old:
    return request.param


@pytest.fixture
def run(old, tmp_path) -> Path:
    """The folder as it was left."""
    with zipfile.ZipFile(DATA / f"{old.name}.zip") as packed:
        packed.extractall(tmp_path / "run")
    return tmp_path / "run"


def digest(content: bytes | list) -> str:
    return sha256(content if isinstance(content, bytes) else json.dumps(content).encode()).hexdigest()


def test_it_opens(cli, old, run):
    status = json.loads(cli("status", run, "--json").stdout)
    tasks = json_lines(cli("tasks", run, "--json").stdout)
    assert status["tasks"] == len(tasks)
    assert digest([row["instruction"] for row in tasks]) == old.tasks
    rejected = json_lines(cli("rejected", run, "--json").stdout)
    assert digest(sorted([row["reason"], row["text"]] for row in rejected)) == old.rejected
    assert "no problems" in cli("verify", run).stdout


def test_its_exports_are_the_same_and_honour_what_was_decided(cli, old, run, tmp_path):
    cli("export", run, "--format", "messages", "--output", tmp_path / "messages.jsonl")
    assert digest((tmp_path / "messages.jsonl").read_bytes()) == old.messages
    records = (run / "records.jsonl").read_bytes()
    assert digest(records) == old.records
    rows = {row["id"]: row for row in json_lines(records.decode())}
    instance, task = old.banned
    assert instance not in rows
    assert old.taken_back in rows
    (position,) = [row["position"] for row in json_lines(cli("tasks", run, "--json").stdout) if row["id"] == task]
    assert position not in {row["task"] for row in rows.values()}
    assert (rows[old.edited]["input"], rows[old.edited]["output"]) == ("An edited input.", "An edited output.")


def test_it_goes_on_with_the_same_bytes(cli, old, run):
    cli("generate", run, "--target", 20)
    assert digest((run / "records.jsonl").read_bytes()) == old.grown
    assert "no problems" in cli("verify", run).stdout


def test_it_is_judged_again(cli, old, run, tmp_path):
    found = json.loads(cli("refilter", run, tmp_path / "same", "--json").stdout)
    assert (found["tasks"]["lost"], found["tasks"]["gained"]) == ({}, {})
    assert digest((tmp_path / "same/records.jsonl").read_bytes()) == old.records
    rules = ("--without", "too_short", "--without", "forbidden_word", "--rouge-threshold", 0.9)
    found = json.loads(cli("refilter", run, tmp_path / "loose", "--json", *rules).stdout)
    assert found["tasks"]["after"] == old.n_loose
    assert digest((tmp_path / "loose/records.jsonl").read_bytes()) == old.loose
    for folder in ("same", "loose"):
        assert "no problems" in cli("verify", tmp_path / folder).stdout


def test_it_is_looked_at(cli, old, run):
    tasks = json_lines(cli("tasks", run, "--json").stdout)
    with working([*COMMAND, "audit", str(run)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        address = process.stdout.readline().strip()
        opener = build_opener(HTTPCookieProcessor(CookieJar()))
        with opener.open(address) as answer:
            assert answer.status == 200
        base = address.partition("?")[0]
        with opener.open(f"{base}list?kind=candidate&state=admitted") as answer:
            page = answer.read().decode()
        process.terminate()
    n_found = int(re.search(r"<strong>([\d,]+)</strong> found", page).group(1))
    assert n_found == len(tasks) - 1, "one of them is banned"
