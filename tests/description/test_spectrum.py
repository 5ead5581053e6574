"""Spectrum of the signal: planted power laws, what noise does to it, and the published recording."""

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ABOUT
from cubes import recording
from sklearn.decomposition import PCA

from neurocompare.description import identification, spectrum
from neurocompare.errors import UserError
from neurocompare.recordings import stringer2019

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recordings"))
import stringer

(CVPCA,) = spectrum.DESCRIPTIONS
DOT = "identification-compare=dot-split=halves"


def population(n, p, exponent, noise, *, repeats=2, seed=0):
    """Make responses whose signal has just this spectrum over just these stimuli; `noise` is relative to the signal."""
    rng = np.random.default_rng(seed)
    k = min(n - 1, p)
    scores = rng.standard_normal((n, k))
    scores = np.linalg.qr(scores - scores.mean(0))[0] * np.sqrt(n)
    axes = np.linalg.qr(rng.standard_normal((p, k)))[0]
    variances = np.arange(1, k + 1.0) ** -exponent
    signal = (scores * np.sqrt(variances)) @ axes.T
    scale = noise * np.sqrt(variances.sum() / p)
    return signal[:, None] + scale * rng.standard_normal((n, repeats, p)), variances


def described(cube, **attributes):
    rows, details = spectrum.describe(recording(cube, **attributes), CVPCA, seed=0)
    return {row["quantity"]: row for row in rows}, details


@pytest.mark.parametrize(("exponent", "noise"), [(0.6, 1.0), (1.0, 1.0), (1.5, 0.5)])
def test_planted_power_laws_are_recovered(exponent, noise):
    rows, details = described(population(260, 800, exponent, noise)[0])
    row = rows["spectrum exponent"]
    assert row["value"] == pytest.approx(exponent, abs=0.1)
    assert row["ci_low"] < row["value"] < row["ci_high"] < row["value"] + 0.2
    assert row["condition"] == "repeats=1+1;ranks=11-258"
    rank, variance, fit = details["rank"].values, details.variance.values, details.fit.values
    assert variance.sum() == pytest.approx(1) and len(rank) == 259
    inside = (rank >= 11) & (rank <= 258)
    assert np.isfinite(fit[inside]).all() and np.isnan(fit[~inside]).all()
    assert np.abs(np.log(fit[inside] / variance[inside])).mean() < 0.3


def test_cross_validation_removes_the_noise_that_plain_variances_hold():
    cube, variances = population(260, 800, 1.0, 1.0)
    first, second = (cube[:, k] - cube[:, k].mean(0) for k in range(2))
    plain = np.linalg.svd(first, compute_uv=False)[:-1] ** 2 / 260
    crossed = spectrum.cvpca(first @ first.T, first @ second.T, 259)
    assert crossed.sum() == pytest.approx(variances.sum(), rel=0.05)
    assert plain.sum() > 1.8 * variances.sum()
    assert spectrum.power_law(plain, (11, 258)) < 0.75
    assert spectrum.power_law(crossed, (11, 258)) == pytest.approx(1, abs=0.1)


def test_variances_are_unbiased_along_given_directions():
    """What is left over of noise averages to zero, whatever there is of it."""
    sums = []
    for seed in range(60):
        cube, variances = population(30, 40, 1.0, 3.0, seed=seed)
        first, second = cube[:, 0], cube[:, 1]
        sums.append(spectrum.cvpca(first @ first.T, first @ second.T, 29).sum())
    assert np.mean(sums) == pytest.approx(variances.sum(), abs=3 * np.std(sums) / np.sqrt(60))


def test_variances_are_those_of_projections():
    """The definition, written with units instead of stimuli, by another library."""
    cube, _ = population(30, 50, 1.0, 1.0)
    first, second = cube[:, 0] + 7, cube[:, 1] - 3
    pca = PCA(svd_solver="full").fit(first)
    expected = (pca.transform(first) * ((second - second.mean(0)) @ pca.components_.T)).mean(0)
    found = spectrum.cvpca(first @ first.T, first @ second.T, 29)
    np.testing.assert_allclose(found, expected[:29], atol=1e-10)


