from collections.abc import Iterator

import pytest
import torch

from tests.zygote import Zygote

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """The process whose children the runs are that laws kill."""
    with Zygote() as started:
        yield started
