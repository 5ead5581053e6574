"""What every decoder of an angle shares: shuffles that are one in all folds, and angles that change with the block."""

import numpy as np
import pytest
from trials import one_line, recording

from neurocompare.description import circular, decoding, limits, thresholds
from neurocompare.description.angles import angles
from neurocompare.errors import UserError

VECTOR = "decoding-target=orientation-decoder=population-vector"


def noise(n=80, units=20, seed=0, **options):
    rng = np.random.default_rng(seed)
    angle = options.pop("angle", rng.uniform(0, 180, n))
    names = np.array([f"orientation={a:07.3f}" for a in angle])
    return recording(rng.standard_normal((n, units)), coordinates={"orientation": angle}, stimulus=names, **options)


@pytest.mark.parametrize(("s", "split"), list(enumerate(decoding.SPLITS)))
def test_a_shuffle_is_the_error_of_a_recording_with_shuffled_angles(s, split):
    array = noise()
    found = decoding.decoding_curve(
        angles(array, VECTOR, "orientation"), decoder="population-vector", seed=3, permutations=2
    )
    order = np.random.default_rng([3, 8, s]).permutation(80)
    # The folds are those of the stimuli as they were.
    shuffled = array.assign_coords(orientation=("presentation", array.coords["orientation"].values[order]))
    other = decoding.decoding_curve(
        angles(shuffled, VECTOR, "orientation"), decoder="population-vector", seed=3, permutations=0
    )
    for k in range(2):
        expected = other["whole"].sel(bound="value", split=split).isel(summary=k)
        assert float(found["null"].sel(split=split).isel(summary=k)[0]) == pytest.approx(float(expected), abs=1e-9), k


def test_in_noise_errors_are_spread_like_their_null():
    values, spread = [], []
    for seed in range(40):
        found = decoding.decoding_curve(
            angles(noise(48, 10, seed), VECTOR, "orientation"), decoder="population-vector", seed=seed, permutations=40
        )
        mean = found.sel(split="chronological").isel(summary=1)
        values.append(float(mean["whole"].sel(bound="value")))
        spread.append(float(mean["null"].std()))
    # With labels drawn anew in each fold the null was a quarter too narrow.
    assert np.std(values) / np.mean(spread) < 1.18
    assert np.mean(values) == pytest.approx(45, abs=1.5)


def drifting():
    """Blocks with one angle each, and responses that drift from block to block and know nothing else."""
    rng = np.random.default_rng(1)
    block = np.repeat(np.arange(16), 12)
    angle = 11.25 * block
    values = np.repeat(2 * rng.standard_normal((16, 20)), 12, axis=0) + rng.standard_normal((192, 20))
    names = np.array([f"orientation={a:07.3f}" for a in angle])
    return recording(values, coordinates={"orientation": angle}, stimulus=names, block=block)


@pytest.mark.parametrize("module", [decoding, thresholds, limits])
def test_drift_does_not_pass_for_an_angle_that_changes_with_the_block(module):
    name = module.__name__.rpartition(".")[2]
    decoder = {"decoding": "population-vector", "thresholds": "derivative", "limits": "von-mises"}[name]
    rows, _ = module.describe(drifting(), f"{name}-target=orientation-decoder={decoder}", seed=0)
    for row in rows:
        assert np.isnan(row["p_value"])
        if "split=interleaved" in row["condition"]:
            assert np.isnan(row["value"])
            # The first reason that holds.
            assert row["status"] in ("constant_in_blocks", "few_orientations", "too_few_units")
    if module is decoding:
        assert {row["status"] for row in rows if "interleaved" in row["condition"]} == {"constant_in_blocks"}


def test_single_trials_of_such_an_angle_are_not_left_out_one_by_one():
    with pytest.raises(UserError, match="never changes within a block") as error:
        circular.describe(drifting(), "circular-target=orientation-decoder=cosine-ridge-folds=leave-one-out", seed=0)
    one_line(error)


def test_an_orientation_that_comes_from_a_direction_has_the_period_of_orientations():
    rng = np.random.default_rng(2)
    array = recording(
        rng.standard_normal((60, 10)), coordinates={"direction": 45.0 * (np.arange(60) % 8)}, orientation_period=360.0
    )
    identifier = "circular-target=orientation-decoder=cosine-ridge-folds=leave-one-out"
    rows, details = circular.describe(array, identifier, seed=0)
    assert details.attrs["period"] == 180
    assert "period=180" in rows[0]["condition"]