def test_the_fit_is_a_weighted_line():
    rng = np.random.default_rng(1)
    variances = 3 * np.arange(1, 301.0) ** -1.2
    assert spectrum.power_law(variances) == pytest.approx(1.2)
    assert spectrum.power_law(-variances, (11, 50)) == pytest.approx(1.2)
    rough = variances * np.exp(0.3 * rng.standard_normal(300))
    rank = np.arange(11, 201)
    slope = np.polyfit(np.log(rank), np.log(rough[10:200]), 1, w=np.sqrt(1 / rank))[0]
    assert spectrum.power_law(rough, (11, 200)) == pytest.approx(-slope)
    assert np.isnan(spectrum.power_law(np.zeros(300)))


def test_signal_variance_is_the_correlation_of_the_repeats():
    """Half of the variance is signal where noise equals it; shuffled stimuli have none."""
    rows, _ = described(population(260, 400, 0.5, 1.0)[0])
    row = rows["signal variance fraction"]
    assert row["value"] == pytest.approx(0.5, abs=0.03)
    assert row["value"] - 0.05 < row["ci_low"] < row["value"] < row["ci_high"] < row["value"] + 0.05
    assert row["null_mean"] == pytest.approx(0, abs=0.02) and row["p_value"] == pytest.approx(1 / 201)
    assert rows["spectrum exponent"]["status"] == "no_null;no_ceiling"
    noise, _ = described(np.random.default_rng(2).standard_normal((100, 2, 50)))
    assert noise["signal variance fraction"]["p_value"] > 0.01
    assert noise["ranks without positive variance"]["value"] > 5
    none, _ = described(population(60, 80, 0.5, 1.0)[0], exchangeable="none")
    assert none["signal variance fraction"]["status"] == "no_null;no_ceiling"


def test_intervals_are_as_wide_as_the_values_scatter():
    """Over populations of random stimuli; a little wider, as they rest on fewer splits than the values."""
    rng = np.random.default_rng(8)
    deviation = np.arange(1, 121.0) ** -0.5
    scale = np.sqrt((deviation**2).sum() / 120)
    found = []
    for _ in range(20):
        signal = rng.standard_normal((80, 120)) * deviation
        rows, _ = described(signal[:, None] + scale * rng.standard_normal((80, 2, 120)))
        found.append([(row["value"], (row["ci_high"] - row["value"]) / 1.96) for row in list(rows.values())[:2]])
    for values, errors in np.transpose(found, (1, 2, 0)):
        assert 0.6 < np.mean(errors) / np.std(values) < 3


def test_scale_offset_rotation_and_order_do_not_matter():
    cube, _ = population(60, 90, 1.0, 1.0, repeats=4)
    rotation = np.linalg.qr(np.random.default_rng(3).standard_normal((90, 90)))[0]
    value = described(cube)[0]["spectrum exponent"]["value"]
    moved = described(50 * cube @ rotation + 1000)[0]["spectrum exponent"]["value"]
    assert moved == pytest.approx(value, rel=1e-6)
    assert described(cube)[0]["spectrum exponent"] == described(cube)[0]["spectrum exponent"]


def test_constant_units_are_counted_and_few_dimensions_refused():
    cube, _ = population(60, 80, 1.0, 0.5)
    rows, _ = described(np.concatenate([cube, np.full((60, 2, 3), 4.0)], axis=2))
    assert rows["units constant in a half"]["value"] == 3
    assert rows["signal variance fraction"]["value"] == pytest.approx(
        described(cube)[0]["signal variance fraction"]["value"]
    )
    assert described(np.ones((40, 2, 50)))[0]["spectrum exponent"]["status"] == "undefined"
    for shape, told in [((15, 2, 50), "15 stimuli and 50 units give 14 dimensions"), ((50, 2, 9), "9 dimensions")]:
        with pytest.raises(UserError, match=told):
            described(np.random.default_rng(4).random(shape))
    with pytest.raises(UserError, match="at least 2 repeats"):
        described(cube[:, :1])


