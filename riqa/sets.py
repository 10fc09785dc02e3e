"""The dataset behind each name that a profile uses."""

from collections.abc import Mapping
from pathlib import Path

from riqa.data.adapters import load
from riqa.data.adapters.table import DESCRIPTION, read_description, read_table
from riqa.data.catalogue import to_dataset
from riqa.data.manifest import Dataset
from riqa.data.set_names import NAMES, PUBLISHED, TABLE, name_trouble
from riqa.errors import InputError


def build_set(
    name: str, *, data: str, out: Path | str, sizes: Mapping[str, int], seed: int, workers: int = 1
) -> Dataset:
    """Make or load the dataset of a name; raise an InputError if none has it, or its data is wrong.

    Args:
        name: One of `riqa.data.set_names.NAMES`, or the name of a set of the user's own, see `own_folder`.
        data: Folder with real data ("" when there is none): each set in a subfolder of its name, or in it.
        out: Folder for the photographs of sets that are made here.
        sizes: Numbers of photographs `n_details_train`, `n_details_test`, `n_grades_train`, `n_grades_test`,
            `n_eyes_train`, `n_eyes_val`, `n_eyes_test`, `n_observers`, and `photograph_size`, their width in
            pixels. Of training patients for details and grades a tenth becomes the validation split.
        seed: Seed of the phantom and of the assignment of patients to splits.
        workers: Processes side by side; results do not depend on it.
    """
    if name in PUBLISHED:
        return load(name, real_folder(name, data), seed=seed)
    if name not in NAMES or name == TABLE:
        return to_dataset(read_table(own_folder(name, data), seed=seed, name=name))
    from riqa.phantom import study

    common = {"seed": seed, "workers": workers, "size": sizes["photograph_size"]}
    if name == "simulated_details":
        # The splits of EyeQ are kept, so that the Teacher never meets a patient of its test set.
        return study.simulated_details(load("eyeq", real_folder("eyeq", data), seed=seed), out, **common)
    match group := name.removeprefix("phantom_"):
        case "details" | "grades":
            n = {"n_train": sizes[f"n_{group}_train"], "n_test": sizes[f"n_{group}_test"]}
        case "eyes":
            n_val = sizes["n_eyes_val"]
            n = {"n_train": sizes["n_eyes_train"] + n_val, "n_test": sizes["n_eyes_test"]}
            n["validation"] = n_val / max(n["n_train"], 1)
        case "observers":
            n = {"n_test": sizes["n_observers"], "n_repeat": sizes["n_observers"] // 4}
    return getattr(study, name)(out, **n, **common)


def real_folder(name: str, data: str) -> Path:
    """Return a set's folder within the one that the user gave; raise an InputError if that is not there."""
    give = f"give DATA=<folder that holds {name}/>"
    if not data:
        raise InputError(f"this profile needs real images; {give} to make book")
    root = Path(data)
    if not root.is_dir():
        raise InputError(f"{root} does not exist or is no folder; {give}")
    folders = [root / name, root / name.replace("_", "-")]  # eyeq_d is published as EyeQ-D
    return next((folder for folder in folders if folder.is_dir()), root)


def own_folder(name: str, data: str) -> Path:
    """Return the folder of a set of the user's own: `name` in the folder that they gave, or that folder.

    In a folder of its name, or as `table`, a set is called as the profile calls it, whatever its description
    says; else the description in the folder that they gave must call it so. Raises an InputError if no set
    can have that name, or there is none, or its description is wrong.
    """
    if trouble := name_trouble(name):
        raise InputError(trouble)
    known = f"there is no set named {name!r}; there are {', '.join(NAMES)}, and yours"
    if not data and name != TABLE:
        raise InputError(f"{known} in the DATA folder, once the profile says what DATA must hold")
    root, folder = Path(data), real_folder(name, data)
    described = root / DESCRIPTION
    if folder != root and (folder / DESCRIPTION).is_file():
        read_description(folder / DESCRIPTION)
        return folder
    if name != TABLE and not described.is_file():
        raise InputError(f"{known}, which {root / name / DESCRIPTION} or {described} must describe")
    said = read_description(described)["name"]
    if name not in (TABLE, said):
        raise InputError(f"{known}: {described} says name: {said}")
    return root
