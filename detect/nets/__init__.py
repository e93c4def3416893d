"""Networks: backbones and their weights, the patch classifier, receptive fields, and the model file."""

from detect.nets.backbones import Backbone, build_backbone
from detect.nets.grid import GridDetector, GridSpec
from detect.nets.modelfile import ModelCard, ModelFileError, Net, build_net, load_model, save_model
from detect.nets.patch import PatchClassifier
from detect.nets.receptive import effective_halo, receptive_halo
from detect.nets.weights import WeightsError

__all__ = [
    "Backbone",
    "GridDetector",
    "GridSpec",
    "ModelCard",
    "ModelFileError",
    "Net",
    "PatchClassifier",
    "WeightsError",
    "build_backbone",
    "build_net",
    "effective_halo",
    "load_model",
    "receptive_halo",
    "save_model",
]
