"""Learning of the patch classifier: of bare patches, and of every cell of crops; its loss and Lightning modules."""

import logging
import math

from sklearn.metrics import accuracy_score, balanced_accuracy_score
from torch import Tensor, nn
from torch.nn import functional as F

from detect.learning.hyperparameters import Schedule
from detect.learning.imbalance import ClassLoss
from detect.learning.mixing import BatchMixer
from detect.learning.module import CountingModule, SceneScores, channels_last
from detect.learning.together import mean_number, processes, samples_of_all, values_of_all
from detect.nets.heads.patch import NOT_COUNTED, PatchClassifier

logger = logging.getLogger(__name__)


class ClassifierModule(CountingModule):
    """Trains a patch classifier on bare patches with a cross-entropy.

    Logs `train/loss`, `val/loss`, `val/accuracy` and `val/balanced_accuracy` of the patches, and the scenes' scores.

    Args:
        net, schedule, seed, scene_scores: as of a `CountingModule`.
        loss: computes the loss of every patch.
        mixer: mixes the patches of training batches; None for none.
    """

    net: PatchClassifier

    def __init__(
        self,
        net: PatchClassifier,
        schedule: Schedule,
        seed: int,
        loss: ClassLoss,
        scene_scores: SceneScores | None = None,
        mixer: BatchMixer | None = None,
    ) -> None:
        super().__init__(net, schedule, seed, scene_scores)
        self.loss = loss
        self.mixer = mixer
        self._validated: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch of (pixels, output)."""
        pixels, output = batch
        if self.mixer is not None:
            pixels, output = self.mixer(pixels.float(), output)
        logits = self.net.classify(channels_last(pixels))
        loss = self.loss(logits.float(), output).mean()
        self.log(
            "train/loss", loss, on_step=False, on_epoch=True, batch_size=len(output), prog_bar=True, sync_dist=True
        )
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Compute and store the logits of a batch."""
        pixels, output = batch
        self._validated.append((self.net.classify(channels_last(pixels)).float().cpu(), output.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the patches and of the scenes."""
        logits, output = samples_of_all(self._validated)
        self._validated.clear()
        predicted = logits.argmax(dim=1)
        self.log("val/loss", F.cross_entropy(logits, output))
        self.log("val/accuracy", float(accuracy_score(output, predicted)))
        self.log("val/balanced_accuracy", float(balanced_accuracy_score(output, predicted)), prog_bar=True)
        self.log_scenes()


class CellLoss(nn.Module):
    """The mean loss of the cells of a batch of crops: of all that hold an object, and of the hardest empty ones.

    Most cells are empty and soon right; what is left of the mean when all count hardly tells a rock from an animal
    (online hard example mining, Shrivastava et al. 2016; three empty ones an object as in SSD, Liu et al. 2016). While
    several processes learn, the batch is that of all.

    Args:
        label: the loss of a cell.
        hard: empty cells that count for each with an object, and for each crop at least; 0 for all.
    """

    def __init__(self, label: ClassLoss, hard: float) -> None:
        super().__init__()
        self.label = label
        self.hard = hard

    def forward(self, logits: Tensor, output: Tensor) -> Tensor:
        """Return the loss.

        Args:
            logits: (B, K, h, w) float.
            output: (B, h, w) numbers of outputs, 0 for empty cells, `NOT_COUNTED` where nothing is learned.
        """
        loss = self.label(logits, output.clamp(min=0))
        objects, empty = loss[output > 0], loss[output == 0]
        if self.training and processes() > 1:
            return self._of_all(objects, empty, len(output))
        if self.hard:
            most = math.ceil(self.hard * max(len(objects), len(output)))
            empty = empty.topk(min(most, len(empty)), sorted=False).values
        return (objects.sum() + empty.sum()) / max(1, len(objects) + len(empty))

    def _of_all(self, objects: Tensor, empty: Tensor, crops: int) -> Tensor:
        """Return this process's share of the loss: the mean over processes is the loss of all their cells."""
        if self.hard:
            number, every = mean_number(objects.new_tensor([len(objects), crops])), values_of_all(empty)
            most = min(math.ceil(self.hard * processes() * float(number.max())), len(every))
            if most < len(every):
                empty = empty[empty >= every.kthvalue(len(every) - most + 1).values] if most else empty[:0]
        counted = mean_number(objects.new_tensor(float(len(objects) + len(empty))))
        return (objects.sum() + empty.sum()) / counted.clamp(min=1 / processes())


class DenseModule(ClassifierModule):
    """Trains a patch classifier on every cell of crops of scenes, evaluated as in prediction.

    Logs what a `ClassifierModule` logs, of the cells that count.

    Args:
        net, schedule, seed, scene_scores: as of a `CountingModule`.
        loss: computes the loss of every cell.
        hard: as of a `CellLoss`.
    """

    def __init__(
        self,
        net: PatchClassifier,
        schedule: Schedule,
        seed: int,
        loss: ClassLoss,
        hard: float,
        scene_scores: SceneScores | None = None,
    ) -> None:
        super().__init__(net, schedule, seed, loss, scene_scores)
        self.cells = CellLoss(loss, hard)

    def training_step(self, batch: tuple[Tensor, dict[str, Tensor]], batch_idx: int) -> Tensor:  # type: ignore[override]
        """Return the loss of a batch of (pixels, targets)."""
        pixels, targets = batch
        loss = self.cells(self.net(channels_last(pixels)).float(), targets["output"])
        self.log(
            "train/loss", loss, on_step=False, on_epoch=True, batch_size=len(pixels), prog_bar=True, sync_dist=True
        )
        return loss

    def validation_step(self, batch: tuple[Tensor, dict[str, Tensor]], batch_idx: int) -> None:  # type: ignore[override]
        """Compute and store the logits of a batch's cells."""
        pixels, targets = batch
        counted = targets["output"] != NOT_COUNTED
        logits = self.net(channels_last(pixels)).float().movedim(1, -1)
        self._validated.append((logits[counted].cpu(), targets["output"][counted].cpu()))
