import numpy as np
import pytest
from PIL import Image

from riqa.data import peers
from tests.data.photographs import disc

TOOLBOX = """
import numpy as np
def crop(img, size=512):
    assert isinstance(img, str)
    return np.full((size, size, 3), 7, np.uint8)
"""
PREPROCESSOR = """
import numpy as np
class FundusPreprocessor:
    def __init__(self, square_size=None):
        self.size = square_size
    def __call__(self, image):
        return {"image": np.full((self.size, self.size, 3), image.max(), float), "metadata": {}}
"""
OPENER = """
import numpy as np
from PIL import Image
def open_image(filename):
    return np.array(Image.open(filename))
"""


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """Packages with the peers' names and documented calls, which give back what they were called with."""
    (tmp_path / "rtnls_fundusprep").mkdir()
    (tmp_path / "fundus_image_toolbox.py").write_text(TOOLBOX)
    (tmp_path / "rtnls_fundusprep" / "preprocessor.py").write_text(PREPROCESSOR)
    (tmp_path / "rtnls_fundusprep" / "utils.py").write_text(OPENER)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_peers_are_called_as_they_document_and_no_others(fakes, tmp_path, monkeypatch):
    Image.fromarray(disc()[0]).save(tmp_path / "a.png")
    assert peers.installed_peers() == ["fundus-image-toolbox", "retinalysis-fundusprep"]
    crop = peers.peer_crop("fundus-image-toolbox", tmp_path / "a.png", 32)
    assert np.array_equal(crop, np.full((32, 32, 3), 7))
    crop = peers.peer_crop("retinalysis-fundusprep", tmp_path / "a.png", 24)
    assert crop.dtype == np.uint8
    assert np.array_equal(crop, np.full((24, 24, 3), disc()[0].max()))
    monkeypatch.setattr(peers, "find_spec", lambda module: None)
    assert peers.installed_peers() == []