def by_hand(stim):
    """Follow the paper's steps on the content of a file: signal variance, identification and the exponent."""
    shown = stim["istim"].ravel()
    mean, deviation = stim["spont"].mean(0), stim["spont"].std(0)
    axes = np.linalg.svd((stim["spont"] - mean) / deviation, full_matrices=False)[2][:4].T
    responses = (stim["resp"][shown <= 2800] - mean) / deviation
    responses -= responses @ axes @ axes.T
    responses -= responses.mean(0)
    shown = shown[shown <= 2800]
    repeats = np.stack([[responses[shown == k][r] for k in np.unique(shown)] for r in range(2)])
    scaled = (repeats - repeats.mean(1, keepdims=True)) / repeats.std(1, keepdims=True)
    fraction = (scaled[0] * scaled[1]).mean()
    hits = (repeats[0] @ repeats[1].T).argmax(1) == np.arange(len(repeats[0]))
    spectra = []
    rng = np.random.default_rng(5)
    for _ in range(20):
        swapped = rng.random(repeats.shape[1]) < 0.5
        first, second = np.where(swapped[:, None], repeats[::-1], repeats)
        pca = PCA(svd_solver="full").fit(first)
        spectra.append((pca.transform(first) * (second @ pca.components_.T)).sum(0))
    variances = np.mean(spectra, axis=0)[:-1]
    rank = np.arange(11, len(variances))
    slope = np.polyfit(np.log(rank), np.log(np.abs(variances[rank - 1])), 1, w=np.sqrt(1 / rank))[0]
    return fraction, hits.mean(), -slope


def test_the_steps_of_the_paper_from_the_file_to_the_numbers(tmp_path):
    cube, _ = population(120, 200, 0.9, 1.5)
    rng = np.random.default_rng(6)
    stim = stringer.natural_images(120, 200, times=150)
    shown = stim["istim"].ravel().astype(int)
    seen = np.zeros(len(shown), dtype=int)
    for k in np.unique(shown):
        seen[shown == k] = np.arange((shown == k).sum())
    image = shown <= 2800
    stim["resp"] = rng.standard_normal((len(shown), 200))
    stim["resp"][image] = cube[shown[image] - 1, seen[image]]
    path = tmp_path / "natimg2800_M170714_MP032_2017-09-14.mat"
    stringer.write_mat(path, stim)
    array = stringer2019.ingest({path.name: path}, about=ABOUT, spontaneous=True, components=4)
    fraction, hits, exponent = by_hand(stim)
    rows = {row["quantity"]: row for row in spectrum.describe(array, CVPCA, seed=0)[0]}
    assert rows["signal variance fraction"]["value"] == pytest.approx(fraction, abs=0.003)
    assert rows["spectrum exponent"]["value"] == pytest.approx(exponent, abs=0.03)
    assert identification.describe(array, DOT, seed=0)[0][0]["value"] == pytest.approx(hits, abs=1e-9)


def test_published_numbers_of_natural_images(real_data):
    """The authors' own notebook prints 0.165, 0.412 and 0.974 for this recording, with red cells."""
    path = real_data / "stringer2019" / "natimg2800_M170714_MP032_2017-09-14.mat"
    if not path.is_file():
        pytest.skip(f"{path} is not at hand")
    options = {"spontaneous": True, "components": 32, "red_cells": "keep"}
    array = stringer2019.ingest({path.name: path}, about=ABOUT, **options)
    assert identification.describe(array, DOT, seed=0)[0][0]["value"] == pytest.approx(0.412, abs=0.005)
    rows = {row["quantity"]: row for row in spectrum.describe(array, CVPCA, seed=0)[0]}
    assert rows["signal variance fraction"]["value"] == pytest.approx(0.165, abs=0.002)
    assert rows["spectrum exponent"]["value"] == pytest.approx(0.974, abs=0.01)
