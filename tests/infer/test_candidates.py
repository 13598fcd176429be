"""A detector on a whole CT: pieces that cover it, each nodule found once, wherever it and the CT lie."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from hilum.core import ConfigError, Geometry, InputError, Mask, Quantity, UnitError, Volume
from hilum.infer.candidates import Candidate, CandidateFinder, CandidateOptions, agreed, grid_over, in_blocks, plan
from hilum.infer.loaded import load_model
from hilum.losses.retina import boxes_of
from hilum.models.catalogue import build_model
from hilum.models.network import Network
from hilum.models.output import Detection
from hilum.ops import resample_to
from hilum.ops.repeated import resample_repeating
from tests.patches import patch_model
from tests.shapes import ellipsoid

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = {"widths": [4, 8, 12], "blocks": [0, 1, 1], "channels": 8, "convolutions": 1}
EXACT = {"precision": "32"}


class Seeing(Network):
    """Sees each part that is brighter than about -500 HU as a nodule, the surer the larger its box; nothing else."""

    axes, stride, finds_boxes = 3, 8, True

    def forward(self, xray, prior=None):
        del prior
        parts = [boxes_of(one[0].numpy() > 0.357) for one in xray]
        anchors = torch.cat([*parts, torch.tensor([[0.0, 0, 0, 1, 1, 1]])])
        logits = torch.full((len(xray), len(anchors)), -20.0)
        first = 0
        for number, own in enumerate(parts):
            logits[number, first : first + len(own)] = (own[:, 3:] - own[:, :3]).prod(1).log() / 4
            first += len(own)
        return Detection(logits, torch.zeros(*logits.shape, 6), anchors, (len(anchors),), tuple(xray.shape[2:]))

    def parts(self):
        return {}

    def encoder_stages(self):
        return []


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(str(patch_model(tmp_path_factory.mktemp("m") / "tiny")))


def finder(model, network=None, **options):
    network = Seeing(Network.Config()) if network is None else network
    return CandidateFinder(replace(model, network=network, pixel_mm=2.0), CandidateOptions(**{**EXACT, **options}))


GRID = Geometry.regular((70, 60, 90), (2.5, 2.0, 2.0), (-90.0, -60.0, -80.0))
LUNGS = Mask.of(ellipsoid(GRID, (0, 0, 5), (70, 45, 70)), GRID, "lung")


def ct(*balls, grid=GRID):
    """Lung everywhere, and balls of tissue: (x, y, z, diameter) in LPS mm."""
    hu = np.full(grid.shape_zyx, -850, np.int16)
    for x, y, z, diameter in balls:
        hu[ellipsoid(grid, (x, y, z), (diameter / 2,) * 3)] = 50
    return Volume(hu, grid)


def balls_by_chance(count, seed):
    """Balls in the lungs, no two of them near each other."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        x, y, z = rng.uniform((-60, -38, -55), (60, 38, 65))
        within = (x / 60) ** 2 + (y / 38) ** 2 + ((z - 5) / 60) ** 2 < 1
        if within and all(math.dist((x, y, z), other[:3]) > 24 for other in found):
            found.append((x, y, z, float(rng.uniform(9, 16))))
    return found


@pytest.mark.parametrize(("piece", "overlap"), [(128, 32), (96, 32), (48, 16), (32, 8)])
def test_pieces_cover_an_axis_and_each_place_has_one_owner(piece, overlap):
    for size in (1, 20, 31, 32, 33, 96, 97, 128, 150, 301, 480):
        stretches = plan(size, CandidateOptions(piece=piece, overlap=overlap), 16 if piece != 32 else 8)
        assert stretches[0].start == 0
        assert stretches[-1].stop >= size
        assert len({one.stop - one.start for one in stretches}) == 1
        assert stretches[0].stop <= piece
        assert stretches[0].own[0] == -math.inf
        assert stretches[-1].own[1] == math.inf
        for one, other in pairwise(stretches):
            assert one.own[1] == other.own[0]
            assert one.stop - other.start == overlap
            assert one.own[1] - other.start == one.stop - one.own[1] == overlap / 2


