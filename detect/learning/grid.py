"""Learning of the grid head: its loss and its Lightning module."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss

from detect.learning.hyperparameters import LossWeights, Schedule
from detect.learning.imbalance import ClassLoss
from detect.learning.module import CountingModule, SceneScores, channels_last
from detect.learning.together import mean_number, processes
from detect.nets.heads.grid import CHANNELS_PER_SLOT, GridDetector
from detect.nets.heads.specs import GridHead

MAX_LOG_SIZE = 4.0
"""Greatest |log(size / typical size)| that GIoU is given; a larger one is clamped, and its excess added to the loss."""


SMOOTH_L1_BETA = 0.2
"""Distance of centres in cells up to which its loss is quadratic."""


class GridLoss(nn.Module):
    """The terms of the loss of a batch, each divided by the number of its objects.

    While several processes learn, the number is the mean of theirs, so that all lose as one does with all their crops.

    - `objectness`: the focal loss of CornerNet (Law and Deng 2018): positives by (1 - p)^gamma, other cells by
      p^gamma (1 - target)^beta. With a smoothing s positives have the target t = 1 - s, and lose least at p = t:
      |p - t|^gamma times the cross-entropy with t (Li et al. 2020, quality focal loss), so that no score is driven to
      1. Other cells keep theirs: they are thousands to one, and a share s of each would outweigh all objects.
    - `box`: the distance of the centres in cells (smooth L1), and for boxes 1 - GIoU (Rezatofighi et al. 2019).
    - `label`: the cross-entropy of a `ClassLoss`; left out for a single class.

    Args:
        grid: the head.
        stride: pixels per cell.
        weights: factors and exponents.
        label: the loss of the classes.
    """

    def __init__(self, grid: GridHead, stride: int, weights: LossWeights, label: ClassLoss) -> None:
        super().__init__()
        self.grid = grid
        self.cell = None if grid.object_size is None else stride / grid.object_size
        self.weights = weights
        self.label = label

    def forward(self, raw: Tensor, targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weighted terms, by name.

        Args:
            raw: (B, slots * 5 + C, h, w), the net's output.
            targets: of a `TargetEncoder`, batched.
        """
        channels = self.grid.slots * CHANNELS_PER_SLOT
        slots = raw[:, :channels].unflatten(1, (self.grid.slots, CHANNELS_PER_SLOT)).float()
        learned = targets["learned"][:, None]
        used, share = targets["weight"] * learned, targets["weight"][:, 0] * targets["learned"]
        positive = (targets["objectness"] == 1) & (learned > 0)
        positives, boxes, labels = self._numbers(positive, used, share)
        terms = {
            "objectness": self.weights.objectness
            * self._objectness(slots[:, :, 0], targets["objectness"], learned, positive)
            / positives,
            "box": self.weights.box * self._box(slots[:, :, 1:], targets["box"], used) / boxes,
        }
        if raw.shape[1] - channels > 1:
            entropy = self.label(raw[:, channels:].float(), targets["label"])
            terms["label"] = self.weights.label * (entropy * share).sum() / labels
        return terms

    def _numbers(self, *counted: Tensor) -> Tensor:
        """Return the numbers that terms are divided by, 1 at least in all processes: (n,)."""
        numbers = torch.stack([each.sum().float() for each in counted])
        if not self.training:
            return numbers.clamp(min=1)
        return mean_number(numbers).clamp(min=1 / processes())

    def _objectness(self, logit: Tensor, wanted: Tensor, learned: Tensor, positive: Tensor) -> Tensor:
        """Return the focal loss of logits (B, slots, h, w), summed."""
        p = logit.sigmoid()
        hit = self._hit(logit, p)
        miss = -F.logsigmoid(-logit) * p**self.weights.gamma * (1 - wanted) ** self.weights.beta
        return (torch.where(positive, hit, miss) * learned).sum()

    def _hit(self, logit: Tensor, p: Tensor) -> Tensor:
        """Return what a cell loses that holds a centre, by its log odds and its objectness p."""
        if not self.weights.smoothing:
            return -F.logsigmoid(logit) * (1 - p) ** self.weights.gamma
        target = 1 - self.weights.smoothing
        entropy = -target * F.logsigmoid(logit) - (1 - target) * F.logsigmoid(-logit)
        return entropy * (p - target).abs() ** self.weights.gamma

    def _box(self, found: Tensor, wanted: Tensor, share: Tensor) -> Tensor:
        """Return the loss of boxes (B, slots, 4, h, w), weighted by shares (B, slots, h, w), summed."""
        distance = F.smooth_l1_loss(found[:, :, :2], wanted[:, :, :2], reduction="none", beta=SMOOTH_L1_BETA).sum(dim=2)
        loss = (distance * share).sum()
        if self.cell is None:
            return loss
        used = share > 0
        one, other = (each.movedim(2, -1)[used] for each in (found, wanted))
        excess = F.relu(one[:, 2:].abs() - MAX_LOG_SIZE).sum(dim=1)
        overlap = generalized_box_iou_loss(self._corners(one), self._corners(other))
        return loss + ((overlap + excess) * share[used]).sum()

    def _corners(self, box: Tensor) -> Tensor:
        """Return corners (M, 4) of boxes (M, 4) of offsets in cells and log sizes, in units of the typical object."""
        assert self.cell is not None
        centre = box[:, :2] * self.cell
        half = box[:, 2:].clamp(-MAX_LOG_SIZE, MAX_LOG_SIZE).exp() / 2
        return torch.cat([centre - half, centre + half], dim=1)


Batch = tuple[Tensor, dict[str, Tensor]]


class GridModule(CountingModule):
    """Trains a grid head.

    Logs `train/loss` and `val/loss` of crops, their terms as `train/objectness`, `train/box`, `train/label`,
    `train/lost` (objects a crop without a slot in their cell), and the scenes' scores.

    Args:
        net: the network.
        schedule, seed, scene_scores: as of a `CountingModule`.
        loss: computes the terms.
    """

    net: GridDetector

    def __init__(
        self, net: GridDetector, schedule: Schedule, seed: int, loss: GridLoss, scene_scores: SceneScores | None = None
    ) -> None:
        super().__init__(net, schedule, seed, scene_scores)
        self.loss = loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch of (pixels, targets)."""
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Compute the loss of a batch for the log."""
        self._step(batch, "val")

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the scenes."""
        self.log_scenes()

    def _step(self, batch: Batch, stage: str) -> Tensor:
        """Return the loss of a batch; log it with its terms."""
        pixels, targets = batch
        terms = self.loss(self.net(channels_last(pixels)), targets)
        total = torch.stack(list(terms.values())).sum()
        shown = {"loss": total, **terms, "lost": targets["lost"].mean()}
        for name, value in shown.items():
            self.log(
                f"{stage}/{name}", value.detach(), on_step=False, on_epoch=True, batch_size=len(pixels), sync_dist=True
            )
        return total
