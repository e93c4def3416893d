"""The header of a model file: the card alone, read without torch, so that a wrong file is an error at once."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from detect.imagery.remote.model_copies import file_of
from detect.nets.card import ModelCard, ModelFileError

LARGEST = 32 << 20
"""Most bytes of a file's own header: the card, as text within text, and the names and shapes of the tensors."""


def read_card(path: Path) -> ModelCard:
    """Read the card of a model file, here or at an address.

    Raises:
        ModelFileError: missing, not a safetensors file, or of another program or version.
        OSError: it is at an address, and cannot be fetched.
    """
    here = file_of(path)
    if not here.is_file():
        raise ModelFileError(f"{path}: no such model file; it is the model.safetensors that detect.train writes")
    try:
        with here.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
        if size > LARGEST:
            raise ModelFileError(
                f"{path}: not a model file (its header would be of {size:,} bytes, of {LARGEST:,} at most)"
            )
        with safe_open(here, framework="numpy") as source:
            header = (source.metadata() or {}).get("detect")
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"{path}: not a model file ({error}); it is the model.safetensors that detect.train writes"
        ) from error
    if header is None:
        raise ModelFileError(
            f"{path}: a safetensors file without the header of detect.train; weights go to net.weights="
        )
    try:
        return ModelCard.from_json(header)
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}") from error
