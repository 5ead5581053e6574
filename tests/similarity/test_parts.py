"""Matched parts: planted parts and ranks, matching and angles by hand, invariances, null, ceilings and policies."""

import itertools

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from scipy.optimize import nnls

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.inference import resampling
from neurocompare.similarity import nmf
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.evaluation import Target


@pytest.fixture
def quick(monkeypatch):
    """Fewer starts and halves, where neither matters."""
    monkeypatch.setattr(nmf, "SEEDS", 4)
    monkeypatch.setattr(nmf, "SPLITS", 2)


def planted(rank, n=48, units=(40, 50), noise=0.2, seed=0):
    """Return sparse parts over stimuli and populations that mix the same parts, each in its own way."""
    rng = np.random.default_rng(seed)
    parts, populations = rng.gamma(0.3, 1, (n, rank)), []
    parts /= np.linalg.norm(parts, axis=0)
    for p in units:
        x = parts @ rng.dirichlet(np.full(p, 0.3), rank)
        populations.append(np.maximum(x / x.mean() + noise * rng.standard_normal((n, p)), 0))
    return parts, populations


def best_cosine(w, v):
    """Try all matchings of the same number of parts."""
    cosine = (w / np.linalg.norm(w, axis=0)).T @ (v / np.linalg.norm(v, axis=0))
    orders = itertools.permutations(range(len(cosine)))
    return max(np.mean([cosine[i, j] for i, j in enumerate(order)]) for order in orders)


def evaluated(measure, x, y, **options):
    opened = similarity.load(measure)
    y = Grams.of([y]) if y.ndim == 2 else Grams.of_trials([similarity.trials.Trials.of_repeats(y)])
    plan = resampling.plan("a", len(x), "stimulus", **{"bootstraps": 60, "permutations": 200} | options)
    return opened.evaluate(Target(("a",), grams=y), Grams.of([x]), plan)


@pytest.mark.parametrize(("rank", "noise"), [(3, 0.0), (3, 0.5), (5, 0.5)])
def test_planted_parts_are_recovered_and_matched(rank, noise):
    truth, (x, y) = planted(rank, noise=noise)
    part = nmf.Parts(y)
    assert best_cosine(part.weights(rank), truth) > 0.98
    assert part.stability(rank) > 0.95
    assert not part.unstable
    assert len(part.fits(rank)) == 20
    assert similarity.score(x, y, f"nmf-rank={rank}-match=cosine") > 0.98
    assert similarity.score(x, y, f"nmf-rank={rank}-match=subspace") > 0.98


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("rank", "seed"), [(3, 1), (5, 2), (7, 3)])
def test_the_rank_of_the_recording_is_found_and_given_to_both(rank, seed):
    _, (x, y) = planted(rank, noise=0.5, seed=seed)
    found = nmf.Parts(y).rank
    assert abs(found - rank) <= 1
    expected = similarity.score(x, y, f"nmf-rank={found}-match=cosine")
    assert similarity.score(x, y, "nmf-match=cosine") == expected


def test_noise_has_one_part():
    # Positive noise has a mean, and nothing that can be predicted beyond it; the fit improves with every part.
    x = np.random.default_rng(0).gamma(2, 1, (40, 50))
    part = nmf.Parts(x)
    assert part.rank == 1
    assert np.all(np.diff([part.fits(rank)[0][2] for rank in (1, 3, 5)]) < 0)
    assert nmf.Parts(x[:, :2]).rank == 1


def test_scores_are_those_of_the_best_matching_and_of_scipys_angles():
    rng = np.random.default_rng(1)
    w, v = rng.random((30, 4)), rng.random((30, 4))
    for match, expected in (("cosine", best_cosine(w, v)), ("subspace", np.cos(subspace_angles(w, v)).mean())):
        products = nmf.prepared(w, match).T @ nmf.prepared(v, match)
        assert nmf.agreement(products, match) == pytest.approx(expected, abs=1e-12)


def test_parts_in_another_order_and_scale_are_the_same():
    w = np.random.default_rng(2).random((30, 5))
    moved = (w * np.arange(1, 6))[:, ::-1]
    for match in ("cosine", "subspace"):
        assert nmf.agreement(nmf.prepared(w, match).T @ nmf.prepared(moved, match), match) == pytest.approx(1)
    # A mixture of the parts spans the same space, of other parts.
    mixed = w @ np.random.default_rng(3).random((5, 5))
    same = nmf.agreement(nmf.prepared(w, "subspace").T @ nmf.prepared(mixed, "subspace"), "subspace")
    assert same == pytest.approx(1)
    assert nmf.agreement(nmf.prepared(w, "cosine").T @ nmf.prepared(mixed, "cosine"), "cosine") < 0.97


