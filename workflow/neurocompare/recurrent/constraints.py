r"""What the weights of a recurrent network keep to, whatever is done to the parameters that are trained.

Parameters are *raw*: `Constraints.effective` makes the weights of `neurocompare.recurrent.cells` from them, exactly,
after every update:

signs (Dale's law)
    :math:`W = \max(\tilde W, 0)\,M\,\mathrm{diag}(s)`, with mask M and the sign s of the sending unit; input and output
    weights are rectified too, and only excitatory units are read out (Song, Yang & Wang 2016, PLoS Comput Biol
    12:e1004792).
areas
    The mask M is 1 within an area, and between an area and the next with a probability: only excitatory units
    project to another area, to its excitatory units, unless `Areas.e_to_i` lets them reach inhibitory ones forward
    (Kleinman, Chandrasekaran & Kao 2021, NeurIPS). Inputs reach and outputs leave named areas only.
rank
    :math:`W = m n^\mathsf{T} / N`, of rank R at most (Mastrogiuseppe & Ostojic 2018, Neuron 99:609).

Units are ordered by area and, within an area, excitatory ones first. All tensors may have a leading axis of networks.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from neurocompare.errors import UserError, unknown
from neurocompare.ranges import check_ranges
from neurocompare.recurrent.cells import Cell

INITIAL = ("trained", "fixed", "zero")
"""What the state before the first step may be."""

FIXABLE = ("input", "recurrent", "bias", "output", "output_bias")
"""Weights that may be left as they were drawn."""


@dataclass(frozen=True)
class Areas:
    """Areas of a network, in a chain.

    Attributes
    ----------
    names : tuple of str
        Names, in the order in which signals go forward.
    sizes : tuple of int
        Numbers of units.
    feedforward, feedback : float
        Probability of a connection from an area to the next, and to the one before.
    e_to_i : float
        Probability of a connection from an excitatory unit to an inhibitory one of the next area.
    inputs_to, outputs_from : tuple of str
        Areas that inputs reach and that outputs are read from; by default the first and the last.
    seed : int
        Seed of the draw of connections; it does not depend on the seed of a network, so that all have the same.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    feedforward: float = 0.1
    feedback: float = 0.05
    e_to_i: float = 0.0
    inputs_to: tuple[str, ...] = ()
    outputs_from: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self):
        for name in ("names", "sizes", "inputs_to", "outputs_from"):
            if not isinstance(getattr(self, name), list | tuple):
                raise UserError(f"areas: {name} is {getattr(self, name)}; give a list")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        names = self.names
        if not names or not all(isinstance(name, str) and name.strip() for name in names):
            raise UserError(f"areas: names are {list(names)}; list the name of each area")
        if len(set(names)) < len(names):
            raise UserError(f"areas: names are {list(names)}; give each area a name of its own")
        if len(self.sizes) != len(names):
            raise UserError(f"areas: {len(self.sizes)} sizes for {len(names)} names; give one for each area")
        check_ranges(
            "areas",
            sizes={f"size of '{name}'": size for name, size in zip(names, self.sizes, strict=True)},
            fractions={"feedforward": self.feedforward, "feedback": self.feedback, "e_to_i": self.e_to_i},
            seeds={"seed": self.seed},
        )
        object.__setattr__(self, "inputs_to", self.inputs_to or names[:1])
        object.__setattr__(self, "outputs_from", self.outputs_from or names[-1:])
        for name in self.inputs_to + self.outputs_from:
            if name not in names:
                raise unknown("area", str(name), names)


