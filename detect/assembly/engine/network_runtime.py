"""What runs a network: torch or OpenVINO, on a device of this machine."""

import logging
from dataclasses import replace
from importlib.util import find_spec

from detect.assembly.settings.inference_settings import InferenceSettings, RuntimeSettings
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime, compile_cache
from detect.inference.runtimes.torch_runtime import TorchRuntime, pick_device
from detect.nets.card import ModelCard
from detect.nets.modelfile import Net

logger = logging.getLogger(__name__)

NetworkRuntime = TorchRuntime | OpenVinoRuntime
"""What runs a network."""


def check_one_device(settings: RuntimeSettings) -> None:
    """Check that one process is to run a network.

    Raises:
        ValueError: several devices are asked for where one is taken.
    """
    if settings.devices not in (1, "auto"):
        raise ValueError(
            f"runtime.devices={settings.devices}: several processes are of detect.predict alone; leave it out here "
            "(trainer.devices is for training)"
        )


def check_runtime(settings: RuntimeSettings) -> None:
    """Check that a network could be run so on this machine, long before there is one to run.

    Raises:
        ValueError: a device, a precision or a package that is not there.
    """
    check_one_device(settings)
    device = pick_device(settings.device)
    if settings.runtime == "openvino":
        if device.type != "cpu":
            raise ValueError(f"runtime=openvino runs on the CPU, got runtime.device={device}")
        if find_spec("openvino") is None:
            raise ValueError("runtime=openvino needs the package openvino; pip install it, or use runtime=torch")


def make_runtime(settings: RuntimeSettings, net: Net, card: ModelCard) -> NetworkRuntime:
    """Make what runs the network; `auto` takes OpenVINO on a CPU, torch elsewhere, and torch where OpenVINO fails.

    Raises:
        ValueError: a device, a precision or a package that is not there.
    """
    name, device = settings.runtime, pick_device(settings.device)
    on_cpu = device.type == "cpu"
    if name == "openvino" and not on_cpu:
        raise ValueError(f"runtime=openvino runs on the CPU, got runtime.device={device}")
    if name == "openvino" or (name == "auto" and on_cpu and settings.precision != "16" and not settings.compile):
        try:
            return OpenVinoRuntime(net, len(card.bands), card.align, card.dtype, settings.precision, compile_cache())
        except ImportError as error:
            if name == "openvino":
                raise ValueError(f"runtime=openvino needs the package openvino ({error}); pip install it") from error
            logger.info("OpenVINO is not installed: torch runs the network, two to four times as slowly")
        except (ValueError, RuntimeError) as error:
            if name == "openvino":
                raise ValueError(f"OpenVINO cannot run this network ({error}); use runtime=torch") from error
            logger.warning("torch runs the network instead of OpenVINO: %s", str(error).splitlines()[0])
    return TorchRuntime(net, device, settings.precision, settings.compile)


def runtime_settings(settings: InferenceSettings) -> RuntimeSettings:
    """Return what runs the network: torch where its statistics are set anew for every image, as OpenVINO's are fixed.

    Raises:
        ValueError: OpenVINO was asked for.
    """
    if "batchnorm" not in settings.adapt:
        return settings.runtime
    if settings.runtime.runtime == "openvino":
        raise ValueError(
            "runtime=openvino cannot change a network for every image: adapt=batchnorm needs runtime=torch"
        )
    return replace(settings.runtime, runtime="torch")
