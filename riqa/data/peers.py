"""Public software that also crops photographs to their field of view, to compare with; none is required.

- fundus-image-toolbox: its `crop` refines the preprocessing published with EyeQ (Fu et al., 2019). It models
  the field as a circle.
- retinalysis-fundusprep: its `FundusPreprocessor` crops to the circle and keeps its straight cuts.

They pin versions of packages that this project does not use. `make bench-fov` installs them in an environment
of their own. Every function below raises ValueError for another name.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from riqa.data.fov import FieldOfView

_MODULES = {"fundus-image-toolbox": "fundus_image_toolbox", "retinalysis-fundusprep": "rtnls_fundusprep"}
PEERS = tuple(_MODULES)
"""Names of the peers, as on the Python package index."""


def installed_peers() -> list[str]:
    """Return the names of the peers that can be imported here."""
    return [name for name, module in _MODULES.items() if find_spec(module) is not None]


def _is_installed(name: str) -> bool:
    if name not in PEERS:
        raise ValueError(f"name must be one of {PEERS}, got {name!r}")
    return name in installed_peers()


def peer_crop(name: str, path: Path | str, size: int) -> np.ndarray | None:
    """Read a photograph and crop it by one of `PEERS`, as the peer documents it.

    Returns:
        uint8 (size, size, 3), or None when the peer is not installed.
    """
    if not _is_installed(name):
        return None
    if name == "fundus-image-toolbox":
        from fundus_image_toolbox import crop

        return crop(str(path), size=size)
    from rtnls_fundusprep.preprocessor import FundusPreprocessor
    from rtnls_fundusprep.utils import open_image

    return FundusPreprocessor(square_size=size)(open_image(str(path)))["image"].astype(np.uint8)


def peer_field(name: str, image: np.ndarray) -> FieldOfView | None:
    """Return the field of view that one of `PEERS` finds on a photograph, RGB, uint8 (H, W, 3).

    Its score is NaN. None when the peer is not installed or finds none.
    """
    if not _is_installed(name):
        return None
    height, width = shape = image.shape[:2]
    if name == "fundus-image-toolbox":
        from fundus_image_toolbox.circle_crop.eyeq_preprocess import get_mask

        try:
            _, _, (y, x), radius = get_mask(image)
        except (ValueError, IndexError):  # its own `crop` gives up in the same way
            return None
        return FieldOfView(shape, (float(x), float(y)), float(radius), (0, 0, width, height), np.nan)
    from rtnls_fundusprep.mask_extraction import get_cfi_bounds

    found = get_cfi_bounds(image)
    box = found.min_x, found.min_y, found.max_x, found.max_y
    return FieldOfView(shape, (float(found.cx), float(found.cy)), float(found.radius), box, np.nan)
