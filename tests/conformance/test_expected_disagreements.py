"""Where other implementations are wrong, and ours must not agree with them.

Each test shows the error first, by the package itself where it can be installed, else by its formula in
our own words, and then that ours differs in the right direction. The numbers B1 … B15 are those of the
project's list of such errors; the letters that follow name further ones, found while these tests were written.
"""

import numpy as np
import pytest
from oracles import (
    dataset,
    oracle,
    pair,
    repeats,
    rsatoolbox_compare,
    rsatoolbox_rdm,
    rsatoolbox_unbalanced_crossnobis,
)

from neurocompare import similarity
from neurocompare.inference import resampling, twofactor
from neurocompare.similarity import crossvalidated, whitening
from neurocompare.similarity import noise as noises
from neurocompare.similarity.trials import Trials

SONG = "cka-kernel=linear-hsic=song"


def golden():
    rng = np.random.default_rng(20240501)
    z = rng.standard_normal((24, 5))
    x = z @ rng.standard_normal((5, 10)) + 0.5 * rng.standard_normal((24, 10))
    return x, z @ rng.standard_normal((5, 7)) + 0.5 * rng.standard_normal((24, 7))


def unrelated(seed, n, p, q=None):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, p)), rng.standard_normal((n, q or p))


def counts(seed, n_repeats=4, n_stimuli=6, n_units=8):
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(2, 3, (n_stimuli, n_units)), (n_repeats, n_stimuli, n_units)).astype(float)


def as_dataset(trials, blocks=None):
    r, n, p = trials.shape
    blocks = np.arange(r) if blocks is None else np.asarray(blocks)
    return dataset(trials.reshape(-1, p), np.tile(np.arange(n), r), np.repeat(blocks, n))


def poisson_fold(trials, k):
    """Cross-validated Poisson divergences with repeat k left out, with the prior of rsatoolbox."""
    test, train = (trials[k] + 0.1) / 1.1, (np.delete(trials, k, axis=0).mean(0) + 0.1) / 1.1
    return np.mean((train[:, None] - train[None]) * (np.log(test)[:, None] - np.log(test)[None]), axis=2)


def test_b1_cross_validated_poisson_of_rsatoolbox_is_its_last_fold_alone():
    trials = counts(1)
    folds = [poisson_fold(trials, k) for k in range(len(trials))]
    theirs = rsatoolbox_rdm(as_dataset(trials), "poisson_cv", descriptor="stimulus", cv_descriptor="block")
    np.testing.assert_allclose(theirs, folds[-1], atol=1e-12)
    assert np.abs(theirs - np.mean(folds, axis=0)).max() > 0.1
    # Each fold is right: with another one last, that one is returned.
    other = rsatoolbox_rdm(as_dataset(trials, [9, 0, 1, 2]), "poisson_cv", descriptor="stimulus", cv_descriptor="block")
    np.testing.assert_allclose(other, folds[0], atol=1e-12)
    np.testing.assert_allclose(crossvalidated.poisson_kl(Trials.of_repeats(trials)), np.mean(folds, axis=0), atol=1e-12)


def test_b2_poisson_of_rsatoolbox_is_twice_what_its_documentation_says():
    from scipy.special import kl_div

    x = counts(2)[0]
    rates = (x + 0.1) / 1.1
    # The documentation has the mean of both divergences, the code their sum; ours has the sum too.
    both = np.mean(kl_div(rates[:, None], rates[None]) + kl_div(rates[None], rates[:, None]), axis=2)
    np.testing.assert_allclose(rsatoolbox_rdm(dataset(x), "poisson"), both, atol=1e-12)
    np.testing.assert_allclose(crossvalidated.plain_poisson_kl(x), both, atol=1e-12)
    np.testing.assert_allclose(crossvalidated.plain_poisson_kl(x, factor=0.5), both / 2, atol=1e-12)


def test_b3_rsatoolbox_has_no_noise_ceiling_for_bures():
    oracle("rsatoolbox")
    from rsatoolbox.inference import eval_fixed
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    rdms = RDMs(np.stack([similarity.rdm(pair(seed)[0], "euclidean") for seed in range(3)]))
    with pytest.raises(ValueError, match="Unknown RDM comparison"):
        eval_fixed(ModelFixed("model", rdms[0]), rdms, method="bures")


