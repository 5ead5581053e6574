r"""Recurrent cells: one step of time, shared by training, simulation and the analysis of dynamics.

With :math:`\alpha = \mathrm{d}t / \tau`, inputs u, noise :math:`\eta` and nonlinearity :math:`\phi`:

``rate``
    :math:`x \leftarrow (1-\alpha)\,x + \alpha\,(W r + W_\mathrm{in} u + b + \eta)`, with rates
    :math:`r = \phi(x)` (Song, Yang & Wang 2016, PLoS Comput Biol 12:e1004792; Kleinman, Chandrasekaran & Kao 2021,
    NeurIPS).
``vanilla``
    :math:`h \leftarrow (1-\alpha)\,h + \alpha\,\phi(W h + W_\mathrm{in} u + b + \eta)`, with rates h
    (Yang et al. 2019, Nat Neurosci 22:297).
``ugrnn``
    :math:`g = s(W_g h + U_g u + b_g)`, :math:`c = \phi(W_c h + U_c u + b_c + \eta)`,
    :math:`h \leftarrow g\,h + (1-g)\,c`, with s the logistic function (Collins, Sohl-Dickstein & Sussillo 2017, ICLR).
``gru``, ``lstm``
    As `torch.nn.GRUCell` and `torch.nn.LSTMCell`, with noise added to the argument of :math:`\phi` of the candidate.

Gated cells take no time constant: one step is one update, :math:`\alpha = 1`.

The standard deviation of :math:`\eta` in a step is :math:`\sigma\sqrt{2\tau/\mathrm{d}t}` (gated cells:
:math:`\tau = \mathrm{d}t`), so that an isolated linear unit has a stationary standard deviation of
:math:`\sigma/\sqrt{1-\alpha/2}`, nearly the same for every small dt.

Weights are a dict of tensors, in rows of the units that receive:

======================  ===============  ============================================================================
``input``               (g N, I)         g = 1; 2 for ``ugrnn`` (gate, candidate); 3 for ``gru`` (reset, update,
                                         candidate); 4 for ``lstm`` (input, forget, candidate, output)
``recurrent``           (g N, N)
``bias``                (g N,)
``recurrent_bias``      (N,)             ``gru`` only: the bias inside the reset gate
``output``              (O, N)
``output_bias``         (O,)
``initial``             (S,)             state before the first step
======================  ===============  ============================================================================

All of them may have a leading axis of K networks; states are then (…, K, B, S) and inputs (…, K, B, I), or
(…, B, I) where networks share them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neurocompare.errors import UserError, unknown
from neurocompare.ranges import check_ranges

KINDS = {"rate": 1, "vanilla": 1, "ugrnn": 2, "gru": 3, "lstm": 4}
"""The kinds of cell, with the number of blocks of rows in their weights."""

ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "softplus": torch.nn.functional.softplus}

OUTPUTS = {"linear": lambda z: z, "sigmoid": torch.sigmoid}

INITIALISATIONS = ("normal", "orthogonal", "gamma")


@dataclass(frozen=True)
class Cell:
    r"""A kind of cell with its sizes and constants; see the module for its equations.

    Attributes
    ----------
    kind : {"rate", "vanilla", "ugrnn", "gru", "lstm"}
        The equation.
    units, inputs, outputs : int
        Numbers of units N, inputs I and outputs O.
    activation : {"tanh", "relu", "softplus"}
        The nonlinearity; of gated cells, that of the candidate (and of the cell state of ``lstm``).
    dt, time_constant : float
        Step and time constant in s; gated cells ignore the latter.
    noise : float
        :math:`\sigma` of the recurrent noise, in units of the drive.
    output_activation : {"linear", "sigmoid"}
        What outputs go through.
    gain : float
        Scale of the recurrent weights at the start; see `neurocompare.recurrent.constraints.initialise`.
    initialisation : {"normal", "orthogonal", "gamma"}
        How they are drawn; ``gamma`` is the one for excitatory and inhibitory units.

    Raises
    ------
    UserError
        If one of them is out of range.
    """

    kind: str
    units: int
    inputs: int
    outputs: int
    activation: str = "tanh"
    dt: float = 0.02
    time_constant: float = 0.1
    noise: float = 0.0
    output_activation: str = "linear"
    gain: float = 1.0
    initialisation: str = "normal"

    def __post_init__(self):
        chosen = {
            "kind": KINDS,
            "activation": ACTIVATIONS,
            "output_activation": OUTPUTS,
            "initialisation": INITIALISATIONS,
        }
        for name, known in chosen.items():
            if str(getattr(self, name)) not in known:
                raise unknown(f"{name} of a cell", str(getattr(self, name)), known)
        check_ranges(
            "cell",
            sizes={"units": self.units, "inputs": self.inputs, "outputs": self.outputs},
            positive={"dt": self.dt, "time_constant": self.time_constant},
            magnitudes={"noise": self.noise, "gain": self.gain},
        )
        if not self.gated and self.dt > self.time_constant:
            raise UserError(
                f"cell: dt is {self.dt:g} s, longer than the time_constant {self.time_constant:g} s; shorten the step"
            )

    @property
    def gated(self) -> bool:
        """Whether gates, instead of a time constant, set how fast the state changes."""
        return KINDS[self.kind] > 1

    @property
    def blocks(self) -> int:
        """Number of blocks of N rows in the weights."""
        return KINDS[self.kind]

    @property
    def state_size(self) -> int:
        """Size S of the state: N, or 2 N for ``lstm``."""
        return 2 * self.units if self.kind == "lstm" else self.units

    @property
    def alpha(self) -> float:
        """Step over time constant; 1 for gated cells."""
        return 1.0 if self.gated else self.dt / self.time_constant

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights of one network.

        Returns
        -------
        dict of str to tuple of int
            By name, as in the module.
        """
        n, rows = self.units, self.blocks * self.units
        shapes = {"input": (rows, self.inputs), "recurrent": (rows, n), "bias": (rows,)}
        shapes |= {"recurrent_bias": (n,)} if self.kind == "gru" else {}
        return shapes | {"output": (self.outputs, n), "output_bias": (self.outputs,), "initial": (self.state_size,)}

    def noise_per_step(self, noise: float | None = None) -> float:
        r"""Return the standard deviation of :math:`\eta` in a step.

        Parameters
        ----------
        noise : float, optional
            Another :math:`\sigma` than the cell's.

        Returns
        -------
        float
            :math:`\sigma\sqrt{2/\alpha}`.
        """
        return (self.noise if noise is None else noise) * math.sqrt(2 / self.alpha)

    def drive(self, weights: dict[str, Tensor], inputs: Tensor, noise: Tensor | None = None) -> Tensor:
        r"""Project inputs to units, with bias and noise: what of a step does not depend on the state.

        Parameters
        ----------
        weights : dict of str to Tensor
            See the module.
        inputs : Tensor of shape (..., I)
            Inputs of one step, or of many.
        noise : Tensor of shape (..., N), optional
            :math:`\eta`, with the standard deviation `noise_per_step`.

        Returns
        -------
        Tensor of shape (..., g N)
            To be given to `advance`.
        """
        return self._noisy(_affine(weights["input"], inputs, _row(weights["bias"])), noise)

    def advance(self, weights: dict[str, Tensor], state: Tensor, drive: Tensor, noise: Tensor | None = None) -> Tensor:
        """Take one step, given the projected inputs.

        Parameters
        ----------
        weights : dict of str to Tensor
            See the module.
        state : Tensor of shape (..., S)
            The state before the step.
        drive : Tensor of shape (..., g N)
            From `drive`.
        noise : Tensor of shape (..., N), optional
            As for `drive`, where it was not given there.

        Returns
        -------
        Tensor of shape (..., S)
            The state after the step.
        """
        drive = self._noisy(drive, noise)
        phi, recurrent = ACTIVATIONS[self.activation], weights["recurrent"]
        # state + α (target - state): one operation instead of three.
        if self.kind == "rate":
            return torch.lerp(state, _affine(recurrent, phi(state), drive), self.alpha)
        if self.kind == "vanilla":
            return torch.lerp(state, phi(_affine(recurrent, state, drive)), self.alpha)
        hidden = state[..., : self.units]
        if self.kind == "ugrnn":
            gate, candidate = _affine(recurrent, hidden, drive).chunk(2, -1)
            return torch.lerp(phi(candidate), hidden, torch.sigmoid(gate))
        if self.kind == "gru":
            gates = 2 * self.units
            own = hidden @ recurrent.mT
            reset, update = torch.sigmoid(drive[..., :gates] + own[..., :gates]).chunk(2, -1)
            inner = own[..., gates:] + _row(weights["recurrent_bias"])
            return torch.lerp(phi(drive[..., gates:] + reset * inner), hidden, update)
        admit, forget, candidate, emit = _affine(recurrent, hidden, drive).chunk(4, -1)
        memory = torch.sigmoid(forget) * state[..., self.units :] + torch.sigmoid(admit) * phi(candidate)
        return torch.cat([torch.sigmoid(emit) * phi(memory), memory], -1)

    def step(self, weights: dict[str, Tensor], state: Tensor, inputs: Tensor, noise: Tensor | None = None) -> Tensor:
        r"""Take one step.

        Parameters
        ----------
        weights : dict of str to Tensor
            See the module.
        state : Tensor of shape (..., S)
            The state before the step.
        inputs : Tensor of shape (..., I)
            Inputs in the step.
        noise : Tensor of shape (..., N), optional
            :math:`\eta`, with the standard deviation `noise_per_step`.

        Returns
        -------
        Tensor of shape (..., S)
            The state after the step.
        """
        return self.advance(weights, state, self.drive(weights, inputs, noise))

    def rates(self, state: Tensor) -> Tensor:
        """Return the activity of the units in a state.

        Parameters
        ----------
        state : Tensor of shape (..., S)
            States.

        Returns
        -------
        Tensor of shape (..., N)
            Rates, without dimension.
        """
        return ACTIVATIONS[self.activation](state) if self.kind == "rate" else state[..., : self.units]

    def readout(self, weights: dict[str, Tensor], rates: Tensor) -> Tensor:
        """Return the outputs for given rates.

        Parameters
        ----------
        weights : dict of str to Tensor
            See the module.
        rates : Tensor of shape (..., N)
            From `rates`.

        Returns
        -------
        Tensor of shape (..., O)
            Outputs.
        """
        outputs = _affine(weights["output"], rates, _row(weights["output_bias"]))
        return OUTPUTS[self.output_activation](outputs)

    def map(self, weights: dict[str, Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the step without noise as a function of state and inputs, for the analysis of dynamics.

        Parameters
        ----------
        weights : dict of str to Tensor
            See the module.

        Returns
        -------
        callable
            From a state (…, S) and inputs (…, I) to the next state (…, S).
        """
        return lambda state, inputs: self.step(weights, state, inputs)

    def _noisy(self, drive: Tensor, noise: Tensor | None) -> Tensor:
        """Add noise to the drive; the gates have none."""
        if noise is None or not self.gated:
            return drive if noise is None else drive + noise
        before = 1 if self.kind == "ugrnn" else 2
        return drive + torch.nn.functional.pad(noise, (before * self.units, (self.blocks - before - 1) * self.units))


def _affine(weight: Tensor, x: Tensor, offset: Tensor) -> Tensor:
    """Multiply x (..., n) by the transpose of (m, n) or (K, m, n), and add an offset; fused where shapes allow."""
    if weight.ndim == 2 and x.ndim == 2 and offset.ndim < 3:
        return torch.addmm(offset, x, weight.mT)
    if weight.ndim == 3 and x.ndim == 3 and offset.ndim == 3 and len(x) == len(weight):
        return torch.baddbmm(offset, x, weight.mT)
    if weight.ndim > 2 and x.ndim == 1:
        x = x.unsqueeze(0)
    return x @ weight.mT + offset


def _row(bias: Tensor) -> Tensor:
    """Let biases (K, n) of networks broadcast along trials."""
    return bias.unsqueeze(-2) if bias.ndim > 1 else bias
