"""A simulated population of prefrontal and premotor cortex that decides on a checkerboard, with its truth."""

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion.events import bin_edges, centres
from neurocompare.ingestion.presentations import repeats, stretches
from neurocompare.ranges import check_ranges
from neurocompare.simulation import diffusion, doubly_stochastic
from neurocompare.simulation.populations import ATTRIBUTES, check_areas, units

LATENTS = ("independent", "choice", "color", "configuration", "initial", "movement")
"""What rates are weighted sums of."""

AREAS = {
    "PFC": {"choice": 0.5, "color": 1.0, "configuration": 0.7},
    "PMd": {"choice": 1.0, "color": 0.0, "configuration": 0.0},
}
"""Standard deviation over units of the weights of an area, for what areas differ in."""


def simulate(
    *,
    trials: int = 1400,
    neurons: int = 100,
    areas: tuple[str, ...] = ("PFC", "PMd"),
    seed: int,
    align: str = "checkerboard",
    window: tuple[float, float] = (-0.2, 0.8),
    bin_width: float = 0.05,
    coherences: tuple[float, ...] = (4.0, 10.222, 20.0, 30.667, 40.444, 60.0, 90.222),
    catch: float = 0.05,
    drift: float = 10.0,
    bound: float = 0.55,
    delay: float = 0.15,
    motor_delay: float = 0.15,
    initial_effect: float = 0.3,
    snr: float = 0.1,
    snr_spread: float = 0.5,
    rate: float = 15.0,
    rate_spread: float = 0.5,
    dispersion: float = 0.1,
    decreased: float = 0.25,
    perimovement: float = 0.25,
    nonselective: float = 0.25,
    shared_rank: int = 3,
    shared_strength: float = 0.2,
) -> tuple[xr.DataArray, xr.Dataset]:
    r"""Simulate a population in the checkerboard task of Chandrasekaran et al. 2017 (Nat Commun 8:614).

    A checkerboard holds more red or more green squares; the reach goes to the target of that colour, which is
    left or right, so that colour and reach are independent (Coallier, Michelet & Kalaska 2015, J Neurophysiol
    113:3543). Evidence for red drifts in proportion to signed coherence until it meets a bound
    (`neurocompare.simulation.diffusion`). Reaction time is `delay` + decision time + `motor_delay`.

    The state q before the checkerboard, standard normal, sets the speed :math:`e^{\kappa q + \kappa^2/2}` at which
    the whole decision unfolds: fast states react earlier but choose no better (Boucher et al. 2023, Nat Commun
    14:6510). The choice of the constant leaves the mean decision time at each coherence as it is; q and reaction
    time covary by :math:`-\kappa` times that mean.

    The rate of a unit is its mean plus a weighted sum of latents, cut at zero: *independent* of the condition,
    rising after the checkerboard and again before the movement; *choice*, evidence for the right target over
    the bound, and *color*, evidence for red over the bound, which both stay where they end; *configuration*,
    +1 for red on the right; *initial*, q, until the movement; and *movement*, a bump around it. Premotor units
    know the reach only (Wang et al. 2019, Nat Commun 10:1793), prefrontal units also colour and configuration.
    Counts are Poisson, their rate multiplied in each trial by shared factors, as in `simulated_orientation`, and
    by a private one (`neurocompare.simulation.doubly_stochastic`).

    Parameters
    ----------
    trials, neurons : int
        Number of trials, and of units in each area. Conditions are balanced, in random order.
    areas : sequence of {"PFC", "PMd"}
        Areas to record from.
    seed : int
        Seed of everything.
    align : {"checkerboard", "movement"}
        Event at time 0.
    window : sequence of two floats
        Start and stop in s from that event.
    bin_width : float
        Width of the bins in s; rates are those at their centres.
    coherences : sequence of float
        Strengths in percent, ``100 |red - green| / (red + green)``; each is shown with both signs.
    catch : float
        Fraction of trials with equal numbers of squares, in which a random choice is correct.
    drift : float
        Drift at a coherence of 100 %, per second.
    bound : float
        Bound, in units of the noise over a second.
    delay, motor_delay : float
        Seconds from the checkerboard to the first evidence, and from the decision to the movement.
    initial_effect : float
        :math:`\kappa`, the standard deviation of the logarithm of speed.
    snr : float
        Variance of the expected count of a bin, over trials and time, over its Poisson variance, averaged
        over units; before rates are cut at zero.
    snr_spread : float
        Standard deviation of the logarithm of the ratio over units.
    rate, rate_spread : float
        Median over units of the mean rate in spikes/s, and standard deviation of its logarithm.
    dispersion : float
        Variance of the private factor, which has mean one; 0 for Poisson counts.
    decreased, perimovement : float
        Fractions of units whose rate falls, and of those that are active around the movement; the rates of
        the others rise.
    nonselective : float
        Fraction of units of each kind without weight for choice, color and configuration.
    shared_rank : int
        Number of shared factors.
    shared_strength : float
        Standard deviation of each shared factor.

    Returns
    -------
    array : DataArray of shape (trials, n_bins, neurons * n_areas)
        Spike counts, uint16.
    truth : Dataset
        By signed ``coherence``: ``drift``, ``probability_red`` and the mean and standard deviation of reaction
        times. By presentation: ``initial_state``, ``speed``, and ``decision_time`` in s. ``latents`` (latent,
        presentation, time). By unit: ``weights`` (latent, unit) in spikes/s, and ``choice_axis``, of unit norm;
        ``mean_rate``, ``snr``, and ``silenced``, the share of bins with a rate cut to zero; ``shared_loadings``
        (unit, factor); ``choice_probability``, that the count of the window is higher before a reach to the
        right than to the left, among trials of the weakest coherence, given their latents and shared factors.

    Raises
    ------
    UserError
        If an option is out of range.
    """
    check_areas("simulated decision", areas, tuple(AREAS))
    check_ranges(
        "simulated decision",
        sizes={"trials": trials, "neurons": neurons, "shared_rank": shared_rank},
        seeds={"seed": seed},
        fractions={"catch": catch, "nonselective": nonselective, "decreased": decreased, "perimovement": perimovement},
        positive={"bin_width": bin_width, "drift": drift, "bound": bound, "snr": snr, "rate": rate},
        magnitudes={"delay": delay, "motor_delay": motor_delay, "initial_effect": initial_effect}
        | {"snr_spread": snr_spread, "rate_spread": rate_spread}
        | {"dispersion": dispersion, "shared_strength": shared_strength},
    )
    check_ranges("simulated decision", fractions={"decreased + perimovement": decreased + perimovement})
    if align not in ("checkerboard", "movement"):
        raise UserError(f"simulated decision: align is '{align}'; use checkerboard or movement")
    coherences = _levels(coherences)
    if not (isinstance(window, list | tuple) and all(isinstance(edge, int | float) for edge in window)):
        raise UserError(f"simulated decision: window is {window}; give two numbers in s, the smaller first")
    if rate > 1000:
        raise UserError(f"simulated decision: rate is {rate:g} spikes/s; use 1000 or less")
    edges = bin_edges(window, bin_width)
    rng = np.random.default_rng([seed, 3])

    coherence, right = _conditions(coherences, catch, trials, rng)
    initial = rng.standard_normal(trials)
    speed = np.exp(initial_effect * initial + initial_effect**2 / 2)
    own_time, path = diffusion.walk(drift * coherence / 100, bound, rng)
    decided = own_time / speed
    reaction = delay + decided + motor_delay
    time = centres(edges) + (reaction[:, None] if align == "movement" else np.zeros((trials, 1)))
    point = np.rint((time - delay) * speed[:, None] / (diffusion.STEP * diffusion.KEPT)).astype(int)
    evidence = path[point.clip(0, len(path) - 1), np.arange(trials)[:, None]] / bound
    red = path[-1] > 0
    latents = _latents(time, evidence, reaction, right, initial, delay)

    area = np.repeat([str(name) for name in areas], neurons)
    kind = _kinds(len(areas), neurons, decreased, perimovement, rng)
    mean_rate = rate * rng.lognormal(0, rate_spread, len(area))
    ratio = snr * rng.lognormal(-(snr_spread**2) / 2, snr_spread, len(area))
    weights = _weights(area, kind, nonselective, rng)
    centred = latents - latents.mean((1, 2), keepdims=True)
    spread = np.cov(centred.reshape(len(LATENTS), -1), ddof=0)
    variance = np.einsum("lu,lm,mu->u", weights, spread, weights)
    # In a window after the movement, some units have nothing left to vary with.
    ratio[variance < 1e-6] = 0
    weights *= np.sqrt(ratio * mean_rate / bin_width / np.maximum(variance, 1e-6))
    loadings = rng.dirichlet(np.ones(shared_rank), len(area))
    gain = doubly_stochastic.gamma_factors(shared_strength**2, (trials, shared_rank), rng) @ loadings.T
    counts, expected, silenced = doubly_stochastic.counts(
        centred, weights, mean_rate, gain, width=bin_width, dispersion=dispersion, rng=rng
    )
    to_right = red == right
    weak = np.abs(coherence) == np.abs(coherence).min()
    probability = doubly_stochastic.choice_probability(expected[weak], to_right[weak], dispersion)

    correct = np.where(coherence == 0, rng.random(trials) < 0.5, red == (coherence > 0))
    sides = np.where(right, "right", "left")
    names = [f"coherence={c:+06.1f}-red={side}" for c, side in zip(coherence, sides, strict=True)]
    array = representation.responses(
        counts,
        presentation={
            "stimulus": np.array(names),
            "repeat": repeats(np.array(names)),
            "block": stretches(trials),
            "signed_coherence": coherence,
            "left_target": np.where(right, "green", "red"),
            "color_choice": np.where(red, "red", "green"),
            "choice": np.where(to_right, "right", "left"),
            "correct": correct.astype(int),
            "reaction_time": reaction,
        },
        unit=units(len(area), f"decision-{seed}") | {"area": area, "type": kind, "selective": _selective(weights)},
        time=centres(edges),
        attributes=ATTRIBUTES | {"response": "spike count", "aligned_to": align, "bin_width": bin_width, "seed": seed},
    )
    level = np.unique(coherence)
    decision = diffusion.mean_time(drift * level / 100, bound)
    # The inverse of speed has mean 1 and mean square exp(kappa²), independently of the decision.
    square = (diffusion.time_variance(drift * level / 100, bound) + decision**2) * np.exp(initial_effect**2)
    truth = xr.Dataset(
        {
            "drift": ("coherence", drift * level / 100),
            "probability_red": ("coherence", diffusion.probability(drift * level / 100, bound)),
            "mean_reaction_time": ("coherence", delay + decision + motor_delay),
            "sd_reaction_time": ("coherence", np.sqrt(square - decision**2)),
            "initial_state": ("presentation", initial),
            "speed": ("presentation", speed),
            "decision_time": ("presentation", decided),
            "latents": (("latent", "presentation", "time"), latents),
            "weights": (("latent", "unit"), weights),
            "choice_axis": ("unit", weights[1] / (np.linalg.norm(weights[1]) or 1.0)),
            "mean_rate": ("unit", mean_rate),
            "snr": ("unit", ratio),
            "silenced": ("unit", silenced),
            "shared_loadings": (("unit", "factor"), loadings),
            "choice_probability": ("unit", probability),
        },
        coords={
            "coherence": level,
            "latent": list(LATENTS),
            "time": centres(edges),
            "unit_id": ("unit", array.coords["unit_id"].values),
        },
        attrs={
            "seed": seed,
            "bound": bound,
            "delay": delay,
            "motor_delay": motor_delay,
            "initial_effect": initial_effect,
            "dispersion": dispersion,
            "shared_strength": shared_strength,
        },
    )
    return array, truth


