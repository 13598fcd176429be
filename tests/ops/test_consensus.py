"""What several readers have in common."""

from fractions import Fraction

import numpy as np
import pytest

from hilum.core import InputError
from hilum.ops import consensus


@pytest.mark.parametrize("readers", [1, 2, 3, 4, 10, 30])
@pytest.mark.parametrize("level", ["0", "1/10", "1/4", "1/3", "1/2", "3/4", "1"])
def test_a_share_is_taken_exactly_ties_in_and_one_reader_at_least(readers, level):
    votes = np.arange(readers + 1)
    share = Fraction(level)
    exact = [n >= 1 and Fraction(n, readers) >= share for n in range(readers + 1)]
    assert consensus(votes, readers, float(share)).tolist() == exact


@pytest.mark.parametrize("level", [-0.1, 1.5, float("nan")])
def test_what_is_no_share_is_refused(level):
    with pytest.raises(InputError, match="a share of the readers from 0 to 1"):
        consensus(np.ones(2), 2, level)
