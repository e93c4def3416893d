"""What of Lightning's checkpoint a training keeps, and how much of what a file holds is taken: values that fit."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import torch
from pydantic import Field, TypeAdapter, ValidationError
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.optim import AdamW

if TYPE_CHECKING:
    from detect.learning.module import CountingModule

T = TypeVar("T")

AVERAGED = ("current_model_state", "averaging_state")
"""Groups of tensors of a run with averaged weights, whose `state_dict` holds the average."""

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW remembers of a parameter."""

GREATEST = 1 << 53
"""Bound of the counters of steps and epochs."""

Number = Annotated[int, Field(ge=0, lt=GREATEST)]
"""A counter in a file."""

Tensors = dict[str, dict[str, Tensor]]
"""Tensors by group and name."""


def as_written(checkpoint: Mapping[str, Any], module: "CountingModule") -> tuple[Tensors, dict[str, Any]]:
    """Return what is kept of Lightning's checkpoint: tensors by group and name, and plain values.

    Rates and the optimiser's settings are not among it: a resumed run has them from its own settings. What AdamW
    remembers goes by the parameters' names.

    Args:
        checkpoint: as Lightning's trainer makes it.
        module: whose it is.
    """
    tensors = {group: checkpoint[group] for group in ("state_dict", *AVERAGED) if group in checkpoint}
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    (optimizer,), (state,) = module.trainer.optimizers, checkpoint["optimizer_states"]
    learned = [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]
    for moment in MOMENTS:
        tensors[moment] = {learned[i]: values[moment] for i, values in state["state"].items()}
    callbacks: dict[str, dict[str, Any]] = {}
    for key, values in checkpoint["callbacks"].items():
        callbacks[key] = {name: value for name, value in values.items() if not isinstance(value, Tensor)}
        tensors[f"callbacks.{key}"] = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    loops = checkpoint["loops"]["fit_loop"]
    return tensors, {
        "epochs": loops["epoch_progress"]["current"]["processed"],
        "loops": loops,
        "scheduled": checkpoint["lr_schedulers"][0]["last_epoch"],
        "precision": checkpoint.get(_precision_key(module), {}),
        "callbacks": callbacks,
        "scene_values": checkpoint["scene_values"],
    }


def fitting(tensors: Tensors, facts: Mapping[str, Any], module: "CountingModule") -> dict[str, Any]:
    """Return a checkpoint for Lightning with the values of a file; its form is that of the run that is to go on.

    The callbacks have their states from `callback_states`, and check them themselves.

    Args:
        tensors: by group and name.
        facts: plain values.
        module: set up in a trainer.

    Raises:
        ValueError: something is missing, of another form, or no number that a training could have written.
    """
    trainer, own = module.trainer, module.state_dict()
    steps = _counters(facts.get("scheduled"), 0, "scheduled")
    made = {
        "state_dict": same_tensors(tensors.get("state_dict", {}), own, "state_dict"),
        "loops": {"fit_loop": _counters(facts.get("loops"), trainer.fit_loop.state_dict(), "loops")},
        "optimizer_states": [_optimizer_state(tensors, module)],
        "lr_schedulers": [{"last_epoch": steps, "_step_count": steps + 1, "lr_lambdas": []}],
        "callbacks": {},
        "scene_values": checked_state(dict[str, float], facts.get("scene_values"), "scene_values"),
    }
    if any(isinstance(each, WeightAveraging) for each in trainer.callbacks):  # type: ignore[attr-defined]
        counter = {"n_averaged": torch.zeros((), dtype=torch.long)}
        for group, wanted in zip(AVERAGED, (own, counter), strict=True):
            made[group] = same_tensors(tensors.get(group, {}), wanted, group)
    scaler = trainer.precision_plugin.state_dict()
    if scaler:
        made[_precision_key(module)] = _scaler(facts.get("precision"), scaler)
    return made


