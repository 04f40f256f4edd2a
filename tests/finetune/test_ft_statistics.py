"""The statistics of fine-tuning, against values worked out by hand and against what their intervals promise."""

import math
import random

import pytest

from finetune.evaluation.statistics import Interval, difference, mean, sign_test, signs, wilson


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),  # 2 * 1/2
        (5, 5, 1.0),
        (5, 0, 2 / 32),
        (6, 1, 2 * (1 + 7) / 128),
        (1, 9, 2 * (1 + 10) / 1024),
        (8, 2, 2 * (1 + 10 + 45) / 1024),
        (3, 12, 2 * (1 + 15 + 105 + 455) / 2**15),
    ],
)
def test_the_sign_test_is_the_exact_binomial(wins, losses, p):
    assert sign_test(wins, losses) == sign_test(losses, wins) == p


def test_the_sign_test_of_many_rows_is_near_the_normal_approximation():
    z = (2 * 5100 - 10000 - 1) / 100  # with the correction for continuity
    assert sign_test(5100, 4900) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-3)


def test_signs_counts_wins_losses_and_ties():
    assert signs([1, 0, 2, 2], [0, 1, 2, 1]) == (2, 1, 1)
    with pytest.raises(ValueError, match="shorter"):
        signs([1, 2], [1])


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),  # Newcombe 1998, table I has the like; z²/(n+z²) = 3.8415/13.8415
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_as_published(successes, n, low, high):
    found = wilson(successes, n)
    assert found == pytest.approx((successes / n, low, high), abs=5e-5)
    assert found.low <= found.value <= found.high


def test_wilson_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="nothing"):
        wilson(0, 0)


def test_the_interval_of_a_mean_holds_the_truth_about_as_often_as_it_says():
    rng = random.Random(20261121)
    held = 0
    for trial in range(200):
        found = mean([rng.expovariate(1.0) for _ in range(60)], draws=200, seed=trial)
        assert found.low < found.value < found.high
        held += found.low <= 1.0 <= found.high
    assert 0.9 <= held / 200 <= 0.965


def test_whole_groups_are_drawn_where_rows_belong_together():
    rng = random.Random(20261121)
    held = {True: 0, False: 0}
    for trial in range(120):
        values, groups = [], []
        for group in range(40):
            of_group = rng.gauss(0, 1)
            values += [of_group + rng.gauss(0, 0.3) for _ in range(6)]
            groups += [group] * 6
        for by_group in held:
            found = mean(values, groups=groups if by_group else None, draws=200, seed=trial)
            held[by_group] += found.low <= 0 <= found.high
    assert held[True] / 120 >= 0.88
    assert held[False] / 120 <= 0.75  # what would be claimed of independent rows


def test_weights_make_the_mean_that_of_tokens():
    found = mean([1.0, 3.0], [30, 10])
    assert found == Interval(1.5, 1.0, 3.0)


def test_a_mean_is_the_same_for_the_same_seed_only():
    values = [math.sin(i * 12.9898) for i in range(50)]
    assert mean(values, seed=3) == mean(values, seed=3)
    assert mean(values, seed=3) != mean(values, seed=4)


def test_the_paired_difference_is_surer_than_the_two_means():
    rng = random.Random(20261121)
    before = [rng.gauss(0, 10) for _ in range(100)]
    after = [value + rng.gauss(1, 0.5) for value in before]
    found = difference(after, before)
    assert 0.8 < found.low < found.value < found.high < 1.2
    assert mean(after).high - mean(after).low > 2


@pytest.mark.parametrize("wrong", [{"values": []}, {"weights": [1.0]}, {"groups": ["a"]}])
def test_rows_that_do_not_fit_together_are_an_error(wrong):
    with pytest.raises(ValueError, match="values"):
        mean(**{"values": [1.0, 2.0], **wrong})
