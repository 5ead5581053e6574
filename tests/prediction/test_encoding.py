"""What all encoders share: folds, scores corrected for noise, controls at chance."""

import numpy as np
import pytest

from neurocompare import score_rows, similarity
from neurocompare.errors import UserError
from neurocompare.inference import resampling
from neurocompare.prediction import ridge
from neurocompare.prediction.held_out import by_repeat, centred, factor, gated
from neurocompare.prediction.unit_scores import ccnorm, r2er, reliability
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.evaluation import Target
from neurocompare.similarity.trials import Trials

CORRECTED = ("feve", "ccnorm", "r2er")


def population(seed, stimuli=150, features=8, units=60, repeats=8, noise=2.0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((stimuli, features))
    means = x @ rng.standard_normal((features, units)) + 5
    return x, means, means + noise * rng.standard_normal((repeats, stimuli, units))


def evaluated(measure, x, trials, **sizes):
    sizes = {"bootstraps": 10, "permutations": 20, "partitions": 2} | sizes
    plan = resampling.plan("a", len(x), "stimulus", **sizes)
    opened = similarity.load(measure)
    grams = Grams.of_trials([Trials.of_repeats(trials)])
    return opened.evaluate(Target(("a",), grams=grams), Grams.of([x]), plan)


@pytest.mark.parametrize("score", CORRECTED)
@pytest.mark.parametrize(("repeats", "noise"), [(2, 1.0), (2, 2.5), (8, 0.5), (8, 4.0), (40, 10.0)])
def test_the_true_features_score_one_but_for_what_fitting_costs(score, repeats, noise):
    # P21: averages of as many trials are fitted and scored. 8 weights from 160 stimuli lose 8 / 160 of the noise.
    found = []
    for seed in range(3):
        x, _, trials = population(seed, stimuli=200, repeats=repeats, noise=noise)
        one = evaluated(f"ridge-folds=5-score={score}", x, trials, bootstraps=0, permutations=0, partitions=0)
        found.append(one.value[0, 0])
        assert (one.ceilings[0].low, one.ceilings[0].kind) == (1.0, "corrected")
    lost = 8 / 160 * noise**2 / repeats / 8
    assert np.mean(found) == pytest.approx(1 - lost * (0.5 if score == "ccnorm" else 1), abs=0.015)
    if noise > 1:
        assert evaluated("ridge-folds=5", x, trials, permutations=0, partitions=0).value[0, 0] < 0.95


@pytest.mark.parametrize("score", ("pearson", "r2", *CORRECTED))
def test_shuffled_stimuli_and_noise_score_alike(score):
    gaps = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        x, trials = rng.standard_normal((40, 5)), rng.standard_normal((6, 40, 20)) + rng.standard_normal((40, 20))
        found = evaluated(f"ridge-folds=5-score={score}", x, trials, bootstraps=0, partitions=0)
        gaps.append(found.value[0, 0] - found.null[:, 0, 0].mean())
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / np.sqrt(len(gaps)) + 0.005


def test_neighbours_in_the_training_folds_help_random_folds_only():
    # Smooth tuning to 72 angles, features without any meaning but smooth: P11.
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    rng = np.random.default_rng(1)
    distance = np.abs(np.exp(1j * angle[:, None]) - np.exp(1j * angle))
    smooth = np.linalg.cholesky(np.exp(-((distance / 0.15) ** 2)) + 1e-6 * np.eye(72))
    x, y = smooth @ rng.standard_normal((72, 60)), smooth @ rng.standard_normal((72, 40))
    random, consecutive = (similarity.score(x, y, f"ridge-folds=5{split}") for split in ("", "-split=consecutive"))
    assert random > 0.6
    assert consecutive < 0.25


def test_a_selection_of_features_outside_of_the_folds_would_score_on_noise():
    # What the engine never does: features chosen by their correlation with all responses, P12.
    rng = np.random.default_rng(2)
    x = rng.standard_normal((60, 2000))
    # All neurons carry one and the same noise.
    y = rng.standard_normal((60, 1)) + 0.3 * rng.standard_normal((60, 30))
    honest = similarity.score(x, y, "ridge-folds=5")
    products = np.abs((x - x.mean(0)).T @ (y - y.mean(0))).max(1)
    leaky = similarity.score(x[:, np.argsort(products)[-40:]], y, "ridge-folds=5")
    assert honest < 0.2 < 0.6 < leaky


def test_trials_are_needed_where_noise_is_corrected():
    x, means, _ = population(3)
    with pytest.raises(UserError, match="at least 2 repeats") as error:
        similarity.score(x, means, "ridge-folds=5-score=r2er")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ("ridge-folds=1", "2 to 20 folds"),
        ("ridge-folds=5-alpha=3", "written ridge-folds=5"),
        ("ridge-folds=5-split=time", "random"),
        ("ridge-folds=5-score=r3", "did you mean r2"),
        ("ridge-folds=5-gate=1.5", "gate=1.5: .* between 0 and 1"),
        ("ridge-folds=5-gate=high", "gate=high: .* between 0 and 1"),
    ],
)
def test_mistakes_in_ids_are_told_in_one_line(measure, message):
    with pytest.raises(UserError, match=message) as error:
        similarity.load(measure)
    assert "\n" not in str(error.value)


