from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from riqa.phantom.anatomy import draw_eye, draw_patient


def traits(patient, side):
    eye = draw_eye(
        draw_patient(np.random.default_rng([1, patient])),
        side,
        np.random.default_rng([2, patient, ord(side[0])]),
    )
    return np.array(astuple(eye.traits)[:-1])


def test_both_eyes_of_a_patient_are_more_alike_than_those_of_two():
    left = np.array([traits(k, "left") for k in range(60)])
    right = np.array([traits(k, "right") for k in range(60)])
    spread = left.std(axis=0)
    same = (np.abs(left - right) / spread).mean(axis=0)
    other = (np.abs(left - np.roll(right, 1, axis=0)) / spread).mean(axis=0)
    assert (same < 0.5 * other).all()
    pigment = np.corrcoef(left[:, 0], right[:, 0])[0, 1]
    assert pigment > 0.9


def test_the_eyes_have_vessels_of_their_own():
    patient = draw_patient(np.random.default_rng(0))
    left, right = (
        draw_eye(patient, side, np.random.default_rng(k)) for k, side in enumerate(("left", "right"))
    )
    assert not np.allclose(left.vessels.points[0], right.vessels.points[0])


def test_side_must_be_known():
    with pytest.raises(ValueError, match="middle"):
        draw_eye(draw_patient(np.random.default_rng(0)), "middle", np.random.default_rng(0))


def test_traits_stay_in_their_ranges():
    drawn = [draw_patient(np.random.default_rng(k)) for k in range(300)]
    for name, low, high in (
        ("pigment", 0.1, 1.1),
        ("cup_ratio", 0.15, 0.8),
        ("tortuosity", 0, 1),
        ("choroid", 0, 1),
    ):
        values = [getattr(patient, name) for patient in drawn]
        assert low <= min(values) < max(values) <= high
    assert 0.15 < np.mean([patient.lesions > 0 for patient in drawn]) < 0.45
