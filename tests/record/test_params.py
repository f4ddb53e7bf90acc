"""params.json: any JSON, nested as it was given, flat as it is compared."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.errors import Damaged
from gitexp.record import params

keys = st.text(max_size=6) | st.text(alphabet=".\\a", max_size=4)
texts = st.text(max_size=8).filter(lambda text: text not in ("NaN", "Infinity", "-Infinity"))  # they stand for numbers
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
nested = st.dictionaries(
    keys,
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)),
    max_size=4,
)


def typed(value: Any) -> Any:
    """Return `value` so that 1, 1.0 and True differ, and -0.0 from 0.0."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value), repr(value)


@given(nested)
def test_params_of_any_json_type_come_back(given_params: dict[str, Any]) -> None:
    assert typed(params.decode(params.encode(given_params))) == typed(given_params)


@given(nested)
def test_equal_params_have_equal_bytes_whatever_their_order(given_params: dict[str, Any]) -> None:
    turned = dict(reversed(given_params.items()))
    assert params.encode(turned) == params.encode(given_params)


@given(nested)
def test_flat_params_become_the_nested_ones_again(given_params: dict[str, Any]) -> None:
    assert typed(params.unflatten(params.flatten(given_params))) == typed(given_params)


@given(st.lists(keys, min_size=1, max_size=4))
def test_a_path_splits_into_the_keys_it_was_made_of(parts: list[str]) -> None:
    assert params.split(".".join(map(params.escape, parts))) == parts


@given(st.binary(max_size=100))
def test_any_bytes_are_params_or_damaged(data: bytes) -> None:
    with suppress(Damaged):
        assert isinstance(params.decode(data), dict)


@pytest.mark.parametrize(
    ("nested_params", "flat"),
    [
        ({"lr": 0.1}, {"lr": 0.1}),
        ({"optimizer": {"lr": 0.1, "name": "adam"}}, {"optimizer.lr": 0.1, "optimizer.name": "adam"}),
        ({"a.b": 1, "a": {"b": 2}}, {r"a\.b": 1, "a.b": 2}),
        ({"back\\slash": {"x": 1}}, {r"back\\slash.x": 1}),
        ({"layers": [64, {"units": 32}]}, {"layers": [64, {"units": 32}]}),
        ({"empty": {}, "none": None}, {"empty": {}, "none": None}),
        ({"": 1}, {"": 1}),
    ],
)
def test_nested_params_are_flat_by_their_path(nested_params: dict[str, Any], flat: dict[str, Any]) -> None:
    assert params.flatten(nested_params) == flat
    assert params.unflatten(flat) == nested_params


def test_non_finite_numbers_stand_as_strings_and_are_numbers_again_when_read() -> None:
    data = params.encode({"clip": math.inf, "fill": [math.nan, -math.inf], "deep": {"x": -math.inf}})
    assert data == (
        b'{\n  "clip": "Infinity",\n  "deep": {\n    "x": "-Infinity"\n  },\n'
        b'  "fill": [\n    "NaN",\n    "-Infinity"\n  ]\n}\n'
    )
    found = params.decode(data)
    assert found["clip"] == math.inf
    assert found["deep"] == {"x": -math.inf}
    assert math.isnan(found["fill"][0])


def test_what_stands_above_wins_key_by_key_and_leaves_the_rest() -> None:
    below = {"optimizer": {"lr": 0.1, "name": "adam"}, "seed": 1}
    assert params.merge(below, {"optimizer": {"lr": 0.2}, "seed": {"data": 2}}) == {
        "optimizer": {"lr": 0.2, "name": "adam"},
        "seed": {"data": 2},
    }
    assert below["optimizer"] == {"lr": 0.1, "name": "adam"}


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 200_000, b'{"a": ' * 200_000])
def test_what_is_no_object_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged, match=r"^params\.json "):
        params.decode(data)