def test_b4_bootstrap_p_value_of_rsatoolbox_exceeds_one_and_its_draws_depend_on_global_state():
    oracle("rsatoolbox")
    from rsatoolbox.inference.bootstrap import bootstrap_sample_rdm
    from rsatoolbox.rdm import RDMs
    from rsatoolbox.util.inference_util import zero_tests

    below = np.full((10, 1), -1.0)
    assert zero_tests(below, test_type="bootstrap")[0] > 1
    assert resampling.p_value(np.array([-1.0]), np.zeros((10, 1)))[0] == 1

    rdms = RDMs(np.stack([similarity.rdm(pair(seed)[0], "euclidean") for seed in range(3)]))
    state = np.random.get_state()  # noqa: NPY002
    try:
        bootstrap_sample_rdm(rdms)
        assert not np.array_equal(np.random.get_state()[1:3], state[1:3]) or np.random.get_state()[2] != state[2]  # noqa: NPY002
    finally:
        np.random.set_state(state)  # noqa: NPY002
    resampling.plan("a recording", 20, "stimulus")
    similarity.score(*pair(1), SONG)
    after = np.random.get_state()  # noqa: NPY002
    assert after[2] == state[2]
    np.testing.assert_array_equal(after[1], state[1])


def principal_components(z, k):
    u, s, _ = np.linalg.svd(z - z.mean(0), full_matrices=False)
    return u[:, :k] * s[:k]


def mean_correlation(x, y):
    bases = [np.linalg.qr(z - z.mean(0))[0] for z in (x, y)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).mean()


def test_b5_fraction_of_variance_compared_with_a_variance_keeps_one_component():
    kept, right = [], []
    for z in golden():
        variances = np.linalg.svd(z - z.mean(0), compute_uv=False) ** 2
        fractions = np.cumsum(variances) / variances.sum()
        # The argmax of nothing but False is the first place.
        kept.append(principal_components(z, int(np.argmax(fractions >= 0.99 * variances.sum())) + 1))
        right.append(principal_components(z, int(np.argmax(fractions >= 0.99)) + 1))
    assert [k.shape[1] for k in kept] == [1, 1]
    ours = similarity.score(*golden(), "svcca-variance=0.99")
    assert abs(ours - mean_correlation(*kept)) > 0.05
    assert ours == pytest.approx(mean_correlation(*right), abs=1e-10)


def test_b6_projection_weights_by_the_indices_of_the_other_representation():
    x, y = golden()
    # Directions of y select among the units of x: there is no such selection when the numbers differ.
    with pytest.raises(IndexError):
        x.T[np.ones(y.shape[1], dtype=bool)]
    assert np.isfinite([similarity.score(x, y, "pwcca"), similarity.score(y, x, "pwcca")]).all()


def test_b7_training_mean_that_holds_the_test_fold_is_not_cross_validated():
    rng = np.random.default_rng(7)
    i, j = np.triu_indices(6, 1)
    wrong, ours = [], []
    for _ in range(200):
        trials = rng.standard_normal((2, 6, 20))
        mean, test = trials.mean(0), trials[0]
        # For n folds the others' mean is mean + (mean − test) / (n − 1); with the other sign it is the test fold.
        train = mean - (mean - test) / (len(trials) - 1)
        np.testing.assert_allclose(train, test)
        difference = test[i] - test[j]
        wrong.append(np.mean((train[i] - train[j]) * difference))
        ours.append(crossvalidated.crossnobis(Trials.of_repeats(trials), "none")[i, j].mean())
    assert np.mean(wrong) > 1.8
    assert abs(np.mean(ours)) < 4 * np.std(ours) / np.sqrt(len(ours))


def test_b8_squared_correlations_are_always_above_zero():
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(8)
    noise = rng.standard_normal((100, 2, 12, 40))
    r = np.array([[np.corrcoef(a, b)[0, 1] for a, b in zip(*sample, strict=True)] for sample in noise])
    assert np.mean(ttest_1samp(r**2, 0, axis=1, alternative="greater").pvalue < 0.05) > 0.5
    assert np.mean(ttest_1samp(r, 0, axis=1, alternative="greater").pvalue < 0.05) < 0.15


def test_b9_squared_division_by_the_ceiling_inflates_the_score_of_the_true_model():
    rng = np.random.default_rng(9)
    signal = rng.standard_normal((118, 200))
    trials = signal + np.sqrt(20) * rng.standard_normal((10, 118, 200))
    mean = trials.mean(0)
    r = np.array([np.corrcoef(s, m)[0, 1] for s, m in zip(signal.T, mean.T, strict=True)])
    halves = trials[::2].mean(0), trials[1::2].mean(0)
    h = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(halves[0].T, halves[1].T, strict=True)])
    reliability = 2 * h / (1 + h)
    # The reliability is a ratio of variances already.
    assert (r.mean() / reliability) ** 2 > 2
    assert np.mean(r**2) / reliability == pytest.approx(1, abs=0.1)
    # Ours divides nothing by a ceiling that was squared: the noise is taken out of the self-term.
    corrected = similarity.score(signal, trials, "cka-kernel=linear-hsic=song-normalise=cross-half")
    assert corrected == pytest.approx(1, abs=0.1)


