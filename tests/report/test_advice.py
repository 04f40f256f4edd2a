"""What status advises for a new run."""

import pytest

from selfinstruct.report.advice import advice
from selfinstruct.report.status import Status
from selfinstruct.store.answers import Usage
from selfinstruct.store.counts import RejectionCount
from selfinstruct.strategies import declared

LARGER = "try a larger model"


def status(*rejected, classified=10, generated=40):
    usage = [Usage("propose", "m", 20, 0, 0, None), Usage("instances", "m", 40, 0, 0, None)]
    return Status(
        target=40, candidates=110, tasks=40, counted={"classification": classified}, generated=generated, pending=10,
        instances=100, records=60, without_records=0, rejected=[RejectionCount(*one) for one in rejected],
        unused_proposals=0, faults=0, batches=0, in_batches=0, usage=usage, grades={}, fields={}, declared=declared(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "tips"),
    [
        (status(), []),
        (status(("novelty", "too_similar", 19)), []),
        (status(("novelty", "too_similar", 48)), ["rouge_threshold (too_similar: 48% of the candidates)"]),
        (status(("filter", "too_short", 90)), []),
        (status(("filter", "no_such_filter_any_more", 90)), []),
        (status(("propose", "no_list", 9)), []),
        (status(("propose", "no_list", 10)), ["another model (no_list: 50% of the propose answers)"]),
        (status(("instances", "no_instance", 10)), ["another model (no_instance: 25% of the instances answers)"]),
        (status(("propose", "no_such_task", 20)), []),
        (status(("instances", "cut_off", 20)), ["raise max_tokens in the stage's sampling (cut_off: 20% of"]),
        (
            status(("instances", "output_equals_input", 20), ("instances", "copied_demonstration", 30)),
            [f"{LARGER} (output_equals_input: 20% of the instances, copied_demonstration: 30% of the instances)"],
        ),
        (status(classified=38), ["does not ask for the class (95% classification tasks)"]),
        (status(classified=37), []),
        (status(classified=19, generated=19), []),
        (
            status(
                ("instances", "repetition", 25), ("instances", "output_equals_input", 26), ("propose", "no_list", 15),
                ("novelty", "too_similar", 60),
            ),
            ["(no_list: 75% of the propose answers)", "(too_similar: 60% of the candidates)", LARGER],
        ),
    ],
)  # fmt: skip
def test_what_is_rejected_most_is_what_the_advice_is_about(found, tips):
    said = advice(found)
    assert len(said) == len(tips)
    assert all(tip in one for tip, one in zip(tips, said, strict=True)), said
