"""Which dataset stands behind a name that a profile uses."""

from collections.abc import Mapping
from pathlib import Path

from riqa.data import adapters
from riqa.data.catalogue import to_dataset
from riqa.data.manifest import Dataset
from riqa.data.set_names import NAMES, PUBLISHED, TABLE, name_trouble
from riqa.data.table import DESCRIPTION, read_description, read_table
from riqa.errors import InputError


def build_set(
    name: str, *, data: str, out: Path | str, sizes: Mapping[str, int], seed: int, workers: int = 1
) -> Dataset:
    """Make or load the dataset of a name.

    Args:
        name: One of `riqa.data.set_names.NAMES`, or the name of a set of the user's own, see `own_folder`.
        data: Folder with real data ("" when there is none): each set in a subfolder of its name, or in it.
        out: Folder for the photographs of sets that are made here.
        sizes: Numbers of photographs `n_details_train`, `n_details_test`, `n_grades_train`,
            `n_grades_test`, `n_eyes_train`, `n_eyes_val`, `n_eyes_test`, `n_observers`, and
            `photograph_size`, their width in pixels. For details and grades a tenth of the training
            patients becomes the validation split.
        seed: Seed of the phantom and of the assignment of patients to splits.
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
            from riqa.phantom.study import simulated_details

            # The splits of EyeQ are kept, so that the Teacher never meets a patient of its test set.
            eyeq = adapters.load("eyeq", real_folder("eyeq", data), seed=seed)
            return simulated_details(eyeq, out, **common)
        case _ if name in PUBLISHED:
            return adapters.load(name, real_folder(name, data), seed=seed)
        case _:
            return to_dataset(read_table(own_folder(name, data), seed=seed, name=name))


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


def own_folder(name: str, data: str) -> Path:
    """Return the folder of a set of the user's own: `name` in the folder that they gave, or that folder.

    In a folder of its name, or as `table`, a set is called as the profile calls it, whatever its description
    says; else the description in the folder that they gave must call it so.

    Raises:
        InputError: If no set can have that name, or there is none, or its description is wrong.
    """
    if trouble := name_trouble(name):
        raise InputError(trouble)
    known = f"there is no set named {name!r}; there are {', '.join(NAMES)}, and yours"
    if not data and name != TABLE:
        raise InputError(f"{known} in the DATA folder, once the profile says what DATA must hold")
    root, folder = Path(data), real_folder(name, data)
    if folder != root and (folder / DESCRIPTION).is_file():
        read_description(folder / DESCRIPTION)
        return folder
    if name == TABLE or (root / DESCRIPTION).is_file():
        said = read_description(root / DESCRIPTION)["name"]
        if name in (TABLE, said):
            return root
        raise InputError(f"{known}: {root / DESCRIPTION} says name: {said}")
    raise InputError(f"{known}, which {root / name / DESCRIPTION} or {root / DESCRIPTION} must describe")
