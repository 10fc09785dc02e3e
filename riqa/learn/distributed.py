"""Several processes that train one network together by Hugging Face Accelerate.

Each holds the whole network and all targets, and computes its own part of every batch. The backward pass
averages gradients (torch's DistributedDataParallel), so that all take the step of one process on the whole.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from riqa.errors import InputError

if TYPE_CHECKING:
    from accelerate import Accelerator

TIMEOUT = timedelta(hours=6)  # of waiting for the main one, which alone writes a model and applies it


@dataclass(frozen=True)
class Processes:
    """Processes that train a network together, seen from number `rank`; alone without an accelerator."""

    accelerator: "Accelerator | None" = None
    n: int = 1
    rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes files."""
        return self.rank == 0

    def part(self, items: Tensor) -> Tensor:
        """Return this process's part of a batch: every n-th item."""
        return items[self.rank :: self.n]

    def wrap(self, model: nn.Module, some_unused: bool) -> nn.Module:
        """Return a network with the main process's weights, whose backward pass averages gradients.

        Batch normalisation sees the whole batch on graphics cards, and a process's own part on processors,
        where torch can do no other. `some_unused` tells whether the loss may not depend on a parameter.
        """
        if self.accelerator is None:
            return model
        from accelerate import DistributedDataParallelKwargs

        if self.accelerator.device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        self.accelerator.free_memory()  # it keeps what it wrapped before
        self.accelerator.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=some_unused)
        return self.accelerator.prepare_model(model)

    def seed_dropout(self, seed: int, epoch: int) -> None:
        """Let every process but the main one begin an epoch with random numbers of its own.

        With those of the main one it would drop the same features of other images.
        """
        if not self.is_main:
            torch.manual_seed(int(np.random.SeedSequence([seed, epoch, self.rank]).generate_state(1)[0]))

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of each value over processes."""
        return values if self.accelerator is None else self.accelerator.reduce(values, "mean")

    def share_buffers(self, model: nn.Module) -> None:
        """Give all processes the main one's running statistics, the part of a network that may differ."""
        if self.accelerator is not None:
            from accelerate.utils import broadcast

            for buffer in model.buffers():
                broadcast(buffer)

    def spread(self, n: int) -> Tensor:
        """Return which of n items this process computes, equally many each: some repeat the last."""
        each = -(-n // self.n)
        return torch.arange(self.rank, each * self.n, self.n).clamp(max=n - 1)

    def gather(self, parts: dict[str, Tensor], n: int) -> dict[str, Tensor]:
        """Put together what all computed of their items: (n, ...) on the CPU, the same in every process."""
        if self.accelerator is None:
            return parts
        whole = {}
        for name, part in parts.items():
            by_process = self.accelerator.gather(part.to(self.accelerator.device)).cpu()
            whole[name] = by_process.unflatten(0, (self.n, -1)).transpose(0, 1).flatten(0, 1)[:n]
        return whole

    def find(self, file: Path) -> bool:
        """Tell whether a file is there; an InputError if only some processes see it."""
        found = file.exists()
        if self.accelerator is None:
            return found
        share = self.mean(torch.tensor(float(found), device=self.accelerator.device))
        if share.item() not in (0, 1):
            raise InputError(
                f"{file}: not every process sees this file; let out be a folder that all machines share"
            )
        return found

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()


ALONE = Processes()


@contextmanager
def launched_processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that ``accelerate launch`` (or ``torchrun``) started; without it, be alone.

    From then on ``cuda`` is this process's own card; an InputError if this machine has too few.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    n_here, n_cards = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if device.type == "cuda" and n_here > n_cards:
        raise InputError(
            f"{n_here} processes for {n_cards} graphics card(s) on this machine: launch one per card"
        )
    from accelerate import Accelerator, InitProcessGroupKwargs

    accelerator = Accelerator(
        cpu=device.type == "cpu",
        mixed_precision="no",  # the loop does that itself
        kwargs_handlers=[InitProcessGroupKwargs(timeout=TIMEOUT)],
    )
    try:
        yield Processes(accelerator, accelerator.num_processes, accelerator.process_index)
    finally:
        accelerator.end_training()