def callback_states(tensors: Tensors, facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the states of callbacks in a file, by their keys.

    Raises:
        ValueError: they are no values by name.
    """
    states = checked_state(dict[str, dict[str, Any]], facts.get("callbacks"), "callbacks")
    return {key: {**state, **tensors.get(f"callbacks.{key}", {})} for key, state in states.items()}


def checked_state(kind: type[T], state: Any, name: str) -> T:
    """Return plain values from a file as a type, by value.

    Raises:
        ValueError: they are none of that type; the first fault is named.
    """
    try:
        return TypeAdapter(kind).validate_python(state)
    except (ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        raise ValueError(f"{'.'.join((name, *map(str, first['loc'])))}: {first['msg']}") from None


def same_tensors(found: Mapping[str, Tensor], own: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return named tensors from a file, which must be those of this run by name, shape and type.

    Raises:
        ValueError: one is missing, too many, or of another shape or type.
    """
    if set(found) != set(own):
        other = min(set(found) ^ set(own))
        raise ValueError(f"{name}/{other} is {'not wanted' if other in found else 'missing'}")
    for key, value in found.items():
        wanted = own[key]
        if value.shape != wanted.shape or value.dtype != wanted.dtype:
            raise ValueError(
                f"{name}/{key} is {value.dtype} {tuple(value.shape)}, this run's {wanted.dtype} {tuple(wanted.shape)}"
            )
    return dict(found)


def _optimizer_state(tensors: Tensors, module: "CountingModule") -> dict[str, Any]:
    """Return AdamW's state: groups of this run, moments of the file in the layout of this run's parameters."""
    groups = module.layers.groups()
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    learned = {names[id(parameter)]: parameter for group in groups for parameter in group["params"]}
    moments = {moment: tensors.get(moment, {}) for moment in MOMENTS}
    started = moments["step"]
    if not set(started) <= set(learned):
        raise ValueError(f"step/{min(set(started) - set(learned))} is no parameter that learns")
    own = {name: learned[name] for name in started}
    counter = torch.zeros((), dtype=torch.float32)
    same_tensors(started, dict.fromkeys(own, counter), "step")
    for moment in MOMENTS[1:]:
        same_tensors(moments[moment], own, moment)
    state = {
        i: {
            "step": started[name],
            **{moment: torch.empty_like(own[name]).detach().copy_(moments[moment][name]) for moment in MOMENTS[1:]},
        }
        for i, name in enumerate(learned)
        if name in started
    }
    fresh = AdamW([{key: value for key, value in group.items() if key != "start"} for group in groups])
    own_groups = [{**group, "initial_lr": group["lr"]} for group in fresh.state_dict()["param_groups"]]
    return {"state": state, "param_groups": own_groups}


def _counters(found: Any, own: Any, name: str) -> Any:
    """Return nested counters of a file, which must have the form of this run's: integers from 0 up, and flags."""
    if isinstance(own, dict):
        if not isinstance(found, dict) or set(found) != set(own):
            raise ValueError(
                f"{name} must hold {', '.join(map(str, own)) or 'nothing'} (another version of Lightning?)"
            )
        return {key: _counters(found[key], value, f"{name}.{key}") for key, value in own.items()}
    if type(found) is not type(own) or not 0 <= found < GREATEST:
        raise ValueError(
            f"{name} must be {'a flag' if isinstance(own, bool) else 'a number from 0 up'}, got {found!r:.40}"
        )
    return found


def _scaler(found: Any, own: Mapping[str, Any]) -> dict[str, float]:
    """Return the state of a scaler of gradients, with the names of this run's; its own where the file has none."""
    values = checked_state(dict[str, float], found, "precision")
    if not values:
        return dict(own)
    if set(values) != set(own) or not all(0 <= value < GREATEST for value in values.values()):
        raise ValueError(f"precision must hold {', '.join(own)}, each a number from 0 up")
    return {name: type(own[name])(value) for name, value in values.items()}


def _precision_key(module: "CountingModule") -> str:
    return type(module.trainer.precision_plugin).__qualname__