def _levels(coherences) -> np.ndarray:
    """Return the strengths, rising."""
    try:
        levels = np.unique(np.asarray(coherences, dtype=float))
        names = {f"{level:.1f}" for level in levels}
        valid = 0 < len(names) == len(coherences) and "0.0" not in names and levels[0] > 0 and levels[-1] <= 100
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise UserError(
            f"simulated decision: coherences is {coherences}; list percentages from 0.1 to 100, each once;"
            " 'catch' is the fraction of trials without coherence"
        )
    return levels


def _conditions(coherences, catch, trials, rng) -> tuple[np.ndarray, np.ndarray]:
    """Signed coherence in percent of each trial, and whether red is on the right."""
    signed = np.concatenate([-coherences, coherences])
    number = rng.permutation(trials)
    # Sides alternate, then levels; the last trials of this order are those without coherence.
    coherence = np.where(number < trials - round(catch * trials), signed[number // 2 % len(signed)], 0.0)
    return coherence, number % 2 == 1


def _latents(time, evidence, reaction, right, initial, delay) -> np.ndarray:
    """Latents (latent, presentation, time) at times from the checkerboard, float32."""
    before = time - reaction[:, None]
    side = np.where(right, 1.0, -1.0)[:, None]
    latents = {
        "independent": 0.4 * _rise((time - delay) / 0.02) + 0.6 * _rise((before + 0.1) / 0.03),
        "choice": evidence * side,
        "color": evidence,
        "configuration": np.broadcast_to(side, time.shape),
        "initial": initial[:, None] * _rise(-before / 0.05),
        "movement": np.exp(-((before / 0.06) ** 2) / 2),
    }
    return np.stack([latents[name] for name in LATENTS]).astype(np.float32)


def _rise(x: np.ndarray) -> np.ndarray:
    """Go smoothly from 0 to 1 around x = 0."""
    return (1 + np.tanh(x / 2)) / 2


def _kinds(n_areas, neurons, decreased, perimovement, rng) -> np.ndarray:
    """Kind of each unit, in the declared proportions in every area."""
    kind = np.full(neurons, "increased", dtype="<U12")
    falling = round(decreased * neurons)
    kind[:falling] = "decreased"
    kind[falling : falling + round(perimovement * neurons)] = "perimovement"
    return np.concatenate([rng.permutation(kind) for _ in range(n_areas)])


def _weights(area, kind, nonselective, rng) -> np.ndarray:
    """Weights (latent, unit) before they are scaled to the signal-to-noise ratio."""
    n = len(area)
    main = rng.uniform(0.5, 1.5, n)
    weights = dict.fromkeys(LATENTS, np.zeros(n))
    weights["independent"] = main * np.select([kind == "increased", kind == "decreased"], [1.0, -1.0], 0.3)
    weights["movement"] = main * np.where(kind == "perimovement", 1.5, 0.0)
    weights["initial"] = 0.3 * rng.standard_normal(n)
    # The same share of every kind in every area knows neither choice nor colour.
    selective = np.ones(n)
    for name in dict.fromkeys(area):
        for one in dict.fromkeys(kind):
            members = rng.permutation(np.flatnonzero((area == name) & (kind == one)))
            selective[members[: round(nonselective * len(members))]] = 0
    for latent in ("choice", "color", "configuration"):
        deviation = np.array([AREAS[name][latent] for name in area])
        weights[latent] = selective * deviation * rng.standard_normal(n)
    return np.stack([weights[name] for name in LATENTS])


def _selective(weights: np.ndarray) -> np.ndarray:
    return (weights[[LATENTS.index(name) for name in ("choice", "color", "configuration")]] != 0).any(0).astype(int)
