"""One class a pixel: what is known is kept, what isn't is no class."""

import numpy as np
import pytest

from hilum.datasets.class_map import NonCovid, covid_map, pixels_by_class, stacked
from hilum.datasets.class_source import UNKNOWN, ImageLabel

RNG = np.random.default_rng(0)
LUNGS, INFECTION = RNG.random((20, 30)) < 0.5, RNG.random((20, 30)) < 0.2


@pytest.mark.parametrize("label", ImageLabel)
@pytest.mark.parametrize("rule", NonCovid)
@pytest.mark.parametrize("outlined", [None, INFECTION])
def test_an_infection_is_only_where_somebody_outlined_it_or_the_rule_says_so(label, rule, outlined):
    found = covid_map(label, LUNGS, outlined, rule)
    whole = label is ImageLabel.NON_COVID and rule is NonCovid.LUNG and outlined is None
    if label is ImageLabel.HEALTHY:
        assert np.array_equal(found, LUNGS)
    elif outlined is not None:
        assert np.array_equal(found > 1, INFECTION)
        assert np.array_equal(found == 1, LUNGS & ~INFECTION)
    else:
        assert np.array_equal(found == 3, LUNGS & whole)
        assert not np.isin(found, (1, 2)).any()
        assert whole or (found[LUNGS] == UNKNOWN).all()
    assert not (found == 3).any() or label is ImageLabel.NON_COVID
    assert not (found == 2).any() or label is ImageLabel.COVID


def test_of_structures_that_overlap_the_later_wins():
    found = stacked([LUNGS, INFECTION])
    assert np.array_equal(found == 2, INFECTION)
    assert np.array_equal(found == 1, LUNGS & ~INFECTION)
    assert pixels_by_class(found) == {1: int((LUNGS & ~INFECTION).sum()), 2: int(INFECTION.sum())}
    with pytest.raises(ValueError, match="structure"):
        stacked([])
