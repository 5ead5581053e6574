"""Encoding by single units: every neuron from the unit of a layer that goes with it best.

On the training stimuli the unit with the greatest squared correlation is found for each neuron, and a line is fitted
to it; on the other stimuli the line predicts the neuron. Units are not combined, so unlike linear regression the score
sees the axes of a layer: it tells whether single neurons have single units as counterparts (Li et al. 2016,
arXiv:1511.07543; Arend et al. 2018, bioRxiv 413476). Several neurons may have the same unit, and a unit may go with a
neuron negatively. Choosing among many units costs nothing in bias, as the choice is part of what is fitted.

Layers are represented by a random sample of at most 300 of their units: a neuron's best counterpart may be among the
others, so compare layers with equally many sampled units.
"""

import numpy as np

from neurocompare.prediction.encoding import Encoder, Training

MEASURES = ("onetoone-folds=5",)

_CONSTANT = 1e-10


class OneToOne(Encoder):
    """Every neuron from its best unit; see `Encoder`."""

    word = "onetoone"
    text = "every neuron from the one unit of a layer (of a sample of 300) that goes with it best"
    invariances = "isotropic scale, permutation, translation"
    needs_units = True

    def __init__(self, words: str, options: dict[str, str]):
        super().__init__(words, options)
        self.info["recommended"] = "tens of stimuli: each neuron has a choice of up to 300 units, a sample of a layer"

    def held_out(self, part: Training) -> np.ndarray:
        """See `Encoder.held_out`."""
        return predict(part.features_train, part.features_test, part.responses)


def predict(features: np.ndarray, test: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """Predict each neuron from its best unit.

    Parameters
    ----------
    features : array of shape (n_train, n_features)
        Features of the training stimuli.
    test : array of shape (n_test, n_features)
        Features of the test stimuli.
    responses : array of shape (n_train, n_units)
        Training responses.

    Returns
    -------
    array of shape (n_test, n_units)
        Predictions, as differences from the mean training response; zero where nothing varies.
    """
    mean = features.mean(0)
    centred, targets = features - mean, responses - responses.mean(0)
    norm = np.linalg.norm(centred, axis=0)
    varies = norm > _CONSTANT * np.linalg.norm(features, axis=0)
    if not varies.any():
        return np.zeros((len(test), responses.shape[1]))
    units, of_test = (z[:, varies] / norm[varies] for z in (centred, test - mean))
    products = units.T @ targets
    best = np.abs(products).argmax(0)
    return of_test[:, best] * products[best, np.arange(len(best))]


MEASURE = OneToOne