def test_b10_a_kernel_of_fixed_width_makes_all_alike():
    x, y = unrelated(10, 118, 200)
    kernels = []
    for z in (x, y):
        square = ((z[:, None] - z[None]) ** 2).sum(2)
        kernels.append(np.exp(-square / 2))
    centred = [k - k.mean(0) - k.mean(1)[:, None] + k.mean() for k in kernels]
    fixed = np.sum(centred[0] * centred[1]) / np.linalg.norm(centred[0]) / np.linalg.norm(centred[1])
    assert fixed > 0.999
    assert abs(similarity.score(x, y, "cka-kernel=rbf-hsic=song")) < 0.05


def test_b11_a_correlation_of_a_variable_with_itself_is_one():
    x, _ = pair(11)
    rdm = similarity.rdm(x, "euclidean")[np.triu_indices(len(x), 1)]
    z = (rdm - rdm.mean()) / rdm.std(ddof=1)
    assert np.mean(z * z) == pytest.approx((len(z) - 1) / len(z))
    assert similarity.score(x, x, "rsa-distance=euclidean-compare=pearson") == pytest.approx(1, abs=1e-12)


def test_b12_penalties_that_are_their_own_numbers_are_too_small():
    from neurocompare.prediction import encoding

    rng = np.random.default_rng(12)
    x = rng.standard_normal((80, 40))
    y = x @ rng.standard_normal((40, 5)) + 40 * rng.standard_normal((80, 5))
    grid = np.array([1.0, 1e3, 1e5])
    tried = [penalty for penalty, _ in enumerate(grid)]
    assert tried == [0, 1, 2]
    gram, order = x @ x.T, np.random.default_rng([encoding._SEED, 80, 5]).permutation(80)
    theirs = np.empty_like(y)
    for test in np.array_split(order, 5):
        train = order[~np.isin(order, test)]
        mean = y[train].mean(0)
        inverse = np.linalg.pinv(gram[np.ix_(train, train)] + max(tried) * np.eye(len(train)))
        theirs[test] = gram[np.ix_(test, train)] @ inverse @ (y[train] - mean)
    ours = similarity.load("ridge-folds=5").predict(gram, y).change
    assert np.mean((ours - y) ** 2) < 0.9 * np.mean((theirs - y) ** 2)


def test_b13_a_doubly_centred_kernel_without_its_diagonal_is_not_the_unbiased_estimate():
    x, y = unrelated(13, 118, 1000)

    def bare(z):
        c = z - z.mean(0)
        kernel = c @ c.T
        return kernel - np.diag(np.diag(kernel))

    a, b = bare(x), bare(y)
    theirs = np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)
    assert 0.05 < theirs < 0.1
    assert abs(similarity.score(x, y, SONG)) < 0.03


def test_b14_self_similarities_are_not_evidence():
    from scipy.stats import pearsonr, spearmanr

    scores = []
    for seed in range(20):
        x, y = unrelated(seed, 20, 500)
        both = [np.corrcoef(z).ravel() for z in (x, y)]
        scores.append([pearsonr(*both).statistic, spearmanr(*both).statistic, similarity.score(x, y, "ssm")])
    with_diagonal_pearson, with_diagonal, ours = np.mean(scores, axis=0)
    assert with_diagonal_pearson > 0.5
    assert with_diagonal > 0.1
    assert abs(ours) < 0.05


def test_b15_projection_weights_from_uncentred_directions():
    # Of the published table of disagreements, this one can be rebuilt; the others name packages, not formulas.
    x, y = golden()
    a, b = ((z - z.mean(0)) for z in (x, y))
    bases = [np.linalg.svd(z, full_matrices=False)[0] for z in (a, b)]
    u, rho, vt = np.linalg.svd(bases[0].T @ bases[1])
    variates = {"x": (bases[0] @ u[:, :7], x, a), "y": (bases[1] @ vt.T, y, b)}
    centred = {k: weighted(v, c, rho) for k, (v, _, c) in variates.items()}
    # The narrower representation gives the weights.
    assert similarity.score(x, y, "pwcca") == pytest.approx(centred["y"], abs=1e-9)
    assert centred["y"] == pytest.approx(0.9408, abs=1e-4)
    # Elsewhere the means of the units are added to the directions again, before these are made orthogonal.
    shifted = np.linalg.qr(variates["y"][0] * np.sqrt(24) + y.mean(0))[0]
    assert abs(weighted(shifted, y, rho) - centred["y"]) > 0.02


def weighted(variates, representation, rho):
    alpha = np.abs(variates.T @ representation).sum(1)
    return alpha @ rho / alpha.sum()


