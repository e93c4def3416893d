"""What a process has that counts images, made first: forks of the process that imports this have it too.

These are libraries and the composed settings of `detect.predict`. The garbage collector leaves all of it to itself, as
its rounds would copy it for each fork.
"""

import gc
from contextlib import ExitStack
from importlib import import_module

import torch

from tests.commands import call
from tests.kept import made_once

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
    "detect.assembly.engine.ready_engine",
    "detect.assembly.prediction.image_loop",
    "detect.assembly.prediction.run_record",
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
opened = ExitStack()
opened.enter_context(made_once())
assert call("predict", "model=nowhere", "images=nowhere", "output=nowhere", "runtime=torch").code == 2
gc.collect()
gc.freeze()
