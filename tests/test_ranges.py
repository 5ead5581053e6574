"""Numbers that a user gives are in range, or refused in one line."""

import math

import pytest

from neurocompare.errors import UserError
from neurocompare.ranges import check_ranges


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("sizes", [1, 10**9], [0, -1, 1.0, "1", None, True, [1]]),
        ("seeds", [0, 7], [-1, 0.5, "0", None, False]),
        ("fractions", [0, 0.5, 1], [-0.01, 1.01, math.nan, "half", True]),
        ("positive", [1e-9, 3], [0, -1, math.inf, math.nan, None]),
        ("magnitudes", [0, 2.5], [-1e-9, math.inf, math.nan, "x"]),
    ],
)
def test_what_is_in_range_passes_and_all_else_is_named(kind, good, bad):
    for value in good:
        check_ranges("simulation", **{kind: {"one": value}})
    for value in bad:
        with pytest.raises(UserError, match="^simulation: two is ") as caught:
            check_ranges("simulation", **{kind: {"one": good[0], "two": value}})
        assert "\n" not in str(caught.value)
