import numpy as np
import pytest
import scipy.io
import scipy.stats
import torch
import xarray as xr

from neurocompare.errors import UserError
from neurocompare.networks import activations
from neurocompare.stimuli import images


@pytest.fixture(scope="module")
def network():
    return activations.open_network("efficientnet_lite0", seed=0, options={"size": 64})


def inputs(n, shape=(3, 64, 64), seed=0):
    values = np.random.default_rng(seed).standard_normal((n, *shape)).astype(np.float32)
    return xr.DataArray(
        values, dims=("stimulus", "channel", "y", "x"), coords={"stimulus": [f"s{i}" for i in range(n)]}
    )


def test_grams_are_inner_products_of_features(network):
    stimuli = inputs(11)
    found = activations.grams(network, stimuli, batch=2, block=4)
    assert found.layer.values.tolist() == list(network.layers)
    assert found.stimulus.values.tolist() == found.other_stimulus.values.tolist() == stimuli.stimulus.values.tolist()
    for layer in ("stem", "block07", "logits"):  # the stem fills several chunks of columns
        features = activations.features(network, stimuli, layer, batch=2).astype(np.float64)
        at = found.sel(layer=layer)
        np.testing.assert_allclose(at.gram, features @ features.T, rtol=1e-10, atol=1e-9)
        np.testing.assert_allclose(at.row_sum, features.sum(axis=1), rtol=1e-10, atol=1e-9)
        assert at.n_units == features.shape[1]
    np.testing.assert_array_equal(found.gram, found.gram.transpose("layer", "other_stimulus", "stimulus"))


def test_blocks_do_not_change_the_result(network):
    stimuli = inputs(11)
    small, large = (activations.grams(network, stimuli, batch=4, block=block) for block in (4, 100))
    for name in ("gram", "row_sum"):
        scale = np.abs(large[name]).max(dim=set(large[name].dims) - {"layer"})
        assert (np.abs(small[name] - large[name]) / scale).max() < 1e-6
    assert small.n_units.equals(large.n_units)


def test_the_same_run_twice_gives_the_same_bits(network):
    stimuli = inputs(6)
    first, second = (activations.grams(network, stimuli, batch=4, block=4) for _ in range(2))
    assert first.identical(second)
    again = activations.open_network("efficientnet_lite0", seed=0, options={"size": 64})
    assert first.identical(activations.grams(again, stimuli, batch=4, block=4))


def test_an_image_does_not_depend_on_its_company(network):
    # Batch normalisation in training mode would normalise with the batch.
    stimuli = inputs(8)
    alone, together = (activations.features(network, stimuli, "logits", batch=batch) for batch in (1, 8))
    np.testing.assert_allclose(alone, together, atol=1e-4 * together.std())


def test_only_the_layers_asked_for_are_kept_in_the_order_asked(network):
    found = network.run(inputs(2).values, ["logits", "block03"])
    assert list(found) == ["logits", "block03"]
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}
    everything = network.run(inputs(2).values)
    np.testing.assert_array_equal(found["block03"], everything["block03"])
    assert activations.grams(network, inputs(2), batch=2, block=2, layers=["pooled"]).layer.values.tolist() == [
        "pooled"
    ]


class InPlace(torch.nn.Module):
    """A layer whose output the next operation overwrites."""

    input_shape = (1, 4, 4)

    def __init__(self):
        super().__init__()
        self.raw = torch.nn.Identity()

    def forward(self, images):
        return self.raw(images.clone()).relu_()

    def points(self):
        return {"raw": self.raw}

    def layers(self):
        return ("raw",)


def test_activations_are_copies_that_later_operations_cannot_overwrite():
    batch = inputs(2, (1, 4, 4)).values
    found = activations.Network("in place", InPlace()).run(batch)["raw"]
    np.testing.assert_array_equal(found, batch.reshape(2, 16))
    assert found.min() < 0


def test_no_hook_stays_behind(network):
    network.run(inputs(1).values)
    with pytest.raises(UserError):
        network.run(np.full((1, 3, 64, 64), np.nan, dtype=np.float32))
    assert not any(module._forward_hooks for module in network._module.modules())


def test_constant_units_are_fine():
    network = activations.open_network("pixels", options={"size": 4})
    stimuli = inputs(3, (3, 4, 4))
    stimuli[:, 1] = 5
    found = activations.grams(network, stimuli, batch=2, block=2)
    flat = stimuli.values.reshape(3, -1).astype(np.float64)
    np.testing.assert_allclose(found.gram[0], flat @ flat.T)
    np.testing.assert_array_equal(activations.features(network, stimuli, "pixels", batch=2), flat)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_activations_that_are_not_finite_are_refused(value):
    network = activations.open_network("pixels", options={"size": 4})
    stimuli = inputs(3, (3, 4, 4))
    stimuli[2, 0, 0, 0] = value
    with pytest.raises(UserError, match="layer 'pixels' holds NaN or infinite activations"):
        activations.grams(network, stimuli, batch=2, block=2)