@dataclass(frozen=True)
class Constraints:
    """What weights keep to; see the module.

    Attributes
    ----------
    excitatory : float, optional
        Fraction of units, of each area, that are excitatory; the others are inhibitory. By default units have no sign.
    rank : int, optional
        Rank of the recurrent weights; by default they are unconstrained.
    self_connections : bool
        Whether a unit may connect to itself.
    areas : Areas, optional
        By default there is one area, without a mask.
    initial : {"trained", "fixed", "zero"}
        Whether the state before the first step is trained, stays `initial_value`, or stays 0.
    initial_value : float
        Where that state starts.
    fixed : tuple of str
        Weights that are left as they were drawn, among `FIXABLE`.

    Raises
    ------
    UserError
        If one of them is out of range, or if two of them exclude each other.
    """

    excitatory: float | None = None
    rank: int | None = None
    self_connections: bool = True
    areas: Areas | None = None
    initial: str = "trained"
    initial_value: float = 0.0
    fixed: tuple[str, ...] = ()

    def __post_init__(self):
        if self.excitatory is not None:
            check_ranges("constraints", fractions={"excitatory": self.excitatory})
            for name, size in zip(self.areas.names, self.areas.sizes, strict=True) if self.areas else ():
                if round(self.excitatory * size) < 1:
                    raise UserError(f"constraints: excitatory is {self.excitatory:g}, none of area '{name}'; raise it")
        if not isinstance(self.self_connections, bool):
            raise UserError(f"constraints: self_connections is {self.self_connections}; use true or false")
        if self.initial not in INITIAL:
            raise unknown("choice of constraints: initial", str(self.initial), INITIAL)
        check_ranges("constraints", magnitudes={"initial_value": self.initial_value})
        if not isinstance(self.fixed, list | tuple):
            raise UserError(f"constraints: fixed is {self.fixed}; list some of {', '.join(FIXABLE)}")
        object.__setattr__(self, "fixed", tuple(self.fixed))
        for name in self.fixed:
            if name not in FIXABLE:
                raise unknown("weight in constraints: fixed", str(name), FIXABLE)
        if self.areas and self.areas.e_to_i and self.excitatory is None:
            raise UserError("constraints: areas have e_to_i but units no signs; give the fraction 'excitatory'")
        if self.rank is not None:
            check_ranges("constraints", sizes={"rank": self.rank})
            excluded = {"excitatory": self.excitatory is not None, "areas": self.areas is not None}
            for name, given in (excluded | {"self_connections: false": not self.self_connections}).items():
                if given:
                    raise UserError(f"constraints: rank and {name} exclude each other; leave out one of them")

    def check(self, cell: Cell) -> None:
        """Refuse a cell that can't keep to the constraints.

        Parameters
        ----------
        cell : Cell
            The cell.

        Raises
        ------
        UserError
            Naming the constraint.
        """
        wanted = {
            "excitatory": self.excitatory is not None,
            "rank": self.rank is not None,
            "areas": self.areas is not None,
            "self_connections: false": not self.self_connections,
        }
        named = [name for name, given in wanted.items() if given]
        if cell.gated and named:
            raise UserError(f"constraints: {named[0]} is for cells of kind rate or vanilla, not {cell.kind}")
        if self.excitatory is not None and cell.activation == "tanh":
            raise UserError(
                "constraints: excitatory needs rates that are never negative; use activation relu or softplus"
            )
        if self.excitatory is not None and cell.kind == "vanilla" and self.initial == "trained":
            # The state is the rate: a trained one may start below 0.
            raise UserError(
                "constraints: excitatory with cells of kind vanilla needs initial 'zero' or 'fixed'; set it"
            )
        if self.excitatory is not None and round(self.excitatory * cell.units) < 1:
            raise UserError(f"constraints: excitatory is {self.excitatory:g}, none of {cell.units} units; raise it")
        if self.areas and sum(self.areas.sizes) != cell.units:
            raise UserError(f"areas: sizes add up to {sum(self.areas.sizes)}, but the cell has {cell.units} units")
        if self.rank is not None and self.rank > cell.units:
            raise UserError(f"constraints: rank is {self.rank}, more than the {cell.units} units")
        if (cell.initialisation == "gamma") != (self.excitatory is not None) and cell.initialisation != "normal":
            raise UserError(
                f"cell: initialisation '{cell.initialisation}' is not for units "
                f"{'without' if self.excitatory is None else 'with'} signs; leave it out"
            )
        if cell.initialisation == "orthogonal" and named:
            raise UserError(
                f"cell: initialisation 'orthogonal' and {named[0]} exclude each other; leave out one of them"
            )

    def units(self, units: int) -> tuple[np.ndarray, np.ndarray]:
        """Return where units are and which sign they have.

        Parameters
        ----------
        units : int
            Number of units N.

        Returns
        -------
        area : array of str of shape (N,)
            Names of areas; "network" where there are none.
        cell_type : array of str of shape (N,)
            "excitatory", "inhibitory" or "none".
        """
        names, sizes = (self.areas.names, self.areas.sizes) if self.areas else (("network",), (units,))
        kinds = []
        for size in sizes:
            first = 0 if self.excitatory is None else round(self.excitatory * size)
            rest = "none" if self.excitatory is None else "inhibitory"
            kinds += ["excitatory"] * first + [rest] * (size - first)
        return np.repeat(np.array(names), sizes), np.array(kinds)

    def trained(self, raw: dict[str, Tensor]) -> list[str]:
        """Return the names of the raw parameters that training may change.

        Parameters
        ----------
        raw : dict of str to Tensor
            From `initialise`.

        Returns
        -------
        list of str
            In the order of `raw`.
        """
        left = set(self.fixed) | ({"left", "right"} if "recurrent" in self.fixed else set())
        left |= {"recurrent_bias"} if "bias" in self.fixed else set()
        left |= set() if self.initial == "trained" else {"initial"}
        return [name for name in raw if name not in left]

    def effective(self, raw: dict[str, Tensor]) -> dict[str, Tensor]:
        """Make the weights from the raw parameters.

        Parameters
        ----------
        raw : dict of str to Tensor
            From `initialise`, trained or not; with or without a leading axis of networks.

        Returns
        -------
        dict of str to Tensor
            Weights for `neurocompare.recurrent.cells.Cell`; differentiable.
        """
        weights = {name: tensor for name, tensor in raw.items() if name not in ("left", "right")}
        if self.rank is not None:
            weights["recurrent"] = raw["left"] @ raw["right"].mT / raw["left"].shape[-2]
        if self.excitatory is not None:
            weights |= {name: torch.relu(weights[name]) for name in ("input", "recurrent", "output")}
        if self.masked:
            device, units = raw["bias"].device, raw["input"].shape[-2]
            for name, mask in _masks(self, units).items():
                weights[name] = weights[name] * mask.to(device, weights[name].dtype)
        return weights

    @property
    def masked(self) -> bool:
        """Whether weights are multiplied with masks or signs."""
        return self.excitatory is not None or self.areas is not None or not self.self_connections


