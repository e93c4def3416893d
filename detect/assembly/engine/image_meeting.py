"""How each image is met before its first tile."""

import logging

from detect.assembly.settings.inference_settings import InferenceSettings
from detect.inference.decoding.decoder import decoder_of
from detect.inference.meeting.batch_norms import NORM_GRID, BatchNorms
from detect.inference.meeting.met_images import Meeting
from detect.inference.meeting.scale_choice import FACTORS, SCALE_GRID, ScaleChoice
from detect.inference.plan import NETWORK_SHARE
from detect.inference.stitching import Runtime
from detect.nets.card import ModelCard
from detect.nets.facts.probabilities import network_threshold
from detect.nets.modelfile import Net

logger = logging.getLogger(__name__)


SAMPLE_PIXELS = max(NORM_GRID.number * NORM_GRID.side**2, int((max(FACTORS) * SCALE_GRID.side) ** 2))
"""Most pixels of an image's sample that a network maps at once."""


def make_meeting(
    settings: InferenceSettings, net: Net, card: ModelCard, runtime: Runtime, bytes_per_pixel: float
) -> Meeting | None:
    """Make what meets each image before its first tile; None where all are looked at alike.

    Args:
        settings: with what is brought to what, and how far.
        net: the network that runs, on its device; with `adapt=batchnorm` one that no other run uses.
        card: its card.
        runtime: of the network.
        bytes_per_pixel: that mapping takes per pixel.

    Raises:
        ValueError: a model or a memory that does not allow it.
    """
    looks = card.looks if "light" in settings.adapt else None
    if "light" in settings.adapt and looks is None:
        raise ValueError(
            "adapt=light: this model does not know what its training images look like, as those of earlier versions; "
            "train it again, or leave light out"
        )
    norms = BatchNorms(net, settings.adapt_share) if "batchnorm" in settings.adapt else None
    chosen = isinstance(settings.rescale, str)
    own = network_threshold(card.calibration, card.threshold)
    scale = ScaleChoice(card, runtime, decoder_of(card), card.separation, own) if chosen else None
    for option, needs in (("adapt=batchnorm", norms), (f"rescale={settings.rescale}", scale)):
        needed = int(SAMPLE_PIXELS * bytes_per_pixel / NETWORK_SHARE)
        if needs is not None and settings.max_memory is not None and needed > settings.max_memory:
            raise ValueError(
                f"max_memory={settings.max_memory.text} is too small for {option}, which maps a megapixel at once; "
                f"set {-(-needed >> 20)}MiB or more"
            )
    if not settings.adapt and settings.rescale == 1:
        return None
    shares = f" (adapt_share={settings.adapt_share:g})" if settings.adapt else ""
    names = ", ".join([*settings.adapt, f"rescale={settings.rescale}"])
    logger.info("every image is met before its first tile: %s%s", names, shares)
    return Meeting(settings.adapt_share, looks, norms, scale or float(settings.rescale))
