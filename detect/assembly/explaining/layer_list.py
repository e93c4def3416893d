"""The table of a network's layers, with what learned by the training's own settings."""

from copy import deepcopy
from pathlib import Path

import yaml

from detect.assembly.explaining.asking_network import Asked
from detect.explaining.explained_page import LayerPart
from detect.explaining.layer_table import layer_rows, table_cells, table_text
from detect.learning.finetuning import Layers
from detect.learning.hyperparameters import Schedule
from detect.nets.modelfile import Net


def layer_part(asked: Asked, model: Path) -> tuple[LayerPart, str]:
    """Return the table of layers for the page, and as text.

    Args:
        asked: the network and the tile for which multiply-adds are counted.
        model: its file, beside which `config.yaml` says what learned.
    """
    frozen = frozen_layers(asked.net, model)
    rows = layer_rows(asked.net, asked.tile.pixels, frozen, max(64 // asked.card.align, 1) * asked.card.align)
    columns, cells = table_cells(rows)
    height, width = asked.tile.pixels.shape[2:]
    known = (
        "" if frozen is not None else " What learned is not known: no config.yaml of the training is beside the model."
    )
    total = rows[-1]
    words = (
        f"On {height} x {width} pixels: {total.parameters:,} parameters, {total.multiply_adds / 1e9:.3g} billion "
        f"multiply-adds. Stride and field are in pixels, along rows; an empty field is the whole picture.{known}"
    )
    return LayerPart(columns, cells, words), table_text(rows)


def frozen_layers(net: Net, model: Path) -> set[str] | None:
    """Return the names of the layers that did not learn, by the `config.yaml` of the training beside a model's file.

    None where there is none, or it is another training's than a network of these layers could have had.
    """
    config = model.parent / "config.yaml"
    try:
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))["finetune"]
        layers = Layers(deepcopy(net), Schedule(**settings), 1)
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return None
    fixed = {id(each) for layer in layers.fixed for each in layer.modules()}
    return {name for name, layer in layers.net.named_modules() if id(layer) in fixed}
