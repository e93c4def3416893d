"""What the results of a run depend on."""

from dataclasses import replace

import pytest

from detect.assembly.engine.ready_engine import make_engine
from detect.assembly.prediction.run_record import result_settings
from tests.assembly.engine.asked import CPU_TORCH, looks_of_noise, settings
from tests.engines import lively


@pytest.mark.parametrize("adapt", ["light", "batchnorm", "[light,batchnorm]"])
def test_the_results_depend_on_how_images_are_met(adapt: str) -> None:
    """A resumed run with another way is refused, and one without any has the settings that it always had."""
    net, card = lively()
    card = replace(card, looks=looks_of_noise())
    results = []
    for more in ((), (f"adapt={adapt}",), (f"adapt={adapt}", "adapt_share=0.3")):
        asked = settings(*CPU_TORCH, *more)
        results.append(result_settings(asked, make_engine(asked, net, card, 0.5), card))
    assert not any(name.startswith("adapt") for name in results[0])
    assert results[1]["adapt"] == adapt.strip("[]").split(",") and results[1] != results[2]
