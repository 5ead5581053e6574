"""States of learning: what a network needs to learn on, and their files."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from neurocompare.digest import code_digest
from neurocompare.errors import UserError
from neurocompare.networks import weights as files
from neurocompare.recurrent import definition as definitions
from neurocompare.recurrent.schedule import Course


@dataclass(eq=False)
class Learner:
    """One network that learns.

    Attributes
    ----------
    seed : int
        Its seed.
    raw : dict of str to Tensor
        Raw parameters.
    moments : dict of str to Tensor
        First (``first/<name>``) and second (``second/<name>``) moments of the gradients in Adam.
    best : dict of str to Tensor
        Raw parameters at the best evaluation; empty before the first.
    best_update : int
        Number of the update of that evaluation.
    checkpoints : dict of int to dict of str to Tensor
        Weights after some updates.
    course : Course
        How far it has come.
    rows : list of dict
        Evaluations.
    """

    seed: int
    raw: dict[str, Tensor]
    moments: dict[str, Tensor] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_update: int = 0
    checkpoints: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    course: Course = field(default_factory=Course)
    rows: list[dict] = field(default_factory=list)


def digest(definition, seeds: list[int]) -> str:
    """Return what a state of learning is bound to.

    Parameters
    ----------
    definition : neurocompare.recurrent.definition.Definition
        What is trained.
    seeds : list of int
        From which seeds.

    Returns
    -------
    str
        SHA-256 of the definition, the seeds, the code that trains and the version of PyTorch.
    """
    code = code_digest(__file__, "neurocompare.recurrent.learning", f"neurocompare.tasks.{definition.task}")
    told = [definitions.to_json(definition), list(seeds), code, torch.__version__]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def save(path: str | Path, learners: list[Learner], identity: str) -> None:
    """Write the states of learning of several networks, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file, ``.safetensors``.
    learners : list of Learner
        The networks.
    identity : str
        From `digest`.
    """
    tensors, notes = {}, []
    for k, learner in enumerate(learners):
        groups = {"raw": learner.raw, "moments": learner.moments, "best": learner.best}
        groups |= {f"checkpoint-{update}": held for update, held in learner.checkpoints.items()}
        for group, held in groups.items():
            tensors |= {f"{k}/{group}/{name}": tensor for name, tensor in held.items()}
        notes.append(
            {
                "seed": learner.seed,
                # Sums over parameters depend on their order in the last digit.
                "order": list(learner.raw),
                "best_update": learner.best_update,
                "course": asdict(learner.course),
                "rows": learner.rows,
            }
        )
    files.save(tensors, path, {"learning": identity, "networks": json.dumps(notes)})


def load(path: str | Path, identity: str) -> list[Learner]:
    """Read what `save` wrote.

    Parameters
    ----------
    path : str or Path
        The file.
    identity : str
        From `digest`, of what is to be trained.

    Returns
    -------
    list of Learner
        The networks.

    Raises
    ------
    UserError
        If it can't be read, or is of something else than `identity`.
    """
    tensors, about = files.load(path)
    if about.get("learning") != identity:
        raise UserError(
            f"{path}: a state of learning of other settings, seeds or code; remove it to start from the beginning"
        )
    learners = []
    for k, note in enumerate(json.loads(about["networks"])):
        groups: dict[str, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            network, group, name = key.split("/", 2)
            if int(network) == k:
                groups.setdefault(group, {})[name] = tensor
        course = Course(**note["course"])
        course.best = tuple(course.best) if course.best else None
        points = {
            int(group.removeprefix("checkpoint-")): held
            for group, held in groups.items()
            if group.startswith("checkpoint-")
        }
        learners.append(
            Learner(
                note["seed"],
                {name: groups["raw"][name] for name in note["order"]},
                groups.get("moments", {}),
                groups.get("best", {}),
                note["best_update"],
                dict(sorted(points.items())),
                course,
                note["rows"],
            )
        )
    return learners
