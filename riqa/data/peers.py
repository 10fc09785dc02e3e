"""Public software that also crops photographs to their field of view, to compare with; none is required.

- fundus-image-toolbox: its `crop` refines the preprocessing published with EyeQ (Fu et al., 2019). It models
  the field as a circle.
- retinalysis-fundusprep: its `FundusPreprocessor` crops to the circle and keeps its straight cuts.

They pin versions of packages that this project does not use. `make bench-fov` installs them in an environment
of their own.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

PEERS = {"fundus-image-toolbox": "fundus_image_toolbox", "retinalysis-fundusprep": "rtnls_fundusprep"}
"""Names of the peers, as on the Python package index, and their modules."""


def installed_peers() -> list[str]:
    """Return the names of the peers that can be imported here."""
    return [name for name, module in PEERS.items() if find_spec(module) is not None]


def peer_crop(name: str, path: Path | str, size: int) -> np.ndarray:
    """Read a photograph and crop it by an installed peer, as that documents it: uint8 (size, size, 3)."""
    if name == "fundus-image-toolbox":
        from fundus_image_toolbox import crop

        return crop(str(path), size=size)
    from rtnls_fundusprep.preprocessor import FundusPreprocessor
    from rtnls_fundusprep.utils import open_image

    return FundusPreprocessor(square_size=size)(open_image(str(path)))["image"].astype(np.uint8)
