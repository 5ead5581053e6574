"""Roots of F(x) − x to the last digits of double precision."""

import torch

from neurocompare.dynamics.descent import Step, squared_speed
from neurocompare.dynamics.linear import jacobians


def polish(
    step: Step,
    states: torch.Tensor,
    inputs: torch.Tensor,
    *,
    radius: torch.Tensor | float,
    steps: int = 30,
    tolerance: float = 1e-24,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Solve F(x) = x near states.

    Newton's method, damped in the way of Levenberg and Marquardt: the step solves (AᵀA + μ) d = Aᵀ (F(x) − x) with
    A = I − J and μ = |F(x) − x|², which converges quadratically to single roots and also to lines or planes of them,
    where A is singular (Yamashita & Fukushima 2001, Computing Suppl. 15:239): to a point of them that is near. Steps
    that don't lower q are halved. Each matrix serves for a second step as well, if that lowers q further, with which
    convergence is cubic (Fan 2012, Math. Comput. 81:447).

    Parameters
    ----------
    step : callable
        The map; it takes double precision.
    states : tensor of float64 of shape (…, n, n_states)
        Where to start.
    inputs : tensor of float64 of shape (…, n, n_inputs)
        The constant input of each.
    radius : tensor that broadcasts to (…, n), or float
        States are left where they are once they have gone so far: they were not near to a root.
    steps : int
        How many at most.
    tolerance : float
        A value of q at which a state is left alone.

    Returns
    -------
    states : tensor of float64 of shape (…, n, n_states)
        Where they came to, whether a root is there or not.
    q : tensor of shape (…, n)
        Their q.
    """
    x, q = states.clone(), squared_speed(step, states, inputs)
    radius = torch.as_tensor(radius, dtype=x.dtype).expand_as(q)
    inputs = inputs.expand(*q.shape, inputs.shape[-1])
    active = torch.ones_like(q, dtype=torch.bool)
    for _ in range(steps):
        active &= (q > tolerance) & ((x - states).norm(dim=-1) < radius)
        most = int(active.sum(-1).max()) if active.numel() else 0
        if not most:
            break
        # Of each network those that are not done, and, where others have more, some that are: these stay.
        chosen = torch.argsort(active.to(torch.int8), dim=-1, descending=True, stable=True)[..., :most]
        at, u = _taken(x, chosen), _taken(inputs, chosen)
        before, moves = q.gather(-1, chosen), active.gather(-1, chosen)
        residual = step(at, u).detach() - at
        a = jacobians(step, at, u).neg_()
        a.diagonal(dim1=-2, dim2=-1).add_(1)
        normal = a.mT @ a
        normal.diagonal(dim1=-2, dim2=-1).add_(2 * before[..., None] + 1e-300)
        factors = torch.linalg.lu_factor_ex(normal)[:2]
        move = _solved(factors, a, residual)
        reached, lowest, size = at, before, 1.0
        for _ in range(6):
            trial = at + size * move
            now = squared_speed(step, trial, u)
            better = moves & (lowest == before) & (now < before)
            reached, lowest = torch.where(better[..., None], trial, reached), torch.where(better, now, lowest)
            if bool((lowest < before)[moves].all()):
                break
            size /= 2
        # Once more with the same matrix, which costs little.
        trial = reached + _solved(factors, a, step(reached, u).detach() - reached)
        now = squared_speed(step, trial, u)
        better = moves & (now < lowest)
        reached, lowest = torch.where(better[..., None], trial, reached), torch.where(better, now, lowest)
        x.scatter_(-2, chosen[..., None].expand_as(reached), reached)
        q.scatter_(-1, chosen, lowest)
        # Those that stand still have come to a minimum that is no root, or to the last digit.
        active.scatter_(-1, chosen, moves & (lowest < 0.999 * before))
    return x, q


def _solved(factors: tuple, a: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
    """The step for a residual (…, n_states); none where it is no number."""
    return torch.linalg.lu_solve(*factors, a.mT @ residual[..., None])[..., 0].nan_to_num(0.0, 0.0, 0.0)


def _taken(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Values (…, n, m) at the numbers (…, k) of points."""
    return values.gather(-2, chosen[..., None].expand(*chosen.shape, values.shape[-1]))
