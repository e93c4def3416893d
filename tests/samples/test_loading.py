from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from detect.samples import loading
from detect.samples.epochs import Loading
from detect.samples.feeding.workers import Machine
from detect.samples.loading import PatchData, check_shared_memory, memory_told

SAMPLE = (torch.zeros(3, 100, 100), {"objectness": np.zeros((25, 25), np.float32), "label": 3})
"""4 x 3 x 10,000 and 4 x 625 bytes, and 8 for the number: 122,508; a batch of 8 has 980,064."""


def room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(loading.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free})())


def test_shared_memory_without_room_for_the_batches_is_told_before_a_worker_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """4 workers make 2 batches ahead each, and one is in use: 9 batches of 980,064 bytes. 3 batches suffice for one."""
    room(monkeypatch, 9 * 980_064)
    check_shared_memory(SAMPLE, Loading(8, 4, 0), tmp_path)
    room(monkeypatch, 9 * 980_064 - 1)
    with pytest.raises(ValueError, match=r"loading\.workers=4 needs 9 MiB.*8 MiB free.*loading\.workers=3.*batch_size"):
        check_shared_memory(SAMPLE, Loading(8, 4, 0), tmp_path)
    room(monkeypatch, 3 * 980_064)
    check_shared_memory(SAMPLE, Loading(8, 1, 0), tmp_path)
    room(monkeypatch, 0)
    with pytest.raises(ValueError, match=r"set data\.loading\.workers=0"):
        check_shared_memory(SAMPLE, Loading(8, 1, 0), tmp_path)
    check_shared_memory(SAMPLE, Loading(8, 4, 0), tmp_path / "no such folder")


class Samples(Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.zeros(1, 4, 4), index


def test_the_loader_of_a_training_checks_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checked = []
    monkeypatch.setattr(loading, "check_shared_memory", lambda sample, given: checked.append(given.workers))
    for workers in (0, 2):
        PatchData(lambda epoch: Samples(), Samples(), Loading(4, workers, 0)).val_dataloader()
    assert checked == [2]


def test_auto_is_chosen_once_says_why_and_takes_what_shared_memory_holds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A batch of 4 has 4 x (64 + 8) bytes: there is room for three of these, of which one worker takes two."""
    monkeypatch.setattr(loading, "workers_for", lambda machine, *, in_parts: (7, "8 cores beside cuda"))
    monkeypatch.setattr(loading, "SHARED_MEMORY", Path("/"))
    room(monkeypatch, 3 * 4 * 72)
    caplog.set_level("INFO")
    data = PatchData(lambda epoch: Samples(), Samples(), Loading(4, None, 0))
    assert (data.train_dataloader().num_workers, data.val_dataloader().num_workers) == (1, 1)
    (said,) = caplog.messages
    assert "1 process" in said and "workers=auto" in said and "8 cores beside cuda" in said and "shared memory" in said


def test_a_lack_of_memory_in_a_training_names_the_settings() -> None:
    message = r"batch of 16.*batch_size=8.*accumulate_grad_batches"
    with pytest.raises(MemoryError, match=message), memory_told(Loading(16, 0, 0)):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")
    killed = RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error.")
    message = r"workers=2 ended .*Bus error.*lower data\.loading\.workers"
    with pytest.raises(ValueError, match=message), memory_told(Loading(16, 2, 0)):
        raise killed
    with pytest.raises(RuntimeError, match="DataLoader"), memory_told(Loading(16, 0, 0)):
        raise killed


@pytest.mark.parametrize(("device", "pinned"), [("cuda", True), ("cpu", False)])
def test_batches_are_pinned_for_a_gpu_alone(device: str, pinned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatchData, "_machine", lambda _: Machine(4, device, 1))
    data = PatchData(lambda epoch: Samples(), Samples(), Loading(4, 0, 0))
    assert data.train_dataloader().pin_memory is data.val_dataloader().pin_memory is pinned