def initialise(cell: Cell, constraints: Constraints, seed: int) -> dict[str, Tensor]:
    r"""Draw the raw parameters of a network.

    Recurrent weights, by `Cell.initialisation`, with gain g:

    normal
        Independent, of standard deviation :math:`g/\sqrt N`; where a mask leaves fewer, scaled to spectral radius g.
    orthogonal
        A random orthogonal matrix times g, for each block of rows.
    gamma (always used for units with signs)
        Magnitudes from a gamma distribution of shape 2. In each row, inhibitory weights are scaled so that they add
        up to as much as the excitatory ones, and the row is scaled to norm 1; then all are scaled to spectral radius g.
    low rank
        :math:`m` and :math:`n` standard normal, :math:`m` times g.

    Input weights are normal with standard deviation :math:`1/\sqrt I` and output weights with :math:`1/\sqrt N`; with
    signs, both are uniform between 0 and 0.1 (Kleinman et al. 2021). Biases are 0, but 1 for the gate that keeps the
    state (the forget gate of ``lstm``).

    Parameters
    ----------
    cell : Cell
        The cell.
    constraints : Constraints
        What its weights keep to.
    seed : int
        Seed of the draw.

    Returns
    -------
    dict of str to Tensor
        ``input``, ``recurrent`` (or ``left`` (N, R) and ``right`` (N, R)), ``bias``, ``output``, ``output_bias``,
        ``initial``, and ``recurrent_bias`` of ``gru``; float32.

    Raises
    ------
    UserError
        If the cell can't keep to the constraints.
    """
    constraints.check(cell)
    n, blocks = cell.units, cell.blocks
    rng = np.random.default_rng([seed, 6])
    signed = constraints.excitatory is not None
    raw = {"input": _projection((blocks * n, cell.inputs), signed, rng)}
    if constraints.rank is not None:
        raw["left"] = cell.gain * rng.standard_normal((n, constraints.rank))
        raw["right"] = rng.standard_normal((n, constraints.rank))
    else:
        raw["recurrent"] = np.concatenate([_recurrent(cell, constraints, rng) for _ in range(blocks)])
    raw["bias"] = np.zeros(blocks * n)
    if cell.gated:
        keeps = {"ugrnn": 0, "gru": 1, "lstm": 1}[cell.kind]
        raw["bias"][keeps * n : (keeps + 1) * n] = 1
    if cell.kind == "gru":
        raw["recurrent_bias"] = np.zeros(n)
    raw["output"] = _projection((cell.outputs, n), signed, rng)
    raw["output_bias"] = np.zeros(cell.outputs)
    raw["initial"] = np.full(cell.state_size, 0 if constraints.initial == "zero" else constraints.initial_value)
    return {name: torch.tensor(values, dtype=torch.float32) for name, values in raw.items()}


