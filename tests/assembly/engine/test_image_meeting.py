"""How images are met before their first tile."""

from dataclasses import replace

import pytest

from detect.assembly.engine.ready_engine import make_engine
from detect.inference.meeting.scale_choice import ScaleChoice
from detect.inference.runtimes.torch_runtime import TorchRuntime
from tests.assembly.engine.asked import CPU_TORCH, looks_of_noise, settings
from tests.engines import lively


def test_images_are_met_as_asked_and_by_default_not() -> None:
    net, card = lively()
    card = replace(card, looks=looks_of_noise())
    assert make_engine(settings(*CPU_TORCH), net, card, 0.5).meeting is None
    made = make_engine(settings(*CPU_TORCH, "adapt=[batchnorm,light]", "adapt_share=0.25"), net, card, 0.5).meeting
    assert made is not None and made.share == 0.25 and made.looks == card.looks and made.batch_norms is not None
    assert made.batch_norms.net is not net and made.batch_norms.share == 0.25
    light = make_engine(settings(*CPU_TORCH, "adapt=light"), net, card, 0.5).meeting
    assert light is not None and light.batch_norms is None and light.scale == 1
    scaled = make_engine(settings(*CPU_TORCH, "rescale=0.7"), net, card, 0.5).meeting
    assert scaled is not None and scaled.scale == 0.7 and scaled.looks is None
    chosen = make_engine(settings(*CPU_TORCH, "rescale=auto"), net, card, 0.25).meeting
    assert chosen is not None and isinstance(chosen.scale, ScaleChoice)
    assert chosen.scale.threshold == card.threshold == 0.4  # of the model, whatever the run's


def test_a_network_that_changes_for_every_image_is_run_by_torch() -> None:
    net, card = lively()
    made = make_engine(settings("runtime.device=cpu", "adapt=batchnorm"), net, card, 0.5)
    assert isinstance(made.runtime, TorchRuntime)
    with pytest.raises(ValueError, match=r"runtime=openvino cannot .* adapt=batchnorm needs runtime=torch"):
        make_engine(settings("runtime=openvino", "adapt=batchnorm"), net, card, 0.5)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("adapt=light",), "adapt=light: this model does not know .* train it again, or leave light out"),
        (("rescale=auto", "max_memory=40MiB"), "max_memory=40MiB is too small for rescale=auto.*set .*MiB"),
        (("adapt=batchnorm", "max_memory=40MiB"), "max_memory=40MiB is too small for adapt=batchnorm.*set .*MiB"),
    ],
)
def test_what_an_image_cannot_be_met_with(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_engine(settings(*CPU_TORCH, *overrides), *lively(), 0.5)
