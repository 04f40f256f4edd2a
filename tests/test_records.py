"""Records: ids stand for what the things are, in every process; JSON has one spelling."""

import hashlib
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfinstruct.errors import RequestRefused, SelfInstructError, TryAgain
from selfinstruct.records import (
    Candidate,
    Completion,
    Record,
    Request,
    canonical_json,
    content_id,
    user_message,
)

BASE = {
    "stage": "propose",
    "teacher": "openai",
    "model": "small-1",
    "endpoint": "chat",
    "system": "You invent tasks.",
    "user": "Write eight more.",
    "sampling": {"temperature": 1.0, "max_tokens": 64},
    "sample": 3,
}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("teacher", "simulated"),
        ("model", "small-2"),
        ("endpoint", "completion"),
        ("system", "You invent tasks!"),
        ("user", "Write nine more."),
        ("sampling", {"temperature": 0.9, "max_tokens": 64}),
        ("sampling", {"temperature": 1.0, "max_tokens": 64, "seed": 1}),
        ("sample", 4),
    ],
)
def test_request_id_changes_with_every_field_that_shapes_the_answer(field, value):
    assert Request(**BASE).id != Request(**{**BASE, field: value}).id


def test_request_id_does_not_depend_on_the_stage_or_the_order_of_the_sampling_settings():
    other = {**BASE, "stage": "classify", "sampling": {"max_tokens": 64, "temperature": 1.0}}
    assert Request(**other).id == Request(**BASE).id


def test_text_moved_from_one_field_to_the_next_is_another_request():
    one = Request(**{**BASE, "system": "ab", "user": "c"})
    two = Request(**{**BASE, "system": "a", "user": "bc"})
    assert one.id != two.id


@pytest.mark.parametrize(
    "changed", [{"request_id": "r2"}, {"position": 1}, {"instruction": "Name four rivers of Asia."}]
)
def test_candidate_id_changes_with_where_it_came_from_and_what_it_says(changed):
    base = {"request_id": "r1", "position": 0, "instruction": "Name three rivers of Asia."}
    assert Candidate(**base).id != Candidate(**{**base, **changed}).id


def test_candidate_id_does_not_depend_on_whether_it_was_cut():
    assert Candidate("r1", 0, "Name a lake.").id == Candidate("r1", 0, "Name a lake.", cut=True).id


def test_ids_of_different_kinds_of_things_differ():
    assert content_id("candidate", "a") != content_id("request", "a")


def test_ids_are_the_same_in_another_process():
    code = (
        "from selfinstruct.records import Candidate, Request\n"
        f"print(Request(**{BASE!r}).id, Candidate('r1', 0, 'Nenne drei Flüsse, 三条河流.').id)"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout.split()
        for hash_seed in ("1", "2")
    ]
    expected = [Request(**BASE).id, Candidate("r1", 0, "Nenne drei Flüsse, 三条河流.").id]
    assert printed == [expected, expected]


def test_ids_are_pinned_to_their_spelling():
    spelled = '["candidate",1,null,{"b":[true,0.5],"ä":"河"}]'
    expected = hashlib.sha256(spelled.encode()).hexdigest()[:24]
    assert content_id("candidate", 1, None, {"ä": "河", "b": [True, 0.5]}) == expected


def test_an_id_is_24_hex_digits_even_of_a_lone_surrogate():
    identity = content_id("\ud800")
    assert len(identity) == 24
    assert int(identity, 16) >= 0


def test_canonical_json_has_sorted_keys_no_spaces_and_plain_text():
    assert canonical_json({"b": [1, 2.5, None], "a": "Füße 河"}) == '{"a":"Füße 河","b":[1,2.5,null]}'


@given(JSON_VALUES)
@settings(max_examples=50, deadline=None)
def test_canonical_json_keeps_the_value_and_is_a_fixed_point(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(), st.integers(), max_size=6), st.randoms())
@settings(max_examples=40, deadline=None)
def test_canonical_json_does_not_see_the_order_of_keys(value, rng):
    items = list(value.items())
    rng.shuffle(items)
    assert canonical_json(dict(items)) == canonical_json(value)


@pytest.mark.parametrize(
    ("finish_reason", "was_cut"), [("length", True), ("stop", False), ("unknown", False), ("error", True)]
)
def test_an_answer_was_cut_when_a_limit_or_a_failure_ended_it(finish_reason, was_cut):
    assert Completion("r", "text", finish_reason).was_cut is was_cut


def test_user_message_has_a_blank_line_only_where_there_is_an_input():
    assert user_message("Name a river.", "") == "Name a river."
    assert user_message("Name its capital.", "Chad") == "Name its capital.\n\nChad"


def test_a_record_is_shown_with_its_fields_in_order():
    record = Record("i1", 0, "Name a river.", "", "Niger", False, [{"role": "user", "content": "Name a river."}])
    assert list(record.as_dict()) == [
        "id", "task", "instruction", "input", "output", "is_classification", "messages",
    ]  # fmt: skip
    assert record.as_dict()["output"] == "Niger"


def test_errors_carry_what_the_run_stores():
    refused = RequestRefused("context_too_long", "4097 tokens")
    again = TryAgain("http_429", "slow down", retry_after_s=2.0, raw="{}")
    assert (refused.reason, refused.detail, str(refused)) == (
        "context_too_long", "4097 tokens", "context_too_long: 4097 tokens",
    )  # fmt: skip
    assert (again.retry_after_s, again.unreachable, again.raw) == (2.0, False, "{}")
    assert isinstance(refused, SelfInstructError)
    assert isinstance(again, SelfInstructError)
