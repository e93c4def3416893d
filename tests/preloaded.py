"""What a process imports that counts images, imported first: forks of the process that has it have it too.

The garbage collector leaves it to itself, as its rounds would copy all of it for each fork.
"""

import gc
from importlib import import_module

import torch

IMPORTED_FIRST = (
    "hydra",
    "jinja2",
    "matplotlib.cm",
    "pydantic.dataclasses",
    "timm",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "detect.predict",
    "detect.assembly.settings.command_settings",
    "detect.assembly.ready_engine",
    "detect.assembly.runs.prediction",
    "detect.imagery.finding.listing",
    "detect.inference.run",
    "detect.nets.modelfile",
    "detect.reporting.output.journal",
    "detect.reporting.output.prediction_folder",
    "detect.reporting.page.report_page",
)

for name in IMPORTED_FIRST:
    import_module(name)
torch.set_num_threads(1)
gc.collect()
gc.freeze()
