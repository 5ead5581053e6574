"""Simulated phases of a task: counts hold the planted parts, and what can't be simulated is refused."""

import numpy as np
import pytest

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.recordings import simulated_phases


def test_counts_are_poisson_around_the_planted_rates():
    array, truth = simulated_phases.simulate(
        neurons=20, trials=4000, percepts=2, bin_width=0.1, rate_spread=0.3, seed=3
    )
    assert array.shape == (8000, 23, 20) and array.dtype == np.uint16
    rate = np.einsum("uk,kct->ctu", truth.loading.values, truth.part.values)
    for c, name in enumerate(truth.percept.values):
        counts = array.values[array.percept.values == name].astype(float)
        mean = rate[c] * 0.1
        assert len(counts) == 4000
        assert np.abs(counts.mean(0) - mean).max() < 5 * np.sqrt(mean.max() / 4000)
        assert counts.var(0).mean() == pytest.approx(mean.mean(), rel=0.02)


def test_a_private_factor_adds_the_square_of_the_mean():
    array, truth = simulated_phases.simulate(neurons=10, trials=4000, dispersion=0.5, peak_rate=60, seed=1)
    rate = np.einsum("uk,kct->ctu", truth.loading.values, truth.part.values)
    counts = array.values[array.percept.values == "a"].astype(float)
    mean = rate[0] * 0.05
    assert counts.var(0).mean() == pytest.approx((mean + 0.5 * mean**2).mean(), rel=0.05)


def test_parts_are_of_the_kinds_that_the_truth_names():
    array, truth = simulated_phases.simulate(neurons=160, percepts=3, phase_parts=3, percept_parts=5, seed=0)
    part, time = truth.part.values, truth.time.values
    phase = truth.kind.values == "phase"
    np.testing.assert_allclose(np.linalg.norm(part.reshape(8, -1), axis=1), 1)
    assert np.all(part[phase] == part[phase][:, :1])
    assert np.all(np.diff(part[phase][:, 0].argmax(1)) > 0)
    owners = [0, 1, 2, 0, 1]
    for own, course in zip(owners, part[~phase], strict=True):
        assert not np.delete(course, own, 0).any()
        assert (course[own, time < 0.9] < 0.01 * course.max()).all()
    # Two parts of one percept follow each other.
    assert part[3, 0].argmax() < part[6, 0].argmax()
    loading = truth.loading.values
    of_phase = loading[:, phase].sum(1) > loading[:, ~phase].sum(1)
    np.testing.assert_array_equal(of_phase, truth.unit_kind.values == "phase")
    assert float(truth.phase_share) == of_phase.mean() == 0.75
    np.testing.assert_allclose(np.tensordot(loading, part, 1).max((1, 2)), 5)


def test_defaults_are_those_of_the_study_and_the_seed_decides(tmp_path):
    array, truth = simulated_phases.simulate(seed=0)
    assert array.sizes["unit"] == 160 and array.sizes["presentation"] == 20
    assert array.attrs["phases"] == {"fixation": -0.3, "stimulus": 0.0, "flash": 1.0}
    assert np.unique(array.repeat.values, return_counts=True)[1].tolist() == [2] * 10
    again, _ = simulated_phases.simulate(seed=0)
    other, _ = simulated_phases.simulate(seed=1)
    np.testing.assert_array_equal(array, again)
    assert not np.array_equal(array, other)
    representation.write(array, tmp_path / "a.nc")
    assert representation.read(tmp_path / "a.nc").equals(array)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"percepts": 1}, "percepts"),
        ({"percepts": 27}, "percepts"),
        ({"neurons": 0}, "neurons"),
        ({"phase_parts": 0}, "phase_parts"),
        ({"phase_share": 1.5}, "phase_share"),
        ({"peak_rate": 2000.0}, "peak_rate"),
        ({"dispersion": -1}, "dispersion"),
        ({"phases": {"only": 1.0}}, "phases"),
        ({"phases": {"one": 1.0, "two": -1.0}}, "duration of phase 'two'"),
        ({"phases": ["one", "two"]}, "phases"),
        ({"bin_width": 0.07}, "bins"),
    ],
)
def test_what_cannot_be_simulated_is_refused(options, named):
    with pytest.raises(UserError) as caught:
        simulated_phases.simulate(seed=0, **options)
    assert "\n" not in str(caught.value) and named in str(caught.value)