def test_factor_has_the_inner_products_of_centred_features():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((30, 50)) + 3
    train, test = np.arange(20), np.arange(20, 30)
    within, across = centred(x @ x.T, train, test)
    mean = x[train].mean(0)
    np.testing.assert_allclose(within, (x[train] - mean) @ (x[train] - mean).T, atol=1e-10)
    np.testing.assert_allclose(across, (x[test] - mean) @ (x[train] - mean).T, atol=1e-10)
    a, b = factor(within, across)
    assert a.shape == (20, 19)
    np.testing.assert_allclose(a @ a.T, within, atol=1e-9)
    np.testing.assert_allclose(b @ a.T, across, atol=1e-9)


def test_trials_sorted_by_stimulus_keep_their_order_and_mark_what_is_missing():
    trials = Trials(np.arange(5.0)[:, None], np.array([1, 0, 1, 1, 0]), np.zeros(5, dtype=int), 2)
    np.testing.assert_array_equal(by_repeat(trials)[..., 0], [[1, 0], [4, 2], [np.nan, 3]])


def test_all_encoders_hold_out_the_same_stimuli():
    for split in ("random", "consecutive"):
        ids = [f"{start}folds=4-split={split}" for start in ("ridge-", "reducedrank-", "pls-components=nested-")]
        first, *others = ([test.tolist() for _, test in similarity.load(name).outer_folds(22)] for name in ids)
        assert all(other == first for other in others)
        assert (sum(first, []) == list(range(22))) == (split == "consecutive")


@pytest.mark.parametrize("split", ["random", "consecutive"])
@pytest.mark.parametrize("control", ["labels", "blocks"])
def test_shuffled_controls_score_at_chance(split, control):
    # Labels: single stimuli change places. Blocks: the five runs of stimuli that are held out do, as a whole. Chance,
    # that of other responses of the same kind, is a little below zero, as held-out means are low where responses are
    # high, and is the same in both.
    gaps, scores = [], []
    opened = similarity.load(f"ridge-folds=5-split={split}")
    for seed in range(25):
        rng = np.random.default_rng(seed)
        x, other = rng.standard_normal((2, 60, 10))
        weights = rng.standard_normal((10, 20))
        y, unrelated = (z @ weights + 0.5 * rng.standard_normal((60, 20)) for z in (x, other))
        turn = rng.permutation(60) if control == "labels" else (np.arange(60) + 12 * rng.integers(1, 5)) % 60
        targets = [opened.reduced(Grams.of([one])) for one in (y, y[turn], unrelated)]
        found = [opened.scores(opened.reduced(Grams.of([x])), target)[0, 0] for target in targets]
        assert found[0] > 0.8
        scores.append(found[1])
        gaps.append(found[1] - found[2])
    assert abs(np.mean(gaps)) < 3.5 * np.std(gaps) / 5
    assert -0.15 < np.mean(scores) < 2 * np.std(scores) / 5


def test_neurons_are_gated_by_trials_that_are_not_scored():
    # Noise alone: of trials that are also scored, those with signal by chance would be kept, and none else.
    rng = np.random.default_rng(5)
    n, silent, real = 50, 400, 40
    x = rng.standard_normal((n, 4))
    signal = np.hstack([np.zeros((n, silent)), x @ rng.standard_normal((4, real))])
    trials = signal + 2 * rng.standard_normal((8, n, silent + real))
    grams, dropped = gated(Grams.of_trials([Trials.of_repeats(trials)]), 0.3)
    np.testing.assert_allclose(grams.trials[0].mean().shape[1], silent + real - dropped[0])
    kept = reliability(trials[1::2]) >= 0.3
    np.testing.assert_allclose(grams.units[0], trials[::2].mean(0)[:, kept], atol=1e-12)
    assert 5 < kept[:silent].sum() < 60
    assert kept[silent:].sum() > 30
    # Reliability in the trials that are scored: unbiased by the gate, or what the gate asked for.
    chance = reliability(trials[::2])[:silent]
    assert abs(chance[kept[:silent]].mean()) < 3.5 * chance.std() / np.sqrt(kept[:silent].sum())
    assert chance[chance >= 0.3].mean() > 0.3


