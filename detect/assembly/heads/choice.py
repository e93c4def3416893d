"""The choice of a head: the settings of `net`, and what assembles a training run for them."""

from typing import TYPE_CHECKING, Annotated, Any, Protocol, assert_never

from pydantic import Field

from detect.assembly.heads.grid import GridBuilder, GridNet
from detect.assembly.heads.patch import PatchBuilder, PatchNet
from detect.assembly.heads.whole import WholeBuilder, WholeNet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detect.assembly.material import Scenes, TrainingMaterial
    from detect.assembly.settings.train_settings import LearningSettings
    from detect.labels.formats.patch_folder import PatchFolder
    from detect.learning.module import CountingModule, SceneScores
    from detect.nets.net_spec import NetSpec
    from detect.samples.augment import Augment
    from detect.samples.labelled_scenes import LabelledScene

NetSettings = Annotated[PatchNet | GridNet | WholeNet, Field(discriminator="kind")]
"""Settings of `net`, by its `kind`."""


class HeadBuilder(Protocol):
    """Assembles what a training run of one head needs."""

    exact_while_training: bool
    """Whether validation between epochs takes the whole receptive field as halo; else a measured, smaller one."""

    def unsuited_augmentations(self, *, bare: bool) -> dict[str, str]:
        """Return the groups of `augment` that this head does not use, with what they are for.

        Args:
            bare: whether a folder of patches trains.
        """

    def scene_material(
        self, settings: "LearningSettings", scenes: "Scenes", augment: "Augment | None"
    ) -> "TrainingMaterial":
        """Make the material of labelled scenes: head, patches or crops, and how they are drawn."""

    def folder_material(
        self, settings: "LearningSettings", folder: "PatchFolder", augment: "Augment | None"
    ) -> "TrainingMaterial":
        """Make the material of a folder of bare patches.

        Raises:
            ValueError: this head learns from annotated images alone.
        """

    def module(
        self, settings: "LearningSettings", net: Any, material: "TrainingMaterial", scene_scores: "SceneScores | None"
    ) -> "CountingModule":
        """Make the Lightning module."""

    def spacing(self, spec: "NetSpec", scenes: "Sequence[LabelledScene]") -> float | None:
        """Return how near labelled objects lie: a distance in resampled pixels, or for boxes an IoU."""


def head_builder(net: NetSettings) -> HeadBuilder:
    """Return what assembles a training run of the head that `net` names."""
    match net:
        case PatchNet():
            return PatchBuilder(net)
        case GridNet():
            return GridBuilder(net)
        case WholeNet():
            return WholeBuilder(net)
        case _:
            assert_never(net)
