from __future__ import annotations

import numpy as np
import pytest

from train.rounding import LEVELS, MOST, STEP, Given, best_range, evened, round_weights, scales, step


def given(rows):
    """Rows, each as often as it takes for every one to be kept."""
    seen = Given()
    seen.add(np.repeat(np.asarray(rows, np.float32), STEP, axis=0))
    return seen


def columns(*weights):
    return np.array(weights, np.float32).T


def test_two_products_of_the_largest_numbers_fit_into_16_bits():
    assert 2 * LEVELS * MOST < 2**15 <= 2 * LEVELS * (MOST + 1)


@pytest.mark.parametrize(("low", "high", "scale", "zero"), [(0.0, 2.55, 0.01, 0), (-1.0, 1.55, 0.01, 100), (-2.55, 0.0, 0.01, 255)])
def test_a_range_is_cut_into_255_steps_and_holds_zero(low, high, scale, zero):
    assert step(low, high) == (pytest.approx(scale), zero)


def test_a_range_of_nothing_has_a_scale_that_divides():
    assert step(0.0, 0.0)[0] > 0


@pytest.mark.parametrize(("weight", "range_of"), [(0.0, (0.0, 4.0)), (1.0, (0.0, 10.0))])
def test_large_values_are_cut_off_where_their_weight_is_none(weight, range_of):
    small = np.linspace(0, 1, 50)
    rows = np.stack([small, np.full(50, 10.0)], axis=1)
    assert best_range(given(rows), columns([1.0, weight]))[:2] == pytest.approx(range_of)


def test_what_a_product_is_given_is_counted_over_batches():
    seen = Given()
    seen.add(np.array([[[1, -2]], [[3, 0]]], np.float32))
    seen.add(np.array([[-1, 5]], np.float32))
    seen.add(np.zeros((0, 2), np.float32))
    assert (seen.low.tolist(), seen.high.tolist()) == ([-1, -2], [3, 5])
    assert seen.squares.tolist() == [[11, -7], [-7, 29]]
    assert [rows.tolist() for rows in seen.kept] == [[[1, -2]], [[-1, 5]]]


@pytest.mark.parametrize(("weight", "divisor"), [(0.01, 100.0), (1.0, 100**0.75)])
def test_one_feature_in_24_that_is_far_larger_is_divided_as_its_weight_allows(weight, divisor):
    rows = np.random.default_rng(0).uniform(0, 1, (50, 24))
    rows[0, 1:] = 1.0
    rows[:, 0] = 100.0
    weights = np.ones((24, 1), np.float32)
    weights[0] = weight
    assert evened(given(rows), weights) == pytest.approx([divisor] + [1.0] * 23)


def test_features_of_one_size_are_left_alone():
    rows = np.random.default_rng(0).uniform(0, 1, (50, 24))
    assert evened(given(rows), np.ones((24, 1), np.float32)) is None


def test_dividing_what_is_given_is_as_if_it_had_been_given_so():
    rows, by = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32), np.array([1, 2, 4], np.float32)
    one, other = given(rows).divided(by), given(rows / by)
    for name in ("low", "high", "squares"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-5)


def test_a_scale_is_that_of_the_largest_weight_or_of_what_was_rounded_before():
    assert scales(columns([0.64, 0.01, -0.33], [0.8, 0.06, -0.02], [0.0, 0.0, 0.0])) == pytest.approx([0.01, 0.02, 1e-9 / MOST])


@pytest.mark.parametrize(("rows", "rounded"), [(np.eye(3), [64, 0, 0]), ([[1, 0, 0], [0, 1, 1]], [64, 0, 1])])
def test_a_feature_makes_up_for_how_one_like_it_was_rounded(rows, rounded):
    found, scale = round_weights(columns([64.0, 0.4, 0.4]), given(rows))
    assert (found[:, 0].tolist(), scale.tolist()) == (rounded, [1.0])


def test_what_was_rounded_before_stays():
    draw = np.random.default_rng(0)
    seen = given(draw.normal(size=(200, 100)) @ draw.normal(size=(100, 100)))
    first, scale = round_weights(draw.normal(size=(100, 5)).astype(np.float32), seen)
    again, same = round_weights(first * scale, seen)
    np.testing.assert_allclose(again * same, first * scale, rtol=1e-5)


def test_products_change_less_than_with_each_weight_rounded_alone():
    draw = np.random.default_rng(0)
    rows = (draw.normal(size=(400, 20)) @ draw.normal(size=(20, 80))).astype(np.float32)
    weights = draw.normal(size=(80, 6)).astype(np.float32)
    found, scale = round_weights(weights, given(rows))
    alone = np.round(weights / scale).clip(-MOST, MOST)
    error = [float(np.square(rows @ (one * scale - weights)).mean()) for one in (alone, found)]
    assert error[1] < 0.2 * error[0]
