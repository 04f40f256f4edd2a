"""Label models on votes whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfinstruct.labels.agreement import krippendorff_alpha
from selfinstruct.labels.combining import Score, combine
from selfinstruct.labels.models import ABSTAINED, dawid_skene, mace, majority, weighted
from selfinstruct.labels.votes import Votes

MODELS = [dawid_skene, mace, majority]


def votes_of(truth, n_classes, accuracies, rng, abstaining=0.0):
    """Voters that are right with these probabilities, independently, and otherwise say any other class."""
    columns = []
    for accuracy in accuracies:
        other = (truth + rng.integers(1, n_classes, len(truth))) % n_classes
        column = np.where(rng.random(len(truth)) < accuracy, truth, other)
        columns.append(np.where(rng.random(len(truth)) < abstaining, ABSTAINED, column))
    return np.stack(columns, axis=1)


def as_votes(cast, gold, n_classes):
    names = tuple(f"voter{n}" for n in range(cast.shape[1]))
    labels = tuple("abcdefgh"[:n_classes])
    return Votes(list(range(len(cast))), names, labels, cast, gold, {})


@pytest.mark.parametrize("by", ["dawid-skene", "mace"])
def test_independent_voters_are_combined_to_better_than_the_best_and_their_accuracies_found(by):
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 4000)
    accuracies = [0.85, 0.78, 0.7]
    found = combine(as_votes(votes_of(truth, 3, accuracies, rng), truth, 3), by)
    assert found.is_better
    assert not found.is_overconfident
    assert found.estimated == pytest.approx(accuracies, abs=0.03)
    assert found.score.share > 0.87


def test_a_voter_that_says_the_opposite_is_put_to_use_by_a_confusion_matrix():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 800)
    cast = votes_of(truth, 2, [0.75, 0.75, 0.7, 0.1], rng)
    right = {model.__name__: (model(cast, 2).argmax(axis=1) == truth).mean() for model in MODELS}
    assert right["dawid_skene"] > 0.92 > right["majority"]


def test_guessers_do_not_outvote_those_that_know():
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 4, 600)
    cast = votes_of(truth, 4, [0.8, 0.75, 0.7, *[0.25] * 7], rng)
    right = {model.__name__: (model(cast, 4).argmax(axis=1) == truth).mean() for model in MODELS}
    assert min(right["dawid_skene"], right["mace"]) > right["majority"] + 0.05


def test_voters_that_say_one_class_or_abstain_do_not_make_one_class_of_all():
    """As rules do: "is it spam? it says 'subscribe'". The trap is described by Ratner et al. 2017, section 3."""
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 2, 800)
    columns = []
    for says in (0, 0, 0, 0, 1, 1):
        speaks = rng.random(len(truth)) < np.where(truth == says, 0.3, 0.03)
        columns.append(np.where(speaks, says, ABSTAINED))
    cast = np.stack(columns, axis=1)
    voted = (cast != ABSTAINED).any(axis=1)
    for model in MODELS:
        winners = model(cast, 2).argmax(axis=1)[voted]
        assert np.bincount(winners, minlength=2).min() > 50, model.__name__
        assert (winners == truth[voted]).mean() > 0.85, model.__name__


def test_voters_that_err_together_are_noticed_by_twenty_gold_rows():
    rng = np.random.default_rng(7)
    truth = rng.integers(0, 2, 300)
    trap = rng.random(300) < 0.6
    fooled = np.where(trap, 1 - truth, truth)
    alone = votes_of(truth, 2, [0.85], rng)
    cast = np.concatenate([np.stack([fooled] * 3, axis=1), alone], axis=1)
    gold = np.where(np.arange(300) < 20, truth, ABSTAINED)
    found = combine(as_votes(cast, gold, 2))
    assert (found.is_better, found.best, found.score.n) == (False, 3, 20)
    assert found.is_overconfident
    assert combine(as_votes(cast, np.full(300, ABSTAINED), 2)).is_better is None


def test_weights_come_from_gold_rows_and_a_row_is_not_weighed_by_its_own():
    cast = np.array([[0, 1], [1, 0]])
    found = combine(as_votes(cast, np.array([0, ABSTAINED]), 2), "weighted")
    assert found.winners.tolist() == [0, 1], "the first voter was right"
    assert found.score == Score(1, 1), "a tie without the row's own label, and the first voter decides ties"
    found = combine(as_votes(cast[:, ::-1], np.array([0, ABSTAINED]), 2), "weighted")
    assert found.winners.tolist() == [0, 1]
    assert found.score == Score(0, 1)


def test_a_weight_below_a_guess_counts_against_what_it_says():
    found = weighted(np.array([[0, 1]]), 2, np.array([0.1, 0.6]))
    assert found[0, 1] > 0.9


def test_ties_go_to_the_first_of_the_tied_voters():
    cast = np.array([[2, 0, 0, 2], [1, 0, ABSTAINED, ABSTAINED], [ABSTAINED] * 4, [ABSTAINED, 1, 0, 2]])
    found = combine(as_votes(cast, np.full(4, ABSTAINED), 3), "majority")
    assert found.winners.tolist() == [2, 1, ABSTAINED, 1]
    rows = list(found.rows(0.6))
    assert [row.get("rejected") for row in rows] == ["disagreement", "disagreement", "no_votes", "disagreement"]
    assert rows[2] == {"id": 2, "winner": None, "confidence": 0.0, "votes": {}, "rejected": "no_votes"}
    assert rows[1]["votes"] == {"voter0": "b", "voter1": "a"}


def test_alpha_of_the_published_example():
    """Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), example D: 0.743 for nominal data."""
    coders = [
        "123321412000",
        "123322412503",
        "033323422510",
        "123324412510",
    ]
    votes = np.array([[int(mark) - 1 for mark in coder] for coder in coders]).T
    assert krippendorff_alpha(votes, 5) == pytest.approx(0.743, abs=0.0005)
    assert krippendorff_alpha(np.array([[0, 0], [0, 0]]), 2) is None
    assert krippendorff_alpha(np.array([[0, -1], [-1, 1]]), 2) is None
    assert krippendorff_alpha(np.array([[0, 0], [1, 1]]), 2) == 1


def test_the_interval_is_wilsons():
    assert Score(14, 20).interval == pytest.approx((0.4810, 0.8545), abs=0.0005)
    assert Score(20, 20).interval[1] == 1
    assert Score(0, 20).interval == pytest.approx((0, 0.1611), abs=0.0005)


matrices = st.integers(1, 4).flatmap(
    lambda n_classes: st.tuples(
        st.just(n_classes),
        st.integers(2, 4).flatmap(
            lambda voters: st.lists(
                st.lists(st.integers(-1, n_classes - 1), min_size=voters, max_size=voters), min_size=1, max_size=12
            )
        ),
    )
)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=15, deadline=None)
@given(matrices)
def test_any_votes_give_probabilities(model, drawn):
    n_classes, rows = drawn
    found = model(np.array(rows), n_classes)
    assert found.shape == (len(rows), n_classes)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.sum(axis=1) == pytest.approx(np.ones(len(rows)))


@settings(max_examples=15, deadline=None)
@given(matrices, st.randoms(use_true_random=False))
def test_the_names_of_labels_and_the_order_of_rows_and_voters_do_not_matter(drawn, random):
    n_classes, rows = drawn
    cast = np.array(rows)
    labels = random.sample(range(n_classes), n_classes)
    renamed = np.array([*labels, ABSTAINED])[cast]
    order = random.sample(range(len(rows)), len(rows))
    voters = random.sample(range(cast.shape[1]), cast.shape[1])
    before = dawid_skene(cast, n_classes)
    after = dawid_skene(renamed[order][:, voters], n_classes)
    assert after[:, labels] == pytest.approx(before[order], abs=1e-6)
