"""Which dataset stands behind a name that a profile uses."""

from collections.abc import Mapping
from pathlib import Path

from riqa.data import adapters
from riqa.data.manifest import Dataset
from riqa.errors import InputError

NAMES = (
    "phantom_details",
    "phantom_grades",
    "phantom_eyes",
    "phantom_observers",
    "simulated_details",
    *adapters.NAMES,
)
"""Sets that can be built."""


def build_set(
    name: str, *, data: str, out: Path | str, sizes: Mapping[str, int], seed: int, workers: int = 1
) -> Dataset:
    """Make or load the dataset of a name.

    Args:
        name: One of `NAMES`.
        data: Folder with real data ("" when there is none): each set in a subfolder of its name, or in it.
        out: Folder for the photographs of sets that are made here.
        sizes: Numbers of photographs `n_details_train`, `n_details_test`, `n_grades_train`,
            `n_grades_test`, `n_eyes_train`, `n_eyes_val`, `n_eyes_test`, `n_observers`, and
            `photograph_size`, their width in pixels. For details and grades a tenth of the training
            patients becomes the validation split.
        seed: Seed of the phantom and of the dealing of patients into splits.
        workers: Processes side by side; results do not depend on it.

    Raises:
        InputError: If no set has that name, or its data is missing or wrong.
    """
    common = {"seed": seed, "workers": workers, "size": sizes["photograph_size"]}
    match name:
        case "phantom_details":
            from riqa.phantom.study import phantom_details

            return phantom_details(
                out, n_train=sizes["n_details_train"], n_test=sizes["n_details_test"], **common
            )
        case "phantom_grades":
            from riqa.phantom.study import phantom_grades

            return phantom_grades(
                out, n_train=sizes["n_grades_train"], n_test=sizes["n_grades_test"], **common
            )
        case "phantom_eyes":
            from riqa.phantom.study import phantom_eyes

            n_train = sizes["n_eyes_train"] + sizes["n_eyes_val"]
            held_out = sizes["n_eyes_val"] / n_train if n_train else 0.0
            return phantom_eyes(
                out, n_train=n_train, n_test=sizes["n_eyes_test"], validation=held_out, **common
            )
        case "phantom_observers":
            from riqa.phantom.study import phantom_observers

            n_test = sizes["n_observers"]
            return phantom_observers(out, n_test=n_test, n_repeat=n_test // 4, **common)
        case "simulated_details":
            from riqa.phantom.simulate import simulated_details

            # The splits of EyeQ are kept, so that the Teacher never meets a patient of its test set.
            return simulated_details(_real("eyeq", data, seed), out, **common)
        case _ if name in adapters.NAMES:
            return _real(name, data, seed)
        case _:
            raise InputError(f"there is no set named {name!r}; there are {', '.join(NAMES)}")


def real_folder(name: str, data: str) -> Path:
    """Return the folder of a published set, or of the user's own, within the folder that the user gave.

    Raises:
        InputError: If no folder was given, or it is not there.
    """
    if not data:
        raise InputError(
            f"this profile needs real images; give DATA=<folder that holds {name}/> to make book"
        )
    root = Path(data)
    if not root.is_dir():
        raise InputError(f"{root} does not exist or is no folder; give DATA=<folder that holds {name}/>")
    folders = [root / name, root / name.replace("_", "-")]  # eyeq_d is published as EyeQ-D
    return next((folder for folder in folders if folder.is_dir()), root)


def _real(name: str, data: str, seed: int) -> Dataset:
    """Load a published set, or the user's own, from the folder that the user gave."""
    return adapters.load(name, real_folder(name, data), seed=seed)
