"""Resamples, noise ceilings, variances and corrections against rsatoolbox and SciPy."""

import numpy as np
import pytest
from oracles import oracle
from scipy import stats

from neurocompare import similarity
from neurocompare.inference import corrections, twofactor
from neurocompare.similarity import ceilings, comparators
from neurocompare.similarity.arrays import Grams

THEIRS = {
    "cosine": "cosine",
    "pearson": "corr",
    "spearman": "spearman",
    "rho-a": "rho-a",
    "tau-a": "tau-a",
    "whitened-cosine": "cosine_cov",
    "whitened-correlation": "corr_cov",
}


def animals(seed, n_animals=5, n=14, p=8):
    """Draw representations of several animals that share a signal."""
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((n, 3))
    return [signal @ rng.standard_normal((3, p)) + 0.8 * rng.standard_normal((n, p)) for _ in range(n_animals)]


def rdms_of(representations):
    return np.stack([similarity.rdm(x, "euclidean") for x in representations])


@pytest.mark.parametrize("comparator", THEIRS)
def test_bootstrap_sample_equals_rsatoolbox(comparator):
    oracle("rsatoolbox")
    from rsatoolbox.rdm import RDMs, compare

    rdms, models = rdms_of(animals(1)), rdms_of(animals(2, n_animals=3))
    rng = np.random.default_rng(3)
    for _ in range(3):
        drawn = np.sort(rng.integers(0, 14, 14))
        theirs = compare(
            *(RDMs(stack).subsample_pattern("index", drawn) for stack in (rdms, models)), THEIRS[comparator]
        )
        weights = np.bincount(drawn, minlength=14)[None].astype(float)
        ours = comparators.weighted(rdms, models, weights, comparator)[0]
        # A cell that was drawn twice is a tie for rsatoolbox, which earns nothing in rho-a and tau-a; for ours
        # it is one cell that counts twice. That changes all scores of a sample by the same factor.
        factor = np.median(theirs / ours) if comparator in ("rho-a", "tau-a") else 1
        assert 0.95 < factor <= 1
        np.testing.assert_allclose(factor * ours, theirs, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Noise ceiling for tau")
@pytest.mark.parametrize("comparator", THEIRS)
def test_ceiling_from_animals_equals_rsatoolbox(comparator):
    oracle("rsatoolbox")
    from rsatoolbox.inference import boot_noise_ceiling
    from rsatoolbox.rdm import RDMs

    representations = animals(4)
    measure = similarity.load(f"rsa-distance=euclidean-compare={comparator}")
    found = ceilings.of_animals(measure, measure.reduced(Grams.of(representations)), range(5))
    low, high = boot_noise_ceiling(RDMs(rdms_of(representations)), THEIRS[comparator])
    ours = np.mean([[c.low, c.high] for c in found], axis=0)
    if comparator.startswith("whitened"):
        # Ours gives all animals the same norm after whitening, rsatoolbox before it: that average is not the best.
        assert ours[1] > high
        assert ours == pytest.approx([low, high], abs=2e-3)
    else:
        assert ours == pytest.approx([low, high], abs=1e-9)


def draws_of(seed, n_draws=4000, n_animals=6, n_models=3, interaction=1.0):
    """Scores of an additive model with an interaction, and draws that are centred on them."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n_animals, n_models)) * 0.1 + 0.5
    draws = rng.standard_normal((n_draws, 1, n_models)) * 0.1
    draws = draws + interaction * 0.1 * rng.standard_normal((n_draws, n_animals, n_models))
    return values, values + draws - draws.mean(0)


def their_variances(values, draws):
    """What bootstraps over both, over animals and over stimuli have as variances, were animals drawn for ever."""
    n = len(values)
    stimuli, over_animals = draws.mean(1).var(0, ddof=1), values.var(0) / n
    # Given the stimuli, drawing animals adds the variance between them.
    both = stimuli + draws.var(1).mean(0) / n
    return np.stack([np.diag(v) for v in (both, over_animals, stimuli)])


def test_two_factor_variance_equals_rsatoolbox():
    oracle("rsatoolbox")
    from rsatoolbox.util.inference_util import extract_variances

    values, draws = draws_of(5)
    n_animals, n_stimuli = len(values), 40
    theirs, differences, _ = extract_variances(
        their_variances(values, draws), nc_included=False, n_rdm=n_animals, n_pattern=n_stimuli
    )
    ours = twofactor.estimate(values, draws, n_stimuli)
    np.testing.assert_allclose(ours.standard_error**2, theirs, rtol=2e-3)
    assert ours.claim == "stimuli and animals"


def test_interval_over_stimuli_of_one_animal_equals_rsatoolbox():
    oracle("rsatoolbox")
    from rsatoolbox.util.inference_util import extract_variances

    values, draws = draws_of(6, n_animals=1)
    theirs, _, _ = extract_variances(np.diag(draws[:, 0].var(0, ddof=1)), nc_included=False, n_pattern=30)
    ours = twofactor.estimate(values, draws, 30)
    np.testing.assert_allclose(ours.standard_error**2, theirs, rtol=1e-10)
    reach = stats.t.ppf(0.975, ours.degrees_of_freedom) * ours.standard_error
    np.testing.assert_allclose(ours.high - ours.value, reach, rtol=1e-10)
    # Draws are finite in number: a little less than n − 1.
    np.testing.assert_allclose(ours.degrees_of_freedom, 29, rtol=0.01)


def test_differences_of_models_equal_the_paired_t_test_of_scipy_where_stimuli_do_not_vary():
    rng = np.random.default_rng(7)
    values = rng.standard_normal((9, 2))
    draws = np.broadcast_to(values, (50, 9, 2))
    _, difference = twofactor.pairs(values, draws, 100)
    expected = stats.ttest_rel(*values.T)
    np.testing.assert_allclose(difference.p_value, expected.pvalue, rtol=1e-9)
    np.testing.assert_allclose(difference.low, expected.confidence_interval().low, rtol=1e-9)


def test_standard_errors_of_models_equal_those_of_rsatoolbox_but_for_chance(capfd):
    oracle("rsatoolbox")
    from rsatoolbox.inference import eval_dual_bootstrap
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    from neurocompare.inference import resampling

    n = 24
    targets, models = rdms_of(animals(11, n_animals=8, n=n)), rdms_of(animals(11, n_animals=10, n=n))[8:]
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(12)  # noqa: NPY002
    try:
        fixed = [ModelFixed(str(k), RDMs(model[None])) for k, model in enumerate(models)]
        theirs = eval_dual_bootstrap(fixed, RDMs(targets), method="corr", N=150).get_sem()
    finally:
        np.random.set_state(state)  # noqa: NPY002
    plan = resampling.plan("a recording", n, "stimulus", bootstraps=2000)
    values = comparators.weighted(targets, models, np.ones((1, n)), "pearson")[0]
    ours = twofactor.estimate(values, comparators.weighted(targets, models, plan.weights, "pearson"), n)
    # 150 draws know a standard error to 6 %.
    np.testing.assert_allclose(ours.standard_error, theirs, rtol=0.2)


@pytest.mark.parametrize(
    ("ours", "method"), [(corrections.benjamini_hochberg, "bh"), (corrections.benjamini_yekutieli, "by")]
)
def test_false_discovery_rates_equal_scipy(ours, method):
    p_values = np.random.default_rng(8).random(30) ** 3
    np.testing.assert_allclose(ours(p_values), stats.false_discovery_control(p_values, method=method), rtol=1e-12)


def test_permutation_p_value_equals_scipy():
    from neurocompare.inference import resampling

    null = np.random.default_rng(9).standard_normal((499, 1))
    x, y = np.random.default_rng(10).standard_normal((2, 12))
    counter = iter(np.r_[1.2, null[:, 0]])
    theirs = stats.permutation_test(
        (x, y),
        lambda *_: next(counter),
        permutation_type="pairings",
        n_resamples=499,
        alternative="greater",
        vectorized=False,
    )
    assert resampling.p_value(np.array([1.2]), null)[0] == pytest.approx(theirs.pvalue, abs=1e-12)
