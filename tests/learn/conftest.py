"""Training tests run on one thread, as training runs do, most of them on one toy set."""

import pytest
import torch

from tests.learn.chain import write_toy_store


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return write_toy_store(tmp_path_factory.mktemp("store"))
