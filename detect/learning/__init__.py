"""Learning: which images train, which patches are drawn from them, how they are varied, and the training itself."""

from detect.learning.augment import Augment
from detect.learning.callbacks import AveragedWeights, EpochLog
from detect.learning.copies import Filed, check_copies
from detect.learning.crops import CropDataset, CropRecipe, CropSampler
from detect.learning.crowding import greatest_overlaps, nearest_others
from detect.learning.data import Loading, PatchData
from detect.learning.datasets import FolderDataset, PatchFiles, SampleDataset
from detect.learning.finetuning import Layers, Schedule
from detect.learning.folder_tasks import FolderRecipe, folder_card, folder_outputs, folder_task
from detect.learning.folds import Fold, Folded, fold_images
from detect.learning.grid_module import GridModule
from detect.learning.imbalance import ClassBalance, ClassLoss
from detect.learning.losses import GridLoss, LossWeights
from detect.learning.mining import HardNegatives, LookAlikes, Mining, false_alarms
from detect.learning.mixing import BatchMixer, Mix
from detect.learning.module import ClassifierModule, CountingModule
from detect.learning.pixels import PixelSource
from detect.learning.sampling import Recipe, Sampler
from detect.learning.sizes import ObjectSizes, fitted_patch, grid_warnings, object_sizes, patch_warnings, seen_split
from detect.learning.splits import PART, LabelledScene, SceneSplit, named_sides, split_scenes
from detect.learning.superimpose import Collage, Pasting, point_size
from detect.learning.targets import Encoder, Objects
from detect.learning.tasks import PatchSettings, Task, grid_task, image_kind, measure_normalisation, scene_task
from detect.learning.transplant import Transplant

__all__ = [
    "PART",
    "Augment",
    "AveragedWeights",
    "BatchMixer",
    "ClassBalance",
    "ClassLoss",
    "ClassifierModule",
    "Collage",
    "CountingModule",
    "CropDataset",
    "CropRecipe",
    "CropSampler",
    "Encoder",
    "EpochLog",
    "Filed",
    "Fold",
    "Folded",
    "FolderDataset",
    "FolderRecipe",
    "GridLoss",
    "GridModule",
    "HardNegatives",
    "LabelledScene",
    "Layers",
    "Loading",
    "LookAlikes",
    "LossWeights",
    "Mining",
    "Mix",
    "ObjectSizes",
    "Objects",
    "Pasting",
    "PatchData",
    "PatchFiles",
    "PatchSettings",
    "PixelSource",
    "Recipe",
    "SampleDataset",
    "Sampler",
    "SceneSplit",
    "Schedule",
    "Task",
    "Transplant",
    "check_copies",
    "false_alarms",
    "fitted_patch",
    "fold_images",
    "folder_card",
    "folder_outputs",
    "folder_task",
    "greatest_overlaps",
    "grid_task",
    "grid_warnings",
    "image_kind",
    "measure_normalisation",
    "named_sides",
    "nearest_others",
    "object_sizes",
    "patch_warnings",
    "point_size",
    "scene_task",
    "seen_split",
    "split_scenes",
]
