"""Demixed principal components against the package of Kobak et al. 2016."""

import contextlib
import io

import numpy as np
import pytest
from oracles import oracle

from neurocompare import demixing


@pytest.mark.parametrize("regularizer", [0, 1e-3, 1e-2])
def test_axes_are_those_of_the_published_package(regularizer):
    package = oracle("dPCA.dPCA")
    x = demixing.centred(np.random.default_rng(0).standard_normal((12, 3, 4, 10)))
    join = {"a": ["a", "at"], "b": ["b", "bt"], "ab": ["ab", "abt"]}
    # Its solver is a random one, which iterations make exact.
    model = package.dPCA(labels="abt", join=join, n_components=3, regularizer=regularizer, n_iter=30)
    with contextlib.redirect_stdout(io.StringIO()):
        model.fit(x)
    total = (x**2).sum()
    # Its penalty is a fraction of the sum of squares; that of the paper, and here, of its root.
    found = demixing.fit(x, ("a", "b"), ridge=regularizer * np.sqrt(total), components=3)
    theirs, ours = model._marginalize(x), demixing.marginalisations(x, ("a", "b"))
    for key, name in {"t": "time", "a": "a", "b": "b", "ab": "a×b"}.items():
        np.testing.assert_allclose(ours[name].reshape(12, -1), theirs[key].reshape(12, -1), atol=1e-12)
        axes = found[name]
        np.testing.assert_allclose(axes.encoder @ axes.decoder, model.P[key] @ model.D[key].T, atol=1e-9)
        np.testing.assert_allclose(np.abs(np.sum(axes.encoder * model.P[key], axis=0)), 1, atol=1e-6)
