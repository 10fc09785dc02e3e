"""Several processes for a test: started without a launcher, joined as a launcher would have them join."""

import os
import socket
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
import torch
from torch import nn

from riqa.learn import distributed
from riqa.learn.examples import Examples
from riqa.learn.model import QualityNet
from riqa.learn.runs import _PROCESSES, run_together
from riqa.learn.train import train
from tests.learn.chain import StoppedError, brightness_task


def in_processes(n, function, *arguments):
    """Call function(processes, *arguments) in n processes, and return what each returns."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with ProcessPoolExecutor(n, mp_context=_PROCESSES) as pool:
        futures = [pool.submit(_join, rank, n, port, function, arguments) for rank in range(n)]
        return [future.result() for future in futures]


def _join(rank, n, port, function, arguments):
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": n, "LOCAL_WORLD_SIZE": n, "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in told.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)
    distributed.TIMEOUT = timedelta(minutes=5)
    with distributed.launched_processes(torch.device("cpu")) as processes:
        return function(processes, *arguments)


@contextmanager
def smooth_backbone(noisy=False):
    """Let every network be small and without kinks; on demand with what draws and normalises.

    Kinks are those of rectifiers and maximum pooling: there a last bit decides which way a gradient goes.
    """

    def build(*_):
        norm, dropout = [nn.BatchNorm2d(8)] * noisy, [nn.Dropout(0.5)] * noisy
        layers = [nn.Conv2d(3, 8, 8, stride=8), *norm, nn.GELU(), *dropout, nn.Conv2d(8, 16, 3), nn.GELU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), 16

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("riqa.learn.model.build_backbone", build)
        yield


def sparse_task():
    """48 images to learn from, few of them known: 1 grade in 6, details of 1 in 3; and 25 to validate."""
    training, n = brightness_task(48), torch.arange(48)
    overall = torch.where(n % 6 == 0, training.targets["overall"], -1)
    details = torch.where((n % 3 == 1)[:, None], training.targets["details"], torch.nan)
    targets = {"overall": overall, "details": details}
    return Examples(training.images, training.rows, targets), brightness_task(25, seed=1)


def train_on_it(processes, config, noisy=False, checkpoint=None, stop_after=None):
    """Train on the sparse task; return the weights, as arrays, and the history.

    With `stop_after` it stops after that epoch, and goes on.
    """

    def stop(record, rate):
        if record["epoch"] == stop_after and rate > 0:
            raise StoppedError

    def once(**options):
        torch.manual_seed(0)
        model = QualityNet("smooth", 3, 3)
        history = train(model, *sparse_task(), config, checkpoint=checkpoint, processes=processes, **options)
        return {name: value.numpy() for name, value in model.state_dict().items()}, history

    with smooth_backbone(noisy):
        if stop_after is not None:
            with pytest.raises(StoppedError):
                once(on_epoch=stop)
            torch.rand(7 + processes.rank)  # whatever else drew from the global generator
        return once()


def run_them(processes, runs):
    """Train runs together, with the smooth backbone."""
    with smooth_backbone():
        return run_together(runs, processes)


def gathered(processes, sizes):
    """Return, for each number of items, what comes back of positions that were dealt out and gathered."""
    return [
        processes.gather({"position": processes.spread(n)[:, None] * torch.ones(2)}, n)["position"].tolist()
        for n in sizes
    ]


def found(processes, *files):
    """Look for a file, each process for its own; return whether it is there, or the message of an error."""
    try:
        return processes.find(files[processes.rank])
    except ValueError as error:
        return str(error)
