"""What a report recommends of probabilities that are off."""

from dataclasses import replace

import pytest

from hilum.core.evaluation import Temperature
from hilum.core.figures import Figure
from hilum.evaluate.recommend import recommendations
from tests.evaluate.judged import disc, judged, pair

FITTED = Temperature(2.5, "made, validation", 100, 0.6, 0.4)


def off(ece=0.3, **more):
    found = judged([pair(disc(), disc(), key=str(n), patient=str(n)) for n in range(3)])
    return replace(found, figures={**found.figures, "ece": Figure("ece", ece)}, **more)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (
            {"split": "test"},
            "evaluate them on validation, which fits a temperature",
        ),
        ({"fitted": FITTED}, "the temperature 2.5 fits them best: take it to other splits with --temperature-from"),
        ({"split": "test", "temperature": FITTED}, "at the temperature 2.5, too"),
    ],
)
def test_probabilities_that_are_off_are_led_to_a_temperature(known, said):
    assert any(said in sentence for sentence in recommendations(off(**known)))
    assert not any("temperature" in sentence for sentence in recommendations(off(0.02, **known)))
