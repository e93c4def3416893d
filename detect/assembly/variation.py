"""From a composed configuration to what varies the training data, each decision logged."""

import logging

from omegaconf import DictConfig, OmegaConf

from detect.assembly.settings import auto
from detect.learning.mixing import BatchMixer, Mix
from detect.samples.augment import Augment
from detect.samples.labelled_scenes import SceneSplit
from detect.samples.pasting.collage import PasteObjects, PasteSettings, point_size
from detect.samples.pixel_cache import PixelSource

logger = logging.getLogger(__name__)


def augment_of(cfg: DictConfig, *, bare: bool) -> Augment | None:
    """Make the chain of transforms, None for none; say which other augmentation is not for this network.

    Args:
        cfg: the configuration.
        bare: whether a folder of patches trains.
    """
    grid = cfg.net.kind == "grid"
    other = "net=patch" if grid else "net=grid"
    unused = dict.fromkeys(("mixup", "cutmix") if grid else ("background",), other)
    if not (grid or bare):
        unused["superimpose"] = "net=grid and for folders of patches"
    for name, suited in unused.items():
        if cfg.augment[name].p:
            logger.info("augment.%s is for %s: not used here", name, suited)
    transforms = OmegaConf.to_container(cfg.augment.transforms, resolve=True)
    return Augment(transforms) if transforms else None  # type: ignore[arg-type]


def paste_of(cfg: DictConfig, split: SceneSplit, source: PixelSource, greatest: int) -> PasteObjects | None:
    """Make what lays objects and ground onto crops; None where none is asked for.

    Args:
        cfg: the configuration.
        split: of the scenes; those that train are cut from.
        source: their pixels.
        greatest: side in pixels of what a point stands for, at most, unless `net.object_size` says.
    """
    objects, ground = paste_settings(cfg), cfg.augment.background
    empty = PasteSettings(ground.p, tuple(ground.patches), ground.feather, tuple(ground.side))
    if not (objects.p or empty.p):
        return None
    size = auto(cfg, "net.object_size", point_size(split.train, greatest))
    if not size > 0:
        raise ValueError(f"net.object_size must be positive, or auto, got {cfg.net.object_size}")
    made = PasteObjects(split.train, source, objects, empty, size, cfg.data.balance)
    if made.stock is not None:
        points = split.train[0].objects.wh is None
        of = sum(len(labelled.objects) for labelled in split.train)
        sides = f" (a point stands for {size:.0f} pixels: net.object_size)" if points else ""
        logger.info("superimposition: %d of %d training objects stand free%s", len(made.stock.free), of, sides)
        if made.stock.free:
            told = made.stock.pieces.told(split.train[0].objects.classes)
            rest = "not used" if points else "laid as whole boxes"
            logger.info("superimposition: %s; the others are %s", told, rest)
    return made


def paste_settings(cfg: DictConfig) -> PasteSettings:
    """Check how labelled objects are laid onto other ground."""
    paste = cfg.augment.superimpose
    return PasteSettings(paste.p, tuple(paste.objects), paste.feather)


def mixer_of(cfg: DictConfig, classes: int, *, scenes: bool) -> BatchMixer | None:
    """Make what mixes batches of patches; None where that is not asked for.

    Args:
        cfg: the configuration.
        classes: outputs of the network.
        scenes: whether the patches are cut from scenes, with a margin.

    Raises:
        ValueError: CutMix for patches of scenes.
    """
    mixup, cutmix = Mix(**cfg.augment.mixup), Mix(**cfg.augment.cutmix)
    if not (mixup.p or cutmix.p):
        return None
    if cutmix.p and scenes:
        raise ValueError(
            f"augment.cutmix.p={cutmix.p} is for folders of patches: a patch of a scene is labelled by its middle, "
            "wherever a rectangle is pasted; use augment.mixup"
        )
    return BatchMixer(mixup, cutmix, classes)