def test_parts_without_a_counterpart_earn_nothing():
    w = np.eye(6)[:, :4]
    some = np.hstack([w[:, :3], np.zeros((6, 1))])
    for match in ("cosine", "subspace"):
        for a, b in ((w, some), (some, w)):
            score = nmf.agreement(nmf.prepared(a, match).T @ nmf.prepared(b, match), match)
            assert score == pytest.approx(3 / 4)
    # A layer of three units can't have five parts.
    _, (x, y) = planted(5, noise=0.1)
    assert 0 < similarity.score(x[:, :3], y, "nmf-rank=5-match=cosine") <= 3 / 5


def test_the_best_fit_obeys_the_conditions_of_a_minimum():
    _, (x, _) = planted(3, noise=0.5)
    part = nmf.Parts(x)
    w, h, error = part.fits(3)[0]
    assert error == pytest.approx(((part.x - w @ h) ** 2).sum())
    weights = np.array([nnls(h.T, row)[0] for row in part.x])
    np.testing.assert_allclose(w, weights, atol=2e-3 * w.max())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("measure", ["nmf-rank=3-match=cosine", "nmf-match=subspace"])
def test_orders_of_units_and_stimuli_and_the_scale_change_nothing(measure):
    _, (x, y) = planted(3, noise=0.3)
    rng = np.random.default_rng(4)
    expected = similarity.score(x, y, measure)
    moved = 1e3 * x[:, rng.permutation(x.shape[1])]
    assert similarity.score(moved, y[:, rng.permutation(y.shape[1])] / 7, measure) == pytest.approx(expected, abs=1e-9)
    # Another order of the stimuli is another start, which ends in the same parts.
    order = rng.permutation(len(x))
    assert similarity.score(x[order], y[order], measure) == pytest.approx(expected, abs=1e-3)


def test_of_many_units_a_sample_is_factorised_and_silent_units_are_not_in_it():
    truth, (x, y) = planted(3, units=(2000, 80))
    x[:, ::2] = 0
    part = nmf.Parts(x)
    assert part.x.shape == (48, nmf.MOST_UNITS)
    assert part.x.any(0).all()
    assert part.x.max() == 1
    order = np.random.default_rng(5).permutation(2000)
    np.testing.assert_array_equal(part.x, nmf.Parts(x[:, order]).x)
    assert similarity.score(x, y, "nmf-rank=3-match=cosine") > 0.98
    assert best_cosine(part.weights(3), truth) > 0.98


@pytest.mark.usefixtures("quick")
def test_shuffled_stimuli_have_shuffled_parts():
    """What the null relies on: factorising shuffled responses would give the same."""
    _, (x, y) = planted(3, noise=0.3)
    measure = similarity.load("nmf-rank=3-match=cosine")
    orders = np.array([np.random.default_rng(k).permutation(48) for k in range(2)])
    candidates, target = measure.reduced(Grams.of([x, y])), measure.reduced(Grams.of([y]))
    null = measure.null(candidates, target, orders)
    assert null.shape == (2, 1, 2)
    for k, order in enumerate(orders):
        expected = [similarity.score(z, y[order], "nmf-rank=3-match=cosine") for z in (x, y)]
        np.testing.assert_allclose(null[k, 0], expected, atol=2e-3)


@pytest.mark.usefixtures("quick")
def test_unrelated_representations_score_as_their_null():
    rng, places = np.random.default_rng(6), []
    for _ in range(20):
        x, y = rng.gamma(0.5, 1, (2, 24, 20))
        found = evaluated("nmf-rank=3-match=cosine", x, y, bootstraps=0, partitions=0)
        null = found.null[:, 0, 0]
        places.append((found.value[0, 0] - null.mean()) / null.std())
    assert null.mean() > 0.3
    assert abs(np.mean(places)) < 3 / np.sqrt(20)


@pytest.mark.usefixtures("quick")
def test_a_related_population_is_between_its_ceilings_and_above_its_null():
    _, (x, y) = planted(3)
    trials = np.random.default_rng(7).poisson(2 * y, (6, *y.shape)).astype(float)
    found = evaluated("nmf-match=cosine", x, trials)
    value, ceiling = found.value[0, 0], found.ceilings[0]
    assert ceiling.kind == "bracket (trials)"
    assert 0.8 < ceiling.low < value < ceiling.high < 1
    assert value > found.null.max()
    low, high = resampling.interval(found.draws[:, 0, 0])
    assert low < value < high < 1.05
    assert high - low < 0.2
    assert found.warnings == [[]]


