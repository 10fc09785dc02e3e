"""What holds for all tests."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_stops_children():
    """Let tests press Ctrl-C where a shell started them in the background, with the signal ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Return photographs and a model that has learned from their like (`tests.assess.lab.Lab`)."""
    from tests.assess.lab import make_lab

    return make_lab(tmp_path_factory.mktemp("lab"))