def _projection(shape: tuple[int, int], signed: bool, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0, 0.1, shape) if signed else rng.standard_normal(shape) / np.sqrt(shape[1])


def _recurrent(cell: Cell, constraints: Constraints, rng: np.random.Generator) -> np.ndarray:
    """Draw one block (N, N) of recurrent weights; with signs, their magnitudes."""
    n = cell.units
    if cell.initialisation == "orthogonal":
        q, r = np.linalg.qr(rng.standard_normal((n, n)))
        return cell.gain * q * np.sign(np.diag(r))
    if not constraints.masked:
        return cell.gain * rng.standard_normal((n, n)) / np.sqrt(n)
    mask = _masks(constraints, n)["recurrent"].numpy()
    if constraints.excitatory is None:
        weights = rng.standard_normal((n, n)) * np.abs(mask)
    else:
        weights = _balanced(rng.gamma(2.0, 1.0, (n, n)) * np.abs(mask), mask)
    radius = np.abs(np.linalg.eigvals(weights * np.where(mask < 0, -1, 1))).max()
    # Few units without self-connections may have nothing but zero eigenvalues.
    return weights * cell.gain / radius if radius > 1e-6 else weights


def _balanced(weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Let inhibition of a row add up to its excitation, and scale the row to norm 1."""
    inhibitory = mask < 0
    excitation, inhibition = (weights * ~inhibitory).sum(1), (weights * inhibitory).sum(1)
    both = (excitation > 0) & (inhibition > 0)
    ratio = np.divide(excitation, inhibition, out=np.ones(len(weights)), where=both)
    weights = np.where(inhibitory, weights * ratio[:, None], weights)
    norm = np.linalg.norm(weights, axis=1, keepdims=True)
    return weights / np.where(norm > 0, norm, 1)


@lru_cache(maxsize=32)
def _masks(constraints: Constraints, units: int) -> dict[str, Tensor]:
    """Return what weights are multiplied with: ``input`` (N, 1), ``recurrent`` (N, N) with signs, ``output`` (1, N)."""
    area, kind = constraints.units(units)
    excitatory = kind != "inhibitory"
    mask = np.ones((units, units))
    reached, read = np.ones(units), excitatory.astype(float)
    if constraints.areas:
        areas = constraints.areas
        order = np.array([areas.names.index(name) for name in area])
        ahead = order[:, None] - order[None, :]
        # Receiving units are rows; only excitatory ones send to another area, or receive from there.
        pair = excitatory[:, None] & excitatory[None, :]
        probability = np.where(ahead == 0, 1.0, 0.0)
        probability[(ahead == 1) & pair] = areas.feedforward
        probability[(ahead == -1) & pair] = areas.feedback
        probability[(ahead == 1) & ~excitatory[:, None] & excitatory[None, :]] = areas.e_to_i
        mask = (np.random.default_rng([areas.seed, 7]).random((units, units)) < probability).astype(float)
        reached = np.isin(area, areas.inputs_to).astype(float)
        read = read * np.isin(area, areas.outputs_from)
    if not constraints.self_connections:
        np.fill_diagonal(mask, 0)
    if constraints.excitatory is not None:
        mask = mask * np.where(excitatory, 1.0, -1.0)
    kept = {"input": reached[:, None], "recurrent": mask, "output": read[None, :]}
    return {name: torch.tensor(values, dtype=torch.float32) for name, values in kept.items()}