def test_the_gate_biases_no_score():
    # 600 neurons with little signal, and their true means as predictions: one is the right score of whoever is chosen.
    ours, biased = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        means = rng.standard_normal((100, 4)) @ rng.standard_normal((4, 600)) * rng.uniform(0, 0.15, 600)
        trials = means + rng.standard_normal((8, 100, 600))
        grams, dropped = gated(Grams.of_trials([Trials.of_repeats(trials)]), 0.3)
        kept = reliability(trials[1::2]) >= 0.3
        assert 600 - dropped[0] == kept.sum() > 40
        scored = by_repeat(grams.trials[0])
        ours.append([np.nanmedian(score(means[:, kept], scored)) for score in (ccnorm, r2er)])
        # Chosen by the very trials that are scored, noise that agrees with itself is taken for signal.
        same = reliability(trials[::2]) >= 0.3
        biased.append([np.nanmedian(score(means[:, same], trials[::2][..., same])) for score in (ccnorm, r2er)])
    np.testing.assert_allclose(np.mean(ours, axis=0), 1, atol=0.05)
    assert np.all(np.mean(biased, axis=0) < [0.9, 0.8])


def test_a_gated_id_scores_the_other_trials_of_the_neurons_that_pass():
    rng = np.random.default_rng(6)
    x = rng.standard_normal((60, 4))
    trials = x @ rng.standard_normal((4, 100)) * rng.uniform(0, 0.5, 100) + rng.standard_normal((8, 60, 100))
    target = Target(("a", "b"), grams=Grams.of_trials([Trials.of_repeats(trials), Trials.of_repeats(trials[..., :40])]))
    plan = resampling.plan("a", 60, "stimulus", bootstraps=5, permutations=5, partitions=1)
    kept = reliability(trials[1::2]) >= 0.5
    assert 10 < kept.sum() < 90
    for score in ("pearson", "ccnorm"):
        opened = similarity.load(f"ridge-folds=5-score={score}-gate=0.5")
        found = opened.evaluate(target, Grams.of([x]), plan)
        assert found.gated_units.tolist() == [100 - kept.sum(), 40 - kept[:40].sum()]
        expected = similarity.score(x, trials[::2][..., kept], f"ridge-folds=5-score={score}")
        assert found.value[0, 0] == pytest.approx(expected, abs=1e-12)
        assert similarity.score(x, trials, opened.name) == pytest.approx(expected, abs=1e-12)
        assert np.isfinite(found.null).all()


def test_whole_blocks_decide_where_they_can_and_repeats_where_they_can_not():
    # Eight presentations of two stimuli in four blocks, where blocks 0 and 2 make up one half.
    stimulus, block = np.tile([0, 0, 1, 1], 4), np.repeat(np.arange(4), 4)
    trials = Trials(np.arange(16.0)[:, None] + np.random.default_rng(0).standard_normal((16, 3)), stimulus, block, 2)
    assert set(gated(Grams.of_trials([trials]), 1e-9)[0].trials[0].block) == {0, 2}
    # In two blocks that show one stimulus each, every other repeat of a stimulus decides.
    alone = Trials(trials.values[:8], np.repeat([0, 1], 4), np.repeat([0, 1], 4), 2)
    assert gated(Grams.of_trials([alone]), 1e-9)[0].trials[0].counts().tolist() == [2, 2]


def test_a_gate_needs_four_repeats_and_no_neuron_may_pass_it():
    x, _, trials = population(7, repeats=3)
    with pytest.raises(UserError, match="at least 4 repeats") as error:
        similarity.score(x, trials, "ridge-folds=5-gate=0.3")
    assert "\n" not in str(error.value)
    noise = np.random.default_rng(8).standard_normal((4, 60, 5))
    found = evaluated("ridge-folds=5-gate=0.99", x[:60], noise)
    assert np.isnan(found.value).all()
    assert found.gated_units.tolist() == [5]


def test_rows_say_how_many_neurons_were_gated():
    rng = np.random.default_rng(9)
    x = rng.standard_normal((40, 4))
    values = np.hstack([x @ rng.standard_normal((4, 6)), np.zeros((40, 6))]) + rng.standard_normal((6, 40, 12))
    target = Target(("a",), grams=Grams.of_trials([Trials.of_repeats(values)]))
    opened = similarity.load("ridge-folds=5-gate=0.6")
    plan = resampling.plan("a", 40, "stimulus", bootstraps=20, permutations=20, partitions=0)
    found = opened.evaluate(target, Grams.of([x]), plan)
    assert found.gated_units.tolist() == [6]
    statistics, _ = score_rows._statistics(opened, found, [0], np.arange(40), plan)
    assert statistics["gated_units"].tolist() == [6]


def test_batches_of_neurons_change_nothing(monkeypatch):
    x, means, _ = population(10, stimuli=40, units=17)
    whole = similarity.load("ridge-folds=5").predict(x @ x.T, means).change
    monkeypatch.setattr(ridge, "_BATCH", 5)
    monkeypatch.setattr(ridge, "_ALPHAS_BATCH", 2)
    np.testing.assert_allclose(similarity.load("ridge-folds=5").predict(x @ x.T, means).change, whole, atol=1e-10)