@pytest.mark.parametrize("seed", [0, 1])
def test_every_nodule_is_found_once_also_where_pieces_overlap(model, seed):
    """Pieces of 32 voxels that share 16: half of all places are seen by more than one along each axis."""
    balls = balls_by_chance(10, seed)
    found = finder(model, piece=32, overlap=16)(ct(*balls), LUNGS)
    assert len(found) == len(balls)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for x, y, z, diameter in balls:
        (own,) = (one for one in found if math.dist(one.centre_lps_mm, (x, y, z)) < 3)
        assert own.diameter_mm == pytest.approx(diameter, abs=3)


def test_a_nodule_lies_where_it_lies_whatever_the_pieces_and_the_axes(model):
    volume = ct(*balls_by_chance(8, 5))
    whole = finder(model)(volume, LUNGS)
    assert len(whole) == 8
    affine = np.array(GRID.affine_lps)
    affine[:3, 0], affine[:3, 3] = -affine[:3, 0], GRID.to_lps_mm((0, 0, GRID.shape_zyx[2] - 1))
    turned = Geometry(GRID.shape_zyx, affine)
    others = {
        "pieces": finder(model, piece=48, overlap=24)(volume, LUNGS),
        "axes": finder(model)(Volume(volume.array[:, :, ::-1].copy(), turned), LUNGS),
    }
    for other in others.values():
        assert len(other) == len(whole)
        for one in whole:
            assert min(math.dist(one.centre_lps_mm, this.centre_lps_mm) for this in other) < 0.1


def untrained():
    torch.manual_seed(0)
    return build_model("retina3d", {**SMALL, "start_probability": 0.4}).eval()


def test_a_moved_ct_has_its_candidates_moved(model):
    """Its lungs lie elsewhere in the array, and elsewhere in the patient; what an untrained network says goes along."""
    rng, lung = np.random.default_rng(0), np.zeros((64, 64, 64), bool)
    lung[8:38, 8:38, 8:38] = True
    hu = rng.uniform(-950, 100, lung.shape).astype(np.float32)
    find = finder(model, untrained(), piece=32, overlap=16)
    found = []
    for roll, origin in (((0, 0, 0), (0.0, 0.0, 0.0)), ((12, 7, 10), (13.0, -40.0, 700.0))):
        grid = Geometry.regular(lung.shape, (2.0, 2.0, 2.0), origin)
        lungs = Mask.of(np.roll(lung, roll, (0, 1, 2)), grid, "lung")
        found.append(find(Volume(np.roll(hu, roll, (0, 1, 2)), grid), lungs))
    assert len(found[0]) == len(found[1]) > 10
    shift = np.array((13.0 + 2 * 10, -40.0 + 2 * 7, 700.0 + 2 * 12))
    for one, other in zip(*found, strict=True):
        assert other.score == pytest.approx(one.score, abs=1e-4)
        np.testing.assert_allclose(np.subtract(other.centre_lps_mm, one.centre_lps_mm), shift, atol=1e-2)


def test_what_lies_beside_the_lungs_is_dropped(model):
    inner, edge, outer = (0.0, 0.0, 5.0, 12.0), (0.0, 0.0, 77.0, 6.0), (0.0, 0.0, 88.0, 8.0)
    found = finder(model)(ct(inner, edge, outer), LUNGS)
    assert [one.centre_lps_mm[2] for one in found] == pytest.approx([5, 77], abs=2)


def test_only_the_surest_are_kept(model):
    balls = balls_by_chance(6, 2)
    everything, some = finder(model)(ct(*balls), LUNGS), finder(model, most=2)(ct(*balls), LUNGS)
    assert some == everything[:2]
    assert finder(model)(ct(), LUNGS) == ()


def seen(x, score, diameter=6.0):
    return Candidate((x, 0.0, 0.0), diameter, score)


def test_looks_that_agree_share_their_scores_and_one_that_stands_alone_is_halved():
    found = agreed([[seen(0.0, 0.9), seen(50.0, 0.6)], [seen(1.0, 0.3, 9.0)]])
    assert [one.score for one in found] == pytest.approx([0.6, 0.3])
    assert found[0].centre_lps_mm == pytest.approx((0.25, 0, 0))
    assert found[0].diameter_mm == pytest.approx(0.75 * 6 + 0.25 * 9)
    assert found[1].centre_lps_mm == (50.0, 0.0, 0.0)


