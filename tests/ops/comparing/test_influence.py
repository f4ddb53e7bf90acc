"""What inputs have to do with an output, on made-up ones of which it is known."""

from __future__ import annotations

import math
import random

import pytest

from gitexp.ops.comparing import influence


def made(count: int) -> tuple[dict[str, list[float]], list[float]]:
    """Return inputs of which the output follows a peak of one, rises with another and ignores the third."""
    chance = random.Random(7)
    inputs = {name: [chance.random() for _ in range(count)] for name in ("peak", "rising", "noise")}
    output = [
        -3 * abs(peak - 0.6) + 0.6 * rising for peak, rising in zip(inputs["peak"], inputs["rising"], strict=True)
    ]
    return inputs, output


def test_the_strongest_input_has_the_largest_share() -> None:
    inputs, output = made(60)
    found = influence.measure(inputs, output)
    assert sorted(found.shares, key=found.shares.__getitem__) == ["noise", "rising", "peak"]
    assert found.shares["noise"] < 0.05
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.explained > 0.6


def test_the_same_runs_give_the_same_numbers() -> None:
    assert influence.measure(*made(30)) == influence.measure(*made(30))


def test_a_log_scale_and_a_diverged_run_change_nothing() -> None:
    inputs, output = made(40)
    plain = influence.measure(inputs, output)
    scaled = {name: [10 ** (300 * value) for value in values] for name, values in inputs.items()}
    worst = min(output)
    assert influence.measure(scaled, [-1e300 if value == worst else value for value in output]) == plain


def test_an_output_of_chance_is_not_explained() -> None:
    inputs, _ = made(60)
    chance = random.Random(3)
    assert influence.measure(inputs, [chance.random() for _ in range(60)]).explained < 0.1


def test_what_some_runs_do_not_have_can_matter() -> None:
    inputs, _ = made(40)
    inputs["peak"] = [math.nan if number % 2 else 0.5 for number in range(40)]
    found = influence.measure(inputs, [float(number % 2) for number in range(40)])
    assert found.shares["peak"] > 0.9


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ([1, 2, 3], [10, 100, 1000], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        ([1, math.nan, 3], [1, 5, 2], 1.0),
        ([1, 1, 1], [1, 2, 3], None),
        ([math.nan, math.nan], [1, 2], None),
        ([1, 2, math.inf], [1, 2, 3], 1.0),
    ],
)
def test_correlation_is_that_of_the_ranks(one: list[float], other: list[float], found: float | None) -> None:
    assert influence.correlation(one, other) == (None if found is None else pytest.approx(found))
