"""A notebook executed: by this environment's Python, with none of a user's own settings."""

import ast
import errno
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from riqa.errors import BuildError, InputError
from riqa.publish.chapters import parse_cell
from riqa.publish.forks import TAKEN_OUT, ForkedKernel, fixed_variables
from riqa.temporary import own_folder

# A matplotlibrc in the current folder wins over everything that variables can say.
PLAIN_FIGURES = "--IPKernelApp.exec_lines=import matplotlib; matplotlib.rcdefaults(); del matplotlib"


class Forked(LocalProvisioner):
    """Starts the kernel that was forked beforehand."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> dict[str, Any]:
        """Tell the fork which kernel it is."""
        self.process = self.parent.forked
        self.process.start(cmd, options["env"])
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class Kernel(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever kernels are installed under the same name."""

    forked: ForkedKernel | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.forked:
            self.provisioner = Forked(kernel_spec=self.kernel_spec, parent=self)

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command that starts the kernel."""
        return KernelSpec(**get_kernel_dict([PLAIN_FIGURES]))


def execute(
    notebook: Path, log: Path, given: Mapping[str, Any], handler: logging.Handler, forked: ForkedKernel | None
) -> dict[str, Any]:
    """Execute a notebook in the current folder into `log`, and return it; `handler` follows papermill's log.

    `given` are its parameters; the kernel is a new process or the fork. Raises an InputError if a cell
    refuses its input, or the disk is full; else a BuildError if a cell fails, or its picture is lost.
    """
    config = Config()
    config.KernelManager.transport_encryption = "auto"  # ipykernel 7 otherwise warns in every notebook
    # Files of this run's own, not ports: two chapters that start at once can be given the same free port.
    config.KernelManager.transport = "ipc"
    config.KernelManager.connection_file = str(own_folder() / "kernel.json")
    log.parent.mkdir(parents=True, exist_ok=True)
    how = {"cwd": os.getcwd(), "progress_bar": False, "log_output": True, "kernel_name": "python3"}
    how |= {"config": config, "kernel_manager_class": type("Kernel", (Kernel,), {"forked": forked})}
    places = [str(path).replace("{", "{{").replace("}", "}}") for path in (notebook, log)]
    chapter, logger = notebook.stem, logging.getLogger("papermill")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        papermill.execute_notebook(*places, given, **how)
    except PapermillExecutionError as error:
        if error.ename == "InputError":
            raise InputError(error.evalue) from None
        if re.match(rf"\[Errno ({errno.ENOSPC}|{errno.EDQUOT})\] ", error.evalue):
            raise InputError(f"{chapter}: {error.evalue}; make room, and run it again") from None
        raise BuildError(_failure_block(error, notebook, log)) from None
    finally:
        logger.removeHandler(handler)
    document = json.loads(log.read_text())
    for cell in document["cells"]:
        if cell["cell_type"] == "code" and lacks_picture(cell):
            raise BuildError(f"{chapter}: no picture is left of what its cell {cell['id']!r} drew; see {log}")
    return document


@contextmanager
def kernel_environment(workers: int, checkpoints: Path) -> Iterator[None]:
    """Set what a kernel inherits."""
    folder, before = str(own_folder()), dict(os.environ)
    own = {"IPYTHONDIR": f"{folder}/ipython", "JUPYTER_RUNTIME_DIR": folder, "TMPDIR": folder}
    own |= {"RIQA_WORKERS": str(workers), "RIQA_CHECKPOINTS": str(checkpoints)}
    os.environ.update(fixed_variables() | own)
    for name in TAKEN_OUT:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _failure_block(error: PapermillExecutionError, notebook: Path, log: Path) -> str:
    """Turn papermill's error into a block that names the cell."""
    source, executed = (json.loads(path.read_text())["cells"] for path in (notebook, log))
    failed = [c.get("id") for c in executed if any(o["output_type"] == "error" for o in c.get("outputs", []))]
    numbers = [n for n, cell in enumerate(source, start=1) if cell.get("id") in failed[:1]]
    where = f"cell {numbers[0]} of {len(source)}" if numbers else "the cell with the given parameters"
    first_line = next((line for line in error.source.splitlines() if line.strip()), "")
    frames = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    pointed = re.search(r"^-+> +(\d+) (.*)$", frames, flags=re.MULTILINE)  # the first is the cell's own
    line = f"  line {pointed[1]:<4} {pointed[2].strip()}\n" if pointed else ""
    return (
        f"{notebook.stem} failed in {where}\n"
        f"  notebook  {os.path.relpath(notebook)}\n"
        f"  cell      {first_line}\n"
        f"{line}"
        f"  error     {error.ename}: {' '.join(error.evalue.split())}\n"
        f"  kept      {os.path.relpath(log)} (as far as it ran, with the traceback)"
    )


def lacks_picture(cell: Mapping[str, Any]) -> bool:
    """Tell whether an executed code cell drew a figure of which no picture is left.

    It calls `plt.show()` without a condition and shows no picture, or an output names one and holds none.
    """
    shown = [output.get("data", {}) for output in cell["outputs"]]
    plain = [data for data in shown if not any(kind.startswith("image/") for kind in data)]
    if any("".join(data.get("text/plain", "")).startswith(("<Figure", "Figure(")) for data in plain):
        return True
    source = "".join(cell["source"])
    without_picture = len(plain) == len(shown) and "plt.show()" in source
    return without_picture and "plt.show()" in _always_run(parse_cell(source).body)


def _always_run(body: list[ast.stmt]) -> Iterator[str]:
    """Go through statements that run whenever the cell does; what stands in `if` or in a loop may not."""
    for statement in body:
        yield ast.unparse(statement)
        if isinstance(statement, ast.With):
            yield from _always_run(statement.body)
