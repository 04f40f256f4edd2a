"""A model that declines in the field that OpenAI has for it: kept as what it said, never asked again for that."""

import pytest

from selfinstruct.records import Completion
from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run
from selfinstruct.store.verify import verify
from selfinstruct.strategies.alpaca import read_whole_tasks
from selfinstruct.strategies.self_instruct import read_class, read_generated, read_proposal

SAID = "I'm sorry, I can't assist with that request."


@pytest.mark.parametrize("answer_format", ["json", "text"])
@pytest.mark.parametrize("strategy", ["self-instruct", "alpaca"])
async def test_a_refused_answer_is_kept_and_rejected_and_asked_for_once(tmp_path, strategy, answer_format):
    settings = {
        "strategy": strategy, "teacher": {"answer_format": answer_format}, "simulated": {"refusal_share": 0.3},
    }  # fmt: skip
    run = open_run(tmp_path / "run", None, settings, None)
    with run.store as store:
        assert await generate(run, 40 if strategy == "self-instruct" else 400)
        refused = store.query(
            "SELECT r.stage, c.text, c.attempts, c.error, j.reason FROM completions c JOIN requests r "
            "ON r.id = c.request_id LEFT JOIN rejections j ON j.subject_id = r.id "
            "WHERE c.finish_reason = 'refusal' AND r.stage != 'probe'"
        )
        # A proposal that was sent ahead, and not needed, has no verdict yet.
        refused = [row[1:] for row in refused if row[0] != "propose" or row[-1]]
        assert len(refused) >= 3
        assert set(refused) == {(SAID, 1, None, "refusal")}
        assert store.query("SELECT * FROM faults") == []
        assert verify(store) == []


@pytest.mark.parametrize("text", ["No, I will not.", "1. No.\n2. Never.", "Example 1\nInput: no\nOutput: never"])
def test_what_the_server_calls_a_refusal_is_read_as_nothing_else(text):
    said = Completion("r", text, "refusal")
    for proposal in (read_proposal(said, ""), read_proposal(said, "9. "), read_whole_tasks(said, "")):
        assert proposal.candidates == []
        assert [rejection.reason for _, rejection in proposal.unreadable] == ["refusal"]
    assert read_class(said) is None
    made = read_generated("Name a river.", [said], [said], "")
    assert (made.extra, made.instances) == ({}, [])
    assert [rejection.reason for _, rejection in made.unreadable] == ["refusal", "refusal"]
