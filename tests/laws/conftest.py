import pytest
import torch

from tests.zygote import Zygote

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def zygote(fork_server: None) -> Zygote:
    """What starts the runs that laws kill."""
    return Zygote()
