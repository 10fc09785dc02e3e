"""The kernel of a chapter: this environment's Python, and none of a user's own settings."""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from traitlets.config import Config

from riqa.temporary import own_folder

# A matplotlibrc in the current folder wins over everything that variables can say.
PLAIN_FIGURES = "--IPKernelApp.exec_lines=import matplotlib; matplotlib.rcdefaults(); del matplotlib"


class Kernel(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever kernels are installed under the same name."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command that starts the kernel."""
        return KernelSpec(**get_kernel_dict([PLAIN_FIGURES]))


def kernel_options() -> dict[str, Any]:
    """Return the options with which papermill runs a notebook in `Kernel`."""
    config = Config()
    config.KernelManager.transport_encryption = "auto"  # ipykernel 7 otherwise warns in every notebook
    # Files of this run's own, not ports: two chapters that start at once can be given the same free port.
    config.KernelManager.transport = "ipc"
    config.KernelManager.connection_file = str(own_folder() / "kernel.json")
    return {"kernel_name": "python3", "kernel_manager_class": Kernel, "config": config}


@contextmanager
def kernel_environment(workers: int, checkpoints: Path) -> Iterator[None]:
    """Set what a chapter's kernel inherits; None is taken out.

    One thread per process, so that results do not depend on cores.
    """
    folder = own_folder()
    package = importlib.util.find_spec("matplotlib").submodule_search_locations[0]
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    wanted = dict.fromkeys(threads, "1") | {
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "PYTHONSTARTUP": None,
        "PYTHONOPTIMIZE": None,  # would leave the assertions out
        "PYTHONWARNINGS": None,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(Path(package, "mpl-data", "matplotlibrc")),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder),
        "JUPYTER_DEFAULT_PROVISIONER_NAME": None,
        "TMPDIR": str(folder),
        "RIQA_WORKERS": str(workers),
        "RIQA_CHECKPOINTS": str(checkpoints),
    }
    before = {name: os.environ.get(name) for name in wanted}
    _set(wanted)
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    """Set variables of this process's environment; those that are None are taken out."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
