"""Learning: which images train, which patches are drawn from them, how they are varied, and the training itself."""

from detect.learning.augment import Augment
from detect.learning.data import PatchData
from detect.learning.datasets import FolderDataset, SampleDataset
from detect.learning.module import ClassifierModule, Schedule
from detect.learning.pixels import PixelSource
from detect.learning.sampling import Recipe, Sampler
from detect.learning.splits import LabelledScene, SceneSplit, split_scenes

__all__ = [
    "Augment",
    "ClassifierModule",
    "FolderDataset",
    "LabelledScene",
    "PatchData",
    "PixelSource",
    "Recipe",
    "SampleDataset",
    "Sampler",
    "SceneSplit",
    "Schedule",
    "split_scenes",
]
