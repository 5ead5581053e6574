"""Inferior temporal cortex of monkey and human for 92 object images (Kriegeskorte et al. 2008).

Published are representational dissimilarity matrices (1 - Pearson correlation of response patterns), not
responses: one of the monkey, pooled over 674 neurons that were recorded one after another, and one for each
of two fMRI sessions in four human subjects. Human subjects saw the images that the monkeys saw.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion import inputs

PAPER_FILE = "Kriegeskorte_Neuron2008_supplementalData.mat"
HUMAN_FILE = "92_brainRDMs.mat"
MONKEY, HUMAN_MEAN = "mIT_674neurons", "hITvisStim_316vx"
N_IMAGES = 92


def ingest(files: Mapping[str, Path], *, about: dict[str, object]) -> xr.DataArray:
    """Read the nine dissimilarity matrices.

    The two files come from different hands, so their order of images is checked: the mean of the eight human
    matrices has to rank the pairs of images like the human matrix of the paper's own file.

    Parameters
    ----------
    files : mapping of str to Path
        `PAPER_FILE` and `HUMAN_FILE`.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.

    Returns
    -------
    DataArray of shape (9, 92, 92)
        The monkey (``area`` "monkey IT", ``animal`` "monkey", ``session`` "674 neurons"), then the human
        subjects (``area`` "human IT", ``session`` "1" or "2"). Along ``stimulus`` also ``category`` and, as
        0 or 1, ``human``, ``face``, ``animate`` (the file's ``animal``) and ``natural``.

    Raises
    ------
    UserError
        If a file is missing, unreadable or another one, or if the orders of images differ.
    """
    paper, brains = inputs.given(files, PAPER_FILE), inputs.given(files, HUMAN_FILE)
    (published,) = inputs.mat(paper, "RDMs_mIT_hIT_fig1")
    by_name = {}
    for struct in np.atleast_1d(published):
        name, condensed = inputs.fields(struct, "name", "RDM", path=paper)
        by_name[name] = np.asarray(condensed, dtype=float)
    for name in (MONKEY, HUMAN_MEAN):
        if name not in by_name or by_name[name].shape != (N_IMAGES * (N_IMAGES - 1) // 2,):
            raise UserError(f"{paper}: the matrix '{name}' of {N_IMAGES} images is missing; this is another file")

    matrices, animals, sessions = [squareform(by_name[MONKEY])], ["monkey"], ["674 neurons"]
    (subjects,) = inputs.mat(brains, "RDMs")
    for struct in np.ravel(subjects):
        name, matrix = inputs.fields(struct, "name", "RDM", path=brains)
        parts = [part.strip() for part in str(name).split("|")]
        if len(parts) != 3 or np.shape(matrix) != (N_IMAGES, N_IMAGES):
            raise UserError(f"{brains}: expected 'hIT | subject | Session: n' of {N_IMAGES} images, found '{name}'")
        matrices.append(np.asarray(matrix, dtype=float))
        animals.append(parts[1])
        sessions.append(parts[2].removeprefix("Session:").strip())

    matrices = np.stack(matrices)
    upper = np.triu_indices(N_IMAGES, 1)
    agreement = spearmanr(matrices[1:].mean(axis=0)[upper], by_name[HUMAN_MEAN]).statistic
    if not agreement >= 0.999:
        raise UserError(
            f"{brains}: the mean human matrix disagrees with '{HUMAN_MEAN}' in {paper} (Spearman {agreement:.3f}, "
            "expected 1.000); the images are in another order, fetch both files again"
        )
    stimulus, labels = _images(files)
    array = representation.dissimilarities(
        matrices,
        stimulus=stimulus,
        rdm={
            "area": np.array(["monkey IT"] + ["human IT"] * (len(matrices) - 1)),
            "animal": np.array(animals),
            "session": np.array(sessions),
            # The number of neurons, and of voxels (chosen for the strength of their visual response).
            "n_units": np.array([674] + [316] * (len(matrices) - 1)),
        },
        attributes=about | {"distance": "correlation", "exchangeable": "stimulus", "simultaneous": False},
    )
    return array.assign_coords({name: ("stimulus", values) for name, values in labels.items()})


def stimuli(files: Mapping[str, Path]) -> xr.DataArray:
    """Read the 92 colour images: isolated objects on grey.

    Parameters
    ----------
    files : mapping of str to Path
        `PAPER_FILE`.

    Returns
    -------
    DataArray of shape (92, 175, 175, 3)
        uint8, RGB, dims (stimulus, y, x, channel), in the order of the matrices. Along ``stimulus`` also
        ``category`` and, as 0 or 1, ``human``, ``face``, ``animate`` and ``natural``.

    Raises
    ------
    UserError
        If the file is missing, unreadable or another one.
    """
    stimulus, labels = _images(files)
    path = inputs.given(files, PAPER_FILE)
    (structs,) = inputs.mat(path, "stimuli_92objs")
    images = [inputs.fields(struct, "image", path=path)[0] for struct in structs]
    if any(image.dtype != np.uint8 or image.shape != images[0].shape or image.ndim != 3 for image in images):
        raise UserError(f"{path}: the images are not colour images of 8 bits and of one size; this is another file")
    coords = {name: ("stimulus", values) for name, values in labels.items()} | {"stimulus": stimulus}
    return xr.DataArray(np.stack(images), dims=("stimulus", "y", "x", "channel"), coords=coords)


def _images(files: Mapping[str, Path]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the ids of the images and what the authors say of each."""
    path = inputs.given(files, PAPER_FILE)
    (structs,) = inputs.mat(path, "stimuli_92objs")
    structs = np.atleast_1d(structs)
    if len(structs) != N_IMAGES:
        raise UserError(f"{path}: holds {len(structs)} images instead of {N_IMAGES}; this is another file")
    flags = ("human", "face", "animal", "natural")
    rows = [inputs.fields(struct, "category", *flags, path=path) for struct in structs]
    about = {"category": np.array([str(row[0]) for row in rows])}
    about |= {flag: np.array([int(row[i]) for row in rows]) for i, flag in enumerate(flags, start=1)}
    # `animal` says in every representation whose brain it is.
    about["animate"] = about.pop("animal")
    ids = [f"{i:02d}-{category.replace(' ', '-')}" for i, category in enumerate(about["category"], start=1)]
    return np.array(ids), about