def test_of_one_look_two_neighbours_stay_two():
    """Suppression let both stay, so they are two; another look's candidate goes to the nearer one."""
    found = agreed([[seen(0.0, 0.8), seen(3.5, 0.6)], [seen(3.0, 0.6)]])
    assert [(one.centre_lps_mm[0], one.score) for one in found] == [
        (pytest.approx((0.8 * 0 + 0.6 * 3.0) / 1.4), pytest.approx(0.7)),
        (3.5, pytest.approx(0.3)),
    ]


def test_one_look_says_what_it_says_and_none_says_nothing():
    look = [seen(0.0, 0.8), seen(2.0, 0.4), seen(40.0, 0.0)]
    assert agreed([look]) == look
    assert [one.score for one in agreed([look, look, look])] == pytest.approx([0.8, 0.4, 0.0])
    assert agreed([]) == agreed([[], []]) == []


def test_lungs_in_blocks_lose_nothing():
    grid = Geometry.regular((41, 60, 50), (1.0, 0.7, 0.7), (3.0, 4.0, 5.0))
    lungs = Mask.of(np.random.default_rng(0).random(grid.shape_zyx) < 0.001, grid, "lung")
    coarse = in_blocks(lungs)
    points = grid.to_lps_mm(np.argwhere(lungs.labels))
    index = np.rint(coarse.require_geometry().to_index(points)).astype(int)
    assert coarse.labels[tuple(index.T)].all()
    assert coarse.labels.sum() <= lungs.labels.sum()
    assert max(coarse.require_geometry().spacing_zyx_mm) <= 3
    around = grid_over(coarse, grid, 1.0)
    assert around.contains(points).all()
    assert around.spacing_zyx_mm == pytest.approx((1, 1, 1))


def test_beyond_a_ct_its_last_voxels_are_repeated():
    grid = Geometry.regular((6, 7, 8), (2.0, 1.0, 1.0))
    volume = Volume(np.random.default_rng(0).integers(-1000, 0, grid.shape_zyx).astype(np.int16), grid)
    wider = Geometry.regular((16, 9, 8), (1.0, 1.0, 1.0), (2.0, -1.0, -3.0))
    found = resample_repeating(volume, wider)
    within = grid.contains(wider.to_lps_mm(np.moveaxis(np.indices(wider.shape_zyx), 0, -1)))
    inner = wider.crop((3, 1, 0), (11, 7, 6))
    np.testing.assert_allclose(found.array[3:14, 1:8, :6], resample_to(volume, inner).array, atol=1e-3)
    np.testing.assert_allclose(found.array[0], found.array[3], atol=1e-3)
    np.testing.assert_allclose(found.array[:, 0], found.array[:, 1], atol=1e-3)
    np.testing.assert_allclose(found.array[:, :, 6], found.array[:, :, 5], atol=1e-3)
    assert not within.all()


def test_what_it_cannot_do_is_said(model):
    with pytest.raises(ConfigError, match="no detector"):
        CandidateFinder(model)
    with pytest.raises(ConfigError, match="told where to look"):
        finder(model, build_model("retina3d", {**SMALL, "inputs": 2}))
    with pytest.raises(ConfigError, match="no multiple of the network's stride 8"):
        finder(model, piece=60)
    with pytest.raises(InputError, match="once at least"):
        CandidateOptions(looks=0)
    for wrong in ({"piece": 16, "overlap": 16}, {"most": 0}):
        with pytest.raises(InputError, match="can't overlap"):
            CandidateOptions(**wrong)
    with pytest.raises(InputError, match="lungs' mask is empty"):
        finder(model)(ct(), Mask.of(np.zeros(GRID.shape_zyx, bool), GRID, "lung"))
    with pytest.raises(UnitError, match="HU"):
        finder(model)(
            Volume(np.zeros((4, 4, 4), np.float32), Geometry.regular((4, 4, 4), (1.0,) * 3), Quantity.DISPLAY)
        )
