import math

import numpy as np
import pytest
import safetensors.torch
import torch
from efficientnet_lite_pytorch import EfficientNet

from neurocompare.errors import UserError
from neurocompare.networks import activations, efficientnet_lite0, weights

# The modules of the independent implementation that the layers stand for.
ORACLE_POINTS = {"stem": "_conv_stem", "head": "_conv_head", "pooled": "_avg_pooling", "logits": "_fc"}
ORACLE_POINTS |= {f"block{i:02d}": f"_blocks.{i}" for i in range(16)}


@pytest.fixture(scope="module")
def oracle_state():
    """Random weights, and running statistics as if images had been seen."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = EfficientNet.from_name("efficientnet-lite0").state_dict()
    generator = torch.Generator().manual_seed(1)
    for name, tensor in state.items():
        if name.endswith(("running_var", "_bn0.weight", "_bn1.weight", "_bn2.weight")):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith(("running_mean", "bias")):
            tensor.normal_(0.0, 0.2, generator=generator)
    return state


@pytest.mark.parametrize("size", [224, 97])
def test_all_layers_agree_with_an_independent_implementation(oracle_state, tmp_path, size):
    oracle = EfficientNet.from_name("efficientnet-lite0", image_size=size).eval()
    oracle.load_state_dict(oracle_state)
    expected = {}
    for layer, name in ORACLE_POINTS.items():
        oracle.get_submodule(name).register_forward_hook(
            lambda module, args, output, layer=layer: expected.update({layer: output.flatten(1).numpy().copy()})
        )
    images = np.random.default_rng(0).standard_normal((2, 3, size, size)).astype(np.float32)
    with torch.inference_mode():
        oracle(torch.from_numpy(images))
    path = tmp_path / "weights.safetensors"
    weights.save(efficientnet_lite0.convert(oracle_state), path, {"architecture": "efficientnet_lite0"})
    network = activations.open_network("efficientnet_lite0", weights=path, options={"size": size})
    found = network.run(images)
    assert (
        list(found)
        == list(network.layers)
        == ["stem", *(f"block{i:02d}" for i in range(16)), "head", "pooled", "logits"]
    )
    for layer in network.layers:
        spread = expected[layer].std()
        assert spread > 1e-6
        np.testing.assert_allclose(found[layer] / spread, expected[layer] / spread, atol=1e-4, err_msg=layer)


def test_same_padding_puts_the_extra_pixel_below_and_to_the_right():
    convolution = efficientnet_lite0.SameConv2d(1, 1, 3, stride=2)
    torch.nn.init.ones_(convolution.weight)
    with torch.no_grad():
        sums = convolution(torch.ones(1, 1, 4, 4))[0, 0]
    # Kernels start at pixels 0 and 2; the second one reaches one pixel beyond the image.
    assert sums.tolist() == [[9.0, 6.0], [6.0, 4.0]]


def test_conversion_names_missing_surplus_and_misshapen_weights(oracle_state):
    state = dict(oracle_state)
    del state["_fc.bias"]
    with pytest.raises(UserError, match=r"1 missing \(_fc.bias\)"):
        efficientnet_lite0.convert(state)
    with pytest.raises(UserError, match=r"1 left over \(_se.weight\)"):
        efficientnet_lite0.convert(oracle_state | {"_se.weight": torch.zeros(1)})
    with pytest.raises(UserError, match=r"1 of another shape \(_conv_stem.weight\)"):
        efficientnet_lite0.convert(oracle_state | {"_conv_stem.weight": torch.zeros(32, 3, 5, 5)})


def test_published_file_is_converted_only_if_it_holds_weights(oracle_state, tmp_path):
    torch.save(oracle_state, tmp_path / "published.pth")
    converted = weights.convert("efficientnet_lite0", tmp_path / "published.pth")
    assert weights.sha256(converted) == weights.sha256(efficientnet_lite0.convert(oracle_state))
    torch.save({"_fc.bias": print}, tmp_path / "code.pth")
    (tmp_path / "text.pth").write_text("not weights")
    for name in ("code.pth", "text.pth"):
        with pytest.raises(UserError, match=f"{name}: not a PyTorch file of weights"):
            weights.convert("efficientnet_lite0", tmp_path / name)
    with pytest.raises(UserError, match="absent.pth: no such file"):
        weights.convert("efficientnet_lite0", tmp_path / "absent.pth")
    torch.save({}, tmp_path / "empty.pth")
    with pytest.raises(UserError, match=r"empty.pth: weights do not fit"):
        weights.convert("efficientnet_lite0", tmp_path / "empty.pth")


def test_untrained_weights_have_the_stated_spread_and_depend_on_the_seed_alone():
    state = weights.initialise("efficientnet_lite0", 3)
    torch.manual_seed(99)
    assert weights.sha256(weights.initialise("efficientnet_lite0", 3)) == weights.sha256(state)
    assert weights.sha256(weights.initialise("efficientnet_lite0", 4)) != weights.sha256(state)
    expected = {
        "blocks.10.expand.weight": math.sqrt(2 / 672),
        "blocks.10.depthwise.weight": math.sqrt(2 / 25),
        "head.weight": math.sqrt(2 / 1280),
        "logits.weight": 1 / math.sqrt(3 * 1000),
    }
    for name, spread in expected.items():
        # The standard error of a standard deviation is below 1 % for these sizes.
        assert state[name].std().item() == pytest.approx(spread, rel=0.03), name
    assert state["logits.weight"].abs().max() <= 1 / math.sqrt(1000)
    for name, value in {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}.items():
        assert (state[f"head_norm.{name}"] == value).all()


def test_weights_survive_the_disk_and_the_same_weights_give_the_same_bytes(tmp_path):
    state = weights.initialise("efficientnet_lite0", 0)
    metadata = {"architecture": "efficientnet_lite0", "source": "seed 0", "license": "none"}
    weights.save(state, tmp_path / "a.safetensors", metadata)
    weights.save(state, tmp_path / "b.safetensors", dict(reversed(metadata.items())))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    loaded, found = weights.load(tmp_path / "a.safetensors")
    assert found == metadata
    assert weights.sha256(loaded) == weights.sha256(state)


def test_opening_refuses_weights_of_another_network(tmp_path):
    path = tmp_path / "weights.safetensors"
    weights.save({"a": torch.zeros(1)}, path, {"architecture": "efficientnet_lite0"})
    with pytest.raises(UserError, match=r"296 missing .*; 1 left over \(a\)"):
        activations.open_network("efficientnet_lite0", weights=path)
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="holds weights of architecture 'none'"):
        activations.open_network("efficientnet_lite0", weights=path)
    path.write_text("not weights")
    with pytest.raises(UserError, match="not a readable safetensors file"):
        activations.open_network("efficientnet_lite0", weights=path)
    with pytest.raises(UserError, match="no such file"):
        activations.open_network("efficientnet_lite0", weights=tmp_path / "absent.safetensors")


def test_checksum_of_weights_sees_names_shapes_and_values():
    state = {"a": torch.arange(6.0)}
    variants = [{"b": torch.arange(6.0)}, {"a": torch.arange(6.0).reshape(2, 3)}, {"a": torch.arange(6.0) + 1}]
    assert len({weights.sha256(s) for s in [state, *variants]}) == 4
