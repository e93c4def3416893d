"""Learning: which images train, which patches are drawn from them, how they are varied, and the training itself."""

from detect.learning.augment import Augment
from detect.learning.callbacks import EpochLog
from detect.learning.crops import CropDataset, CropRecipe, CropSampler
from detect.learning.data import Loading, PatchData
from detect.learning.datasets import FolderDataset, SampleDataset
from detect.learning.grid_module import GridModule
from detect.learning.losses import GridLoss, LossWeights
from detect.learning.mixing import BatchMixer, Mix
from detect.learning.module import ClassifierModule, CountingModule, Schedule
from detect.learning.pixels import PixelSource
from detect.learning.sampling import Recipe, Sampler
from detect.learning.splits import LabelledScene, SceneSplit, named_sides, split_scenes
from detect.learning.superimpose import Collage, Pasting, point_size
from detect.learning.targets import Encoder, Objects
from detect.learning.tasks import (
    FolderRecipe,
    PatchSettings,
    Task,
    folder_card,
    folder_outputs,
    folder_task,
    grid_task,
    image_kind,
    measure_normalisation,
    object_size,
    scene_task,
)

__all__ = [
    "Augment",
    "BatchMixer",
    "ClassifierModule",
    "Collage",
    "CountingModule",
    "CropDataset",
    "CropRecipe",
    "CropSampler",
    "Encoder",
    "EpochLog",
    "FolderDataset",
    "FolderRecipe",
    "GridLoss",
    "GridModule",
    "LabelledScene",
    "Loading",
    "LossWeights",
    "Mix",
    "Objects",
    "Pasting",
    "PatchData",
    "PatchSettings",
    "PixelSource",
    "Recipe",
    "SampleDataset",
    "Sampler",
    "SceneSplit",
    "Schedule",
    "Task",
    "folder_card",
    "folder_outputs",
    "folder_task",
    "grid_task",
    "image_kind",
    "measure_normalisation",
    "named_sides",
    "object_size",
    "point_size",
    "scene_task",
    "split_scenes",
]
