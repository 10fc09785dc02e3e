"""Layers of cameras: answers by loops, and what a camera left out may not touch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from riqa.data.store import open_store
from riqa.labels import DETAILS
from riqa.learn import runs
from riqa.learn.model import QualityNet, load_model
from riqa.predictions import OVERALL
from riqa.studies import sharing
from riqa.studies.experiment import relabelled
from riqa.studies.sharing import CameraNet, CameraRun, learn, names_of, stricter
from tests.learn.chain import pseudo_labels, same_weights

P = [f"p_{detail}" for detail in DETAILS]
CAMERAS = ["a", "b", "d"]  # those that are seen; "c" is left out


@pytest.fixture
def start():
    torch.manual_seed(5)
    return QualityNet("resnet10", 3, 3, image_size=32)


def planted(model):
    """Give every camera weights that can be told from those of the others."""
    torch.manual_seed(2)
    with torch.no_grad():
        model.colours.weight.normal_(std=0.3)
        for own in model.own.values():
            own.weight.normal_(std=0.1)
            own.bias.normal_()
    return model.eval()


def by_loops(model, image, names):
    """Answer about one image (3, H, W), camera by camera."""
    scale, shift = [0.0] * 3, [0.0] * 3
    for c, told in enumerate(names.tolist()):
        for k in range(3):
            scale[k] += told * model.colours.weight[k, c].item()
            shift[k] += told * model.colours.weight[3 + k, c].item()
    image = torch.stack([(1 + scale[k]) * image[k] + shift[k] for k in range(3)])
    h, answers = model.features(image[None])[0], {}
    for task, head in model.heads.items():
        own, n = model.own[task], head.out_features
        answers[task] = head.weight @ h + head.bias
        for c, told in enumerate(names.tolist()):
            rows = slice(c * n, (c + 1) * n)
            answers[task] = answers[task] + told * (own.weight[rows] @ h + own.bias[rows])
    return answers


def test_answers_equal_loops(start):
    model, images = planted(CameraNet(start, 3)), torch.rand(4, 3, 32, 32)
    names = torch.tensor([[0.0, 1, 0], [0, 0, 0], [1 / 3] * 3, [1, 0, 0]])
    with torch.no_grad():
        together = model(images, names)
        for k in range(4):
            for task, logits in by_loops(model, images[k], names[k]).items():
                torch.testing.assert_close(together[task][k], logits, rtol=1e-3, atol=1e-3)
    assert (together["overall"][0] - together["overall"][3]).abs().max() > 0.1


def test_it_begins_with_the_answers_of_its_network_whatever_the_names(start):
    images, names = torch.rand(3, 3, 32, 32), torch.eye(3)
    known, model = start.eval()(images), CameraNet(start, 3).eval()
    for told in (names, 0 * names, torch.full((3, 3), 1 / 3)):
        for task, logits in model(images, told).items():
            torch.testing.assert_close(logits, known[task], rtol=1e-3, atol=1e-4)
    others = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in start.parameters())
    assert others == 3 * (6 + 6 * (128 + 1))


def test_the_shared_part_moves_as_far_as_all_cameras_together_and_a_camera_by_its_own_photographs(start):
    model = CameraNet(start, 3).eval()  # fixed statistics
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    images, grades = torch.rand(8, 3, 32, 32), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    names = functional.one_hot(torch.tensor([0, 1, 0, 1, 0, 1, 0, 0]), 3).float()  # none of the third
    for _ in range(4):
        optimizer.zero_grad()
        functional.cross_entropy(model(images, names)["overall"], grades).backward()
        optimizer.step()
    moved = model.heads["overall"].weight - start.heads["overall"].weight
    own = model.own["overall"].weight.unflatten(0, (3, -1))
    assert moved.abs().max() > 1e-4
    torch.testing.assert_close(own.sum(dim=0), moved, rtol=1e-2, atol=1e-5)
    assert own[:2].abs().amax(dim=(1, 2)).min() > 1e-5
    assert own[2].abs().max() == 0
    assert model.colours.weight[:, 2].abs().max() == 0


def test_names_by_hand():
    sources = np.array(["b", "a", "c", "b", "d"])
    own = [[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert names_of(sources, CAMERAS, "own_layers", 0).tolist() == own
    assert names_of(sources, CAMERAS, "no_names", 0).tolist() == [[0, 0, 0]] * 5
    many = np.repeat(sources, 40)
    right, dealt, other = (
        names_of(many, CAMERAS, arm, seed)
        for arm, seed in (("own_layers", 0), ("dealt_names", 0), ("dealt_names", 1))
    )
    assert torch.equal(dealt.sum(dim=0), right.sum(dim=0))  # as often as before
    assert dealt[many == "c"].sum() == 0
    assert (dealt[many != "c"].sum(dim=1) == 1).all()
    agree = (dealt * right).sum() / right.sum()
    assert 0.2 < agree < 0.6  # by chance 3/8
    assert not torch.equal(dealt, other)


def test_a_strict_camera_lowers_known_grades_by_one():
    grades, where = torch.tensor([2, 1, 0, -1, 2]), np.array([True, True, True, True, False])
    assert stricter(grades, where).tolist() == [1, 0, 0, -1, 2]


@pytest.fixture
def run(parent, tmp_path):
    """An arm that begins with the toy model, on a set in which every fourth patient has the same camera."""
    store = open_store(parent.store)
    camera = store.manifest["patient_id"].str[1:].astype(int).map(lambda k: "abcd"[k % 4])
    made = relabelled(store, tmp_path / "four", store.manifest.assign(source=camera))
    answers = pseudo_labels(made, tmp_path)
    config = replace(parent.config, lambda_details=1.0)
    told = vars(parent) | {"model": "own_layers", "store": made.root, "config": config, "n_details": 3}
    told |= {"models": tmp_path / "models", "start_from": parent.stem, "pseudo_labels": answers}
    return CameraRun(**told | {"checkpoints": None}, left_out="c")


def watched(monkeypatch, change=lambda model: None):
    """Let a training do nothing but a change; return what it is given."""
    seen = {}

    def stand_in(model, training, validation, config, **how):
        seen.update(model=model, train=training, val=validation)
        change(model)
        return []

    monkeypatch.setattr(runs, "train", stand_in)
    return seen


@pytest.mark.parametrize("begins", [True, False])
def test_nothing_is_learned_of_the_camera_left_out_nor_is_an_epoch_chosen_by_it(run, monkeypatch, begins):
    if not begins:
        run = replace(run, model="start", start_from=None, n_details=0, pseudo_labels=None)
    seen, manifest = watched(monkeypatch), open_store(run.store).manifest
    features, answers = learn(run)
    for split in ("train", "val"):
        learned = manifest.iloc[seen[split].rows]
        wanted = manifest[(manifest["split"] == split) & (manifest["source"] != "c")]
        assert learned["image_id"].tolist() == wanted["image_id"].tolist()
        assert seen[split].targets["overall"].tolist() == wanted["overall"].tolist()
        own = names_of(wanted["source"], CAMERAS, run.model, 0)
        assert torch.equal(seen[split].auxiliary, own) if begins else seen[split].auxiliary is None
    assert set(features["source"]) == {*CAMERAS, "c"}
    assert set(features["split"]) == {"test"}
    assert len(answers) == (6 + 2 + 2 + 6 if begins else 0)
    if not begins:
        assert same_weights(load_model(run.stem)[0], seen["model"])


def test_strict_grades_are_learned_and_judged_by_and_those_of_others_stay(run, monkeypatch):
    seen, manifest = watched(monkeypatch), open_store(run.store).manifest.set_index("image_id")
    answers = learn(replace(run, strict="b"))[1]
    lower = (manifest["overall"] - 1).clip(lower=0).where(manifest["source"] == "b", manifest["overall"])
    for split in ("train", "val"):
        ids = manifest.index[seen[split].rows]
        assert seen[split].targets["overall"].tolist() == lower[ids].tolist()
    assert answers["overall"].tolist() == lower[answers["image_id"]].tolist()
    assert (answers["strict"] == "b").all()
    assert not lower.equals(manifest["overall"])


def test_who_is_asked_by_which_name(run, monkeypatch):
    """The features for the probe are told nothing, or it would read what was put in."""
    seen = watched(monkeypatch, planted)
    store = open_store(run.store)
    features, answers = learn(replace(run, config=replace(run.config, precision="float32")))
    model, place = seen["model"], store.manifest.set_index("image_id").index
    names = {camera: row for camera, row in zip(CAMERAS, torch.eye(3), strict=True)}
    nobody, everybody = torch.zeros(3), torch.full((3,), 1 / 3)
    following = {"a": names["b"], "b": names["d"], "d": names["a"]}
    told = {
        "own_layers": names,
        "own_layers_alone": {"c": nobody},
        "own_layers_mean": {"c": everybody},
        "own_layers_misnamed": following,
    }
    for way, by_camera in told.items():
        own = answers[answers["model"] == way]
        assert set(own["source"]) == set(by_camera)
        for row in own.itertuples():
            image = torch.from_numpy(store.images[place.get_loc(row.image_id)].copy())
            with torch.no_grad():
                logits = by_loops(model, image.permute(2, 0, 1) / 255, by_camera[row.source])
            probs = logits["overall"].softmax(0).numpy()
            np.testing.assert_allclose([getattr(row, p) for p in OVERALL], probs, atol=1e-3)
            assert row.p_clarity == pytest.approx(logits["details"].sigmoid()[1].item(), abs=1e-3)
    h = features.filter(regex=r"^h\d+$").to_numpy()
    images = torch.from_numpy(np.stack([store.images[place.get_loc(i)] for i in features["image_id"]]))
    with torch.no_grad():
        plain = model.features(images.permute(0, 3, 1, 2) / 255).numpy()
    np.testing.assert_allclose(h, plain, rtol=1e-3, atol=1e-3)


def test_each_arm_answers_in_its_ways(run, monkeypatch):
    watched(monkeypatch)
    ways = {"no_names": {""}, "dealt_names": {"", "_alone", "_mean"}}
    for arm, wanted in ways.items():
        answers = learn(replace(run, model=arm))[1]
        assert set(answers["model"]) == {arm + way for way in wanted}
    assert set(learn(replace(run, model="no_names"))[1]["source"]) == {*CAMERAS, "c"}


def test_a_network_without_names_leaves_the_layers_of_cameras_alone(run, monkeypatch):
    fit, trained = sharing.fit, {}

    def kept(run, model, *given, **how):
        trained["last"] = model
        return fit(run, model, *given, **how)

    monkeypatch.setattr(sharing, "fit", kept)
    for arm, touched in (("no_names", False), ("own_layers", True)):
        told = []
        learn(replace(run, model=arm, config=replace(run.config, kept_epoch="last")), told.append)
        assert [record["epoch"] for _, record, _ in told] == [1, 2]
        own = [*trained["last"].own.parameters(), trained["last"].colours.weight]
        assert [bool(p.abs().max() > 0) for p in own] == [touched] * len(own)


def test_withheld_names_are_a_share_of_the_training_photographs_and_of_no_others(run, monkeypatch):
    seen = watched(monkeypatch)
    withheld = {}
    for share in (0.0, 0.4, 0.8):
        learn(replace(run, withheld=share))
        withheld[share] = seen["train"].auxiliary.sum(dim=1) == 0
        assert (seen["val"].auxiliary.sum(dim=1) == 1).all()
    assert withheld[0.0].sum() == 0
    assert 0 < withheld[0.4].sum() < withheld[0.8].sum() < len(withheld[0.8])
    assert (withheld[0.4] <= withheld[0.8]).all()


def test_what_decides_a_training_names_its_checkpoint(run, tmp_path):
    run = replace(run, checkpoints=tmp_path / "kept", config=replace(run.config, epochs=1))
    run.checkpoints.mkdir()
    for other in ({}, {"left_out": "a"}, {"strict": "b"}, {"withheld": 0.5}, {"model": "no_names"}):
        learn(replace(run, **other))
    assert len({*run.checkpoints.iterdir()}) == 5
