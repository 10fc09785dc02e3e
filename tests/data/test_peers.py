import sys
from types import SimpleNamespace

import numpy as np
from PIL import Image

from riqa.data import peers
from tests.data.photographs import disc


def test_peers_are_called_as_they_document_where_they_are_installed(tmp_path, monkeypatch):
    def preprocessor(square_size):
        return lambda image: {
            "image": np.full((square_size, square_size, 3), image.max(), float),
            "metadata": {},
        }

    for module, content in {
        "fundus_image_toolbox": {"crop": lambda img, size=512: (img, size)},
        "rtnls_fundusprep.preprocessor": {"FundusPreprocessor": preprocessor},
        "rtnls_fundusprep.utils": {"open_image": lambda filename: np.array(Image.open(filename))},
    }.items():
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(**content))
    Image.fromarray(disc()[0]).save(tmp_path / "a.png")
    assert peers.peer_crop("fundus-image-toolbox", tmp_path / "a.png", 32) == (str(tmp_path / "a.png"), 32)
    crop = peers.peer_crop("retinalysis-fundusprep", tmp_path / "a.png", 24)
    assert crop.dtype == np.uint8
    assert np.array_equal(crop, np.full((24, 24, 3), disc()[0].max()))
    monkeypatch.setattr(peers, "find_spec", lambda module: True if module == "rtnls_fundusprep" else None)
    assert peers.installed_peers() == ["retinalysis-fundusprep"]
