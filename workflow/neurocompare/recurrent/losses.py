r"""What learning makes small: errors and penalties, one number for each network.

The first axis of every array is that of K networks: weights (K, …), and, for T steps of B trials, states (K, T, B, S),
rates (K, T, B, N), outputs, targets and masks (K, T, B, O). Every loss is a mean within a network, so that the gradient
of the sum over networks is that of each by itself.
"""

import torch
from torch import Tensor

from neurocompare.recurrent.cells import Cell


def squared_error(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    r"""Compute the mean squared error of the outputs that are scored.

    Parameters
    ----------
    outputs, targets : Tensors of shape (K, T, B, O)
        What the networks say, and what they should.
    mask : Tensor of shape (K, T, B, O)
        Weight of each target; 0 where nothing is asked for, or a trial is over.

    Returns
    -------
    Tensor of shape (K,)
        :math:`\sum m (z - y)^2 / \sum m`.
    """
    total = (mask * (outputs - targets).square()).sum((1, 2, 3))
    return total / mask.sum((1, 2, 3)).clamp_min(torch.finfo(mask.dtype).tiny)


def weight_penalty(weights: dict[str, Tensor]) -> Tensor:
    """Compute the mean square of input, recurrent and output weights, summed over the three.

    Weights that the constraints keep at zero count as elements.

    Parameters
    ----------
    weights : dict of str to Tensor
        Weights of shape (K, rows, columns), as the cell uses them.

    Returns
    -------
    Tensor of shape (K,)
        The sum of three means.
    """
    return sum(weights[name].square().mean((-2, -1)) for name in ("input", "recurrent", "output"))


def rate_penalty(rates: Tensor, valid: Tensor) -> Tensor:
    """Compute the mean square of the rates.

    Parameters
    ----------
    rates : Tensor of shape (K, T, B, N)
        Activity after each step.
    valid : Tensor of shape (K, T, B)
        1 for steps that belong to the trial, 0 for those that fill it up.

    Returns
    -------
    Tensor of shape (K,)
        The mean over units and the steps of all trials.
    """
    return (valid * rates.square().mean(-1)).sum((1, 2)) / valid.sum((1, 2)).clamp_min(1)


def vanishing(cell: Cell, weights: dict[str, Tensor], states: Tensor, drives: Tensor, gradients: Tensor) -> Tensor:
    r"""Compute the regulariser of vanishing gradients Ω of Pascanu, Mikolov & Bengio 2013 (ICML 28:1310, eq. 9).

    .. math:: \Omega = \Big\langle \Big( \frac{\lVert \frac{\partial E}{\partial x_{t+1}}
              \frac{\partial x_{t+1}}{\partial x_t} \rVert}{\lVert \frac{\partial E}{\partial x_{t+1}} \rVert} - 1
              \Big)^2 \Big\rangle

    with norms over the state of a trial, and the mean over trials and times. As in the paper, x and ∂E/∂x are
    constants, and so is all of the step but the recurrent weights: Ω depends on them through ∂x(t+1)/∂x(t) only (its
    "immediate" derivative). For ``rate`` cells, with g = ∂E/∂x(t+1), the vector in the numerator is
    :math:`(1-\alpha) g + \alpha\,\phi'(x_t) \odot W^T g`; here it comes from the step itself, whatever the cell. Times
    at which g is shorter than 1e-5 of the longest one of the network do not count: after the last target, and when a
    trial is over.

    Parameters
    ----------
    cell : Cell
        The kind of cell.
    weights : dict of str to Tensor
        Weights of K networks; Ω can be differentiated by ``recurrent`` (and ``recurrent_bias``).
    states : Tensor of shape (K, T, B, S)
        States x(t) before each step.
    drives : Tensor of shape (K, T, B, g N)
        Projected inputs with noise in each step, from `Cell.drive`.
    gradients : Tensor of shape (K, T, B, S)
        ∂E/∂x(t+1): of the error by the states after each step, through all later ones.

    Returns
    -------
    Tensor of shape (K,)
        Ω of each network.
    """

    def joined(x):
        """Take all steps as trials of one step."""
        return x.detach().flatten(1, 2)

    before = joined(states).requires_grad_()
    after = cell.advance(weights, before, joined(drives))
    gradient = joined(gradients)
    (earlier,) = torch.autograd.grad(after, before, gradient, create_graph=True)
    size = gradient.norm(dim=-1)
    counts = size > 1e-5 * size.amax(-1, keepdim=True)
    # Where nothing is counted the quotient is that of ones, so that no gradient is infinite times zero.
    safe = torch.where(counts, size, 1.0)
    ratio = torch.where(counts, torch.linalg.vector_norm(earlier, dim=-1) / safe, 1.0)
    return (ratio - 1).square().sum(-1) / counts.sum(-1).clamp_min(1)