def test_overflowing_weights_are_told_by_layer(network):
    broken = activations.open_network("efficientnet_lite0", seed=0, options={"size": 64})
    with torch.no_grad():
        broken._module.blocks[2].project.weight.fill_(float("inf"))
    broken.run(inputs(1).values, ["block01"])
    with pytest.raises(UserError, match="layer 'block02'"):
        broken.run(inputs(1).values)


def test_mistakes_are_told_in_one_line(network):
    stimuli = inputs(2)
    with pytest.raises(UserError, match="unknown layer 'block3'; did you mean block"):
        network.run(stimuli.values, ["block3"])
    with pytest.raises(UserError, match="unknown layer 'conv1'"):
        activations.features(network, stimuli, "conv1", batch=1)
    with pytest.raises(UserError, match=r"'block' \(6\) must be a multiple of 'batch' \(4\)"):
        activations.grams(network, stimuli, batch=4, block=6)
    with pytest.raises(UserError, match=r"'batch' \(0\) must be positive"):
        activations.features(network, stimuli, "stem", batch=0)
    with pytest.raises(UserError, match=r"takes images of shape \(3, 64, 64\), got \(1, 64, 64\)"):
        activations.features(network, inputs(2, (1, 64, 64)), "stem", batch=1)
    with pytest.raises(UserError, match="inputs need the coordinate 'stimulus'"):
        activations.grams(network, stimuli.drop_vars("stimulus"), batch=1, block=1)
    with pytest.raises(UserError, match="unknown architecture 'gabor'; did you mean gabor_bank"):
        activations.open_network("gabor")
    with pytest.raises(UserError, match="unknown option of architecture 'pixels' 'sizes'; did you mean size"):
        activations.open_network("pixels", options={"sizes": 4})
    with pytest.raises(UserError, match="needs either 'weights' .* or 'seed'"):
        activations.open_network("efficientnet_lite0")
    with pytest.raises(UserError, match="needs either 'weights' .* or 'seed'"):
        activations.open_network("efficientnet_lite0", weights="w.safetensors", seed=1)
    with pytest.raises(UserError, match="has no weights"):
        activations.open_network("pixels", seed=1)


def test_pixels_agree_with_inferior_temporal_cortex_as_published(real_data):
    """Spearman correlations of pixels with the RDMs of Kriegeskorte et al. 2008: .145 (monkey), .106 (human)."""
    path = real_data / "kriegeskorte2008" / "Kriegeskorte_Neuron2008_supplementalData.mat"
    published = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True)
    photos = np.stack([item.image for item in published["stimuli_92objs"]])
    stimuli = xr.DataArray(
        photos, dims=("stimulus", "y", "x", "channel"), coords={"stimulus": [f"object={i:02d}" for i in range(92)]}
    )
    prepared = images.prepare(stimuli, size=224, mode="rgb", scale=(127, 128))
    found = activations.grams(activations.open_network("pixels"), prepared, batch=8, block=96).isel(layer=0)
    sums = found.row_sum.values
    covariance = found.gram.values - np.outer(sums, sums) / found.n_units.item()
    spread = np.sqrt(np.diag(covariance))
    dissimilarity = (1 - covariance / np.outer(spread, spread))[np.triu_indices(92, 1)]
    brains = {rdm.name: rdm.RDM for rdm in published["RDMs_mIT_hIT_fig1"]}
    for name, expected in {"mIT_674neurons": 0.145, "hITvisStim_316vx": 0.106}.items():
        assert scipy.stats.spearmanr(dissimilarity, brains[name]).statistic == pytest.approx(expected, abs=1e-3)


def test_a_sample_of_units_is_kept_as_it_is(network):
    stimuli = inputs(5)
    found = activations.grams(network, stimuli, batch=2, block=4)
    for layer in ("stem", "logits"):
        features, sample = activations.features(network, stimuli, layer, batch=2), found["sample"].sel(layer=layer)
        chosen = activations.sampled_units(features.shape[1])
        assert len(set(chosen)) == activations.SAMPLED < features.shape[1]
        np.testing.assert_array_equal(sample, features[:, chosen])
    # A layer with few units is kept whole, and the rest is empty.
    few = activations.grams(
        activations.open_network("pixels", options={"size": 4, "channels": 1}), inputs(5, (1, 4, 4)), batch=1, block=5
    )
    assert np.isfinite(few["sample"].values).sum() == few["n_units"].item() * 5