def test_c1_degrees_of_freedom_of_noise_in_rsatoolbox_count_stimuli_and_not_repeats():
    oracle("rsatoolbox")
    from rsatoolbox.data.noise import cov_from_measurements, cov_from_unbalanced

    trials = repeats(16, n_repeats=2, n_stimuli=30, n_units=5)
    residuals = (trials - trials.mean(0)).reshape(-1, 5)
    right = residuals.T @ residuals / (30 * (2 - 1))
    wrong = residuals.T @ residuals / ((30 - 1) * 2)
    np.testing.assert_allclose(cov_from_measurements(as_dataset(trials), "stimulus", method="full"), wrong, atol=1e-12)
    np.testing.assert_allclose(cov_from_unbalanced(as_dataset(trials), "stimulus", method="full"), right, atol=1e-12)
    ours = noises.of_trials(Trials.of_repeats(trials), "full", shrinkage=0.0).solve(np.eye(5))
    np.testing.assert_allclose(np.linalg.inv(ours), right, atol=1e-10)


def test_c2_whitened_comparisons_of_rsatoolbox_fail_for_bootstrap_samples_of_100_stimuli():
    x, y = (similarity.rdm(z, "euclidean") for z in pair(17, n=100))
    x[0, 1] = x[1, 0] = y[0, 1] = y[1, 0] = np.nan
    with pytest.raises(TypeError):
        rsatoolbox_compare(x, y, "cosine_cov")


def test_c3_bures_similarity_of_rsatoolbox_exceeds_one_for_correlation_distances():
    rng = np.random.default_rng(18)
    x, y = (rng.random((118, 118)) for _ in "xy")
    x, y = ((z + z.T) / 2 * (1 - np.eye(118)) for z in (x, y))
    assert rsatoolbox_compare(x, y, "bures") > 1


def test_c4_drift_between_blocks_enters_the_unbalanced_crossnobis_of_rsatoolbox():
    rng = np.random.default_rng(19)
    # Stimulus 0 has more trials in early blocks, stimulus 1 in late ones; responses rise from block to block.
    times = np.array([[3, 1, 2], [3, 1, 2], [1, 3, 2], [1, 3, 2]])
    block, stimulus = (np.repeat(index.ravel(), times.ravel()) for index in np.indices(times.shape))
    steady = rng.standard_normal((len(block), 50))
    both = []
    for drift in (0, 2):
        values = steady + drift * block[:, None]
        trials = Trials(values, stimulus, block, 3)
        both.append((rsatoolbox_unbalanced_crossnobis(trials)[0, 1], crossvalidated.crossnobis(trials, "none")[0, 1]))
    (theirs_steady, ours_steady), (theirs_drifting, ours_drifting) = both
    assert abs(theirs_drifting - theirs_steady) > 0.5
    assert ours_drifting == pytest.approx(ours_steady, abs=1e-12)


def test_c5_bounded_variance_of_rsatoolbox_forgets_the_correction_for_few_animals():
    oracle("rsatoolbox")
    from rsatoolbox.util.inference_util import extract_variances

    # Four animals, no interaction: the variances of stimuli and animals add up.
    rng = np.random.default_rng(20)
    theirs, ours = [], []
    for _ in range(2000):
        animals = rng.standard_normal(4)
        # Drawing animals makes the variance of their mean too small by 3/4; without interaction, both add.
        stimuli, drawn = 0.01, animals.var() / 4
        parts = np.array([stimuli + drawn, drawn, stimuli])[:, None, None]
        theirs.append(extract_variances(parts, nc_included=False, n_rdm=4, n_pattern=100)[0][0])
        draws = animals[None, :, None] + 0.1 * np.array([-1.0, 1.0])[:, None, None] * np.sqrt(1 / 2)
        ours.append(twofactor.estimate(animals[:, None], draws, 100).standard_error[0] ** 2)
    true = 0.01 + 1 / 4
    assert np.mean(theirs) < 0.85 * true
    assert np.mean(ours) == pytest.approx(true, rel=0.05)


def test_c6_variances_of_conditions_as_a_vector_are_not_those_of_a_matrix_in_rsatoolbox():
    x, y = (similarity.rdm(z, "euclidean") for z in pair(21, n=12))
    variances = np.random.default_rng(22).uniform(0.2, 5, 12)
    as_vector = rsatoolbox_compare(x, y, "corr_cov", sigma_k=variances)
    as_matrix = rsatoolbox_compare(x, y, "corr_cov", sigma_k=np.diag(variances))
    assert abs(as_vector - as_matrix) > 1e-3
    for given in (variances, np.diag(variances)):
        assert whitening.whitened(x, y, given, "whitened-correlation") == pytest.approx(as_matrix, abs=1e-5)
