"""From settings to what varies the training samples, each decision logged."""

import logging
from typing import TYPE_CHECKING

from detect.samples.augment import Augment, is_photograph
from detect.samples.epochs import FEW_OBJECTS
from detect.samples.pasting.collage import PasteObjects, point_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detect.assembly.heads.choice import HeadBuilder
    from detect.assembly.settings.train_settings import AugmentSettings, LearningSettings
    from detect.assembly.training.learned_scenes import Scenes
    from detect.learning.mixing import BatchMixer
    from detect.samples.labelled_scenes import LabelledScene
    from detect.samples.pixel_cache import PixelSource
    from detect.samples.values.normalisation import TrainingValues

logger = logging.getLogger(__name__)


def make_augment(settings: "AugmentSettings", head: "HeadBuilder", *, bare: bool) -> Augment | None:
    """Make the chain of transforms, None for none; log which other augmentation is not for this network.

    Args:
        settings: of the augmentation.
        head: the network's.
        bare: whether a folder of patches trains.
    """
    for name, suited in head.unsuited_augmentations(bare=bare).items():
        if getattr(settings, name).p:
            logger.info("augment.%s is for %s: not used here", name, suited)
    exchanged = settings.exchange.p > 0 and not bare
    if settings.exchange.p and bare:
        logger.info("augment.exchange is for labelled images: not used here")
    transforms = {name: arguments or {} for name, arguments in settings.transforms.items()}
    return Augment(transforms) if transforms or exchanged else None


def exchanging(
    augment: Augment | None, settings: "LearningSettings", train: "Sequence[LabelledScene]", source: "PixelSource"
) -> Augment | None:
    """Return the chain of transforms with statistics exchanged between the training images, where that is asked for.

    Args:
        augment: the chain; None for none.
        settings: of the run.
        train: the scenes that samples are numbered by.
        source: reads their pixels.
    """
    exchange = settings.augment.exchange
    if augment is None or not exchange.p:
        return augment
    from detect.samples.values.exchange import Exchange
    from detect.samples.values.measured import values_by_scene

    if len(train) == 1 and not exchange.jitter:
        logger.warning("augment.exchange has a single training image, and augment.exchange.jitter=0: nothing changes")
    else:
        percent = 100 * exchange.p
        logger.info("light: %.0f %% of the samples take that of one of %d training images", percent, len(train))
    values = values_by_scene([labelled.scene for labelled in train], source, settings.seed)
    return augment.exchanging(Exchange.of(exchange, values))


def fitted_to(augment: Augment | None, values: "TrainingValues") -> Augment | None:
    """Return the chain of transforms for the values of the training images; log what it does to no photographs."""
    if augment is None or is_photograph(values.dtype, len(values.looks.bands)):
        return augment
    fitted = augment.within(values.range)
    if fitted.light is not None and (fitted.light.followed or fitted.light.left_out):
        left = f"; not for such images: {', '.join(fitted.light.left_out)}" if fitted.light.left_out else ""
        names = ", ".join(fitted.light.followed) or "nothing"
        logger.info("light, as parts of the training images' range of values, is varied by %s%s", names, left)
    return fitted


def make_paste(
    settings: "LearningSettings", scenes: "Scenes", object_size: float | None, greatest: int, context: int = 0
) -> PasteObjects | None:
    """Make what pastes objects and ground onto crops; None where none is asked for.

    Args:
        settings: of the augmentation, and the balance of classes.
        scenes: those that train are cut from.
        object_size: side in pixels of what a point stands for; None measures it.
        greatest: that side, at most, where it is measured.
        context: pixels at each edge of a crop where nothing is learned.
    """
    objects, ground = settings.augment.superimpose, settings.augment.background
    if not (objects.p or ground.p):
        return None
    train = scenes.split.train
    size = point_size(train, greatest) if object_size is None else object_size
    made = PasteObjects(train, scenes.source, objects, ground, size, settings.data.sampling.balance, context)
    cutouts = made.cutouts
    if cutouts is not None:
        points = train[0].objects.wh is None
        number = sum(len(labelled.objects) for labelled in train)
        setting = ": net.object_size" if settings.net.kind == "grid" else ""
        sides = f" (a point stands for {size:.0f} pixels{setting})" if points else ""
        logger.info("superimposition: %d of %d training objects stand free%s", len(cutouts.isolated), number, sides)
        if cutouts.isolated:
            rates = cutouts.object_cutouts.rates_text(train[0].objects.classes)
            rest = "not used" if points else "pasted as whole boxes"
            logger.info("superimposition: %s; the others are %s", rates, rest)
        if objects.rare:
            logger.info(
                "superimposition: %s", _rare_text(objects.rare, [train[0].objects.classes[k] for k in cutouts.few])
            )
    return made


def _rare_text(share: float, names: "Sequence[str]") -> str:
    """Return what is pasted of classes of few objects that can be cut out, as a sentence for the log."""
    if not names:
        return f"no class of fewer than {FEW_OBJECTS} objects can be cut out: augment.superimpose.rare changes nothing"
    return f"{share:.0%} of what is pasted are objects of {', '.join(names)}, of which there are few"


def make_mixer(settings: "AugmentSettings", classes: int) -> "BatchMixer | None":
    """Make what mixes batches of bare patches; None where that is not asked for.

    Args:
        settings: of the augmentation.
        classes: outputs of the network.
    """
    from detect.learning.mixing import BatchMixer

    mixup, cutmix = settings.mixup, settings.cutmix
    return BatchMixer(mixup, cutmix, classes) if mixup.p or cutmix.p else None