@pytest.mark.usefixtures("quick")
def test_halves_of_the_trials_have_as_many_parts_as_all_of_them():
    """Each half by itself supports fewer, and fewer parts agree better: the ceiling would be that of another score."""
    _, (x, y) = planted(3)
    trials = np.random.default_rng(8).poisson(0.3 * y, (6, *y.shape)).astype(float)
    rank, few = nmf.Parts(trials.mean(0)).rank, {"bootstraps": 0, "permutations": 1, "partitions": 0}
    automatic = evaluated("nmf-match=cosine", x, trials, **few).ceilings[0]
    assert automatic == evaluated(f"nmf-rank={rank}-match=cosine", x, trials, **few).ceilings[0]
    assert automatic.low < automatic.high


@pytest.mark.usefixtures("quick")
def test_half_samples_keep_the_number_of_parts():
    _, (x, y) = planted(3, noise=0.2)
    measure = similarity.load("nmf-match=cosine")
    candidates, target = measure.reduced(Grams.of([x])), measure.reduced(Grams.of([y]))
    half = np.arange(0, 48, 2)
    fresh = similarity.score(x[half], y[half], f"nmf-rank={target.parts[0].rank}-match=cosine")
    assert measure.scores_of(candidates, target, half)[0, 0] == pytest.approx(fresh, abs=5e-3)


@pytest.mark.usefixtures("quick")
def test_negative_responses_follow_the_policy():
    _, (x, y) = planted(3, noise=0.1)
    signed = x - 0.5
    with pytest.raises(
        UserError, match="nmf-rank=3-match=cosine: .* units have negative mean responses.*=rectify"
    ) as caught:
        similarity.score(signed, y, "nmf-rank=3-match=cosine")
    assert "\n" not in str(caught.value)
    rectified = similarity.score(np.maximum(signed, 0), y, "nmf-rank=3-match=cosine")
    assert similarity.score(signed, y, "nmf-rank=3-match=cosine-negative=rectify") == rectified
    shifted = similarity.score(signed - np.minimum(signed.min(0), 0), y, "nmf-rank=3-match=cosine")
    assert similarity.score(signed, y, "nmf-rank=3-match=cosine-negative=shift") == pytest.approx(shifted, abs=1e-9)


def test_what_does_not_vary_has_no_score(recwarn):
    _, (x, y) = planted(2)
    flat = np.tile(np.linspace(0, 1, 30), (48, 1))
    for other in (flat, np.zeros_like(flat)):
        assert np.isnan(similarity.score(other, y, "nmf-match=cosine"))
        assert np.isnan(similarity.score(x, other, "nmf-match=cosine"))
        found = evaluated("nmf-match=cosine", other, y, bootstraps=4, permutations=4)
        assert np.isnan(found.value).all()
        assert np.isnan(found.draws).all()
    assert not recwarn.list


def test_parts_that_depend_on_the_start_are_named():
    x = np.random.default_rng(9).gamma(2, 1, (30, 30))
    measure = similarity.load("nmf-rank=8-match=cosine")
    part = measure.reduce(Grams.of([x]))[0]
    assert measure.warnings(part) == []
    part.fits(8)
    assert part.stability(8) < nmf.STABLE
    assert measure.warnings(part) == ["unstable_parts"]


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ("nmf", "matched parts are written nmf-match="),
        ("nmf-match=cosines", "unknown match 'cosines'; did you mean cosine"),
        ("nmf-match=cosine-loss=kullback-leibler", "matched parts are written nmf-match="),
        ("nmf-match=cosine-negative=clip", "unknown policy 'clip'"),
        ("nmf-match=cosine-rank=0", "rank=0: give a number of parts"),
        ("nmf-match=cosine-rank=two", "rank=two: give a number of parts"),
    ],
)
def test_ids_that_do_not_exist_are_refused_in_one_line(measure, message):
    with pytest.raises(UserError, match=message) as caught:
        similarity.load(measure)
    assert "\n" not in str(caught.value)


def test_inner_products_alone_and_too_few_stimuli_are_refused():
    _, (x, y) = planted(2, n=14)
    grams = Grams.of([x])
    with pytest.raises(UserError, match="nmf-match=cosine: needs the responses of units"):
        similarity.load("nmf-match=cosine").reduce(Grams(grams.gram, grams.row_sum, grams.n_units))
    with pytest.raises(UserError, match="at least 15 stimuli, got 14"):
        similarity.score(x, y, "nmf-rank=5-match=cosine")
