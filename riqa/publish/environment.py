"""environment.yml, for conda users: generated from pyproject.toml, and held against it by the tests.

``python -m riqa.publish.environment`` writes it; with ``--check`` it only tells whether it is up to date.
"""

import sys
import tomllib
from pathlib import Path

from riqa.publish.content import write_whole
from riqa.publish.layout import find_root

NAME = "environment.yml"


def environment(root: Path) -> str:
    """Return the content of environment.yml: conda brings Python and pip, pip brings what the lock file pins.

    Args:
        root: The repository.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    python = project["requires-python"].removeprefix(">=")
    lines = [
        "# Generated from pyproject.toml by make lock; do not edit.",
        f"name: {project['name']}",
        "channels: [conda-forge]",
        "dependencies:",
        f"  - python={python}",
        "  - pip",
        "  - make",
        "  - pip:",
        "      - -r requirements.lock",
        "      - -e .",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write environment.yml, or check it.

    Returns:
        0, or 1 when ``--check`` finds it out of date.
    """
    root = find_root()
    wanted, path = environment(root), root / NAME
    if "--check" not in arguments:
        write_whole(path, wanted)
        return 0
    if path.is_file() and path.read_text() == wanted:
        return 0
    print(f"{NAME} is not what pyproject.toml says; run make lock", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
