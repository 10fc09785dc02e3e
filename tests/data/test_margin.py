import numpy as np

from riqa.data.fov.search import distance_from, fills_frame, margin_colours


def colours(image):
    return [tuple(int(value) for value in colour) for colour in margin_colours(image)]


def test_margin_is_what_most_corners_share():
    image = np.full((80, 120, 3), 250, np.uint8)
    image[:20, :20] = 10  # a number burnt into a corner
    assert colours(image) == [(250, 250, 250), (10, 10, 10)]
    assert colours(np.full((80, 120, 3), (0, 55, 3), np.uint8)) == [(0, 55, 3)]


def test_of_two_pairs_of_corners_the_darker_is_margin():
    image = np.zeros((80, 120, 3), np.uint8)
    image[:, 60:] = (150, 80, 40)
    assert colours(image)[0] == (0, 0, 0)


def test_distance_is_that_of_the_worst_channel_without_speckles():
    image = np.full((20, 20, 3), (10, 20, 30), np.uint8)
    image[5:15, 5:15] = (10, 60, 25)
    image[2, 2] = 255
    distance = distance_from(image, np.array([10, 20, 30], np.uint8))
    assert distance[10, 10] == 40
    assert distance[2, 2] == 0
    assert distance[1, 15] == 0


def test_only_lit_smooth_and_varied_frames_may_be_retina():
    ramp = np.linspace(100, 200, 90)[:, None, None] * np.array([1.0, 0.6, 0.4]) * np.ones((90, 120, 1))
    retina = ramp.astype(np.uint8)
    assert fills_frame(retina)
    assert not fills_frame(retina[..., ::-1])  # blue
    assert not fills_frame(np.full((90, 120, 3), 150, np.uint8))  # flat
    assert not fills_frame(np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8))  # noise
    dark = retina.copy()
    dark[:4] = 0
    dark[-4:] = 0
    assert not fills_frame(dark)  # has a margin


def enhanced_retina():
    """Return a smooth, nearly grey texture as enhancement leaves it, uint8 (90, 120, 3)."""
    ramp = np.linspace(100, 200, 90)[:, None, None] * np.array([0.9, 1.0, 1.0]) * np.ones((90, 120, 1))
    return ramp.astype(np.uint8)


def test_enhanced_retina_with_a_shadow_at_its_border_fills_the_frame():
    retina = enhanced_retina()
    assert fills_frame(retina)
    retina[:60, 90:] = 10  # a fifth of the border
    assert fills_frame(retina)
    retina[:, 60:] = 10  # half of it: this may be a margin
    assert not fills_frame(retina)


def test_retina_in_near_darkness_does_not_fill_the_frame():
    assert fills_frame(enhanced_retina() // 5)
    assert not fills_frame(enhanced_retina() // 8)  # 18 grey levels


def test_noisy_border_is_a_margin():
    smooth = (enhanced_retina() * [1.0, 0.6, 0.4]).astype(np.uint8)
    noise = np.random.default_rng(0).integers(60, 200, smooth.shape).astype(np.uint8)
    noise[4:-4, 4:-4] = smooth[4:-4, 4:-4]
    assert fills_frame(smooth)
    assert not fills_frame(noise)
