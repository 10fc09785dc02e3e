"""What holds for all tests."""

import signal

import pytest
import torch
from hypothesis import settings

# A machine may be busy: how long an example takes says nothing.
settings.register_profile("riqa", deadline=None)
settings.load_profile("riqa")


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_stops_children():
    """Let tests press Ctrl-C where a shell started them in the background, with the signal ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _networks_do_not_depend_on_the_tests_before():
    """Draw the weights of a test's networks from a seed, in whatever process and order it runs."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Return photographs and a model that has learned from their like (`tests.assess.lab.Lab`)."""
    from tests.assess.lab import make_lab

    return make_lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture
def riqa(capsys, monkeypatch):
    """Run the command line in this process; it must end with the status given. Returns what it printed."""
    from riqa.cli import main

    monkeypatch.setenv("COLUMNS", "200")

    def run(status, *arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        assert ended.value.code == status
        return capsys.readouterr()

    return run


@pytest.fixture
def without_roots_power():
    """What to put before a command so that permissions hold for it, even where the tests are root's."""
    from tests.powers import without_powers

    return without_powers()
