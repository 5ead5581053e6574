"""Single trials of one representation: their means, halves that share no trial, and folds.

Whole blocks stay together wherever they can: trials of a block share slow fluctuations, which would pass
for a signal if they were on both sides.
"""

import itertools
import zlib
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError

SPLITS = 20
"""Random halves of the trials, over which ceilings and corrections are averaged."""


@dataclass(frozen=True, eq=False)
class Trials:
    """Single trials of one representation.

    Attributes
    ----------
    values : array of shape (n_trials, n_units)
        Responses, in the order in which they were recorded.
    stimulus : array of int of shape (n_trials,)
        Which stimulus was shown, 0 … n_stimuli − 1.
    block : array of int of shape (n_trials,)
        The run, session or stretch that a fold must not split.
    n_stimuli : int
        Number of stimuli; each has at least one trial.
    """

    values: np.ndarray
    stimulus: np.ndarray
    block: np.ndarray
    n_stimuli: int

    @classmethod
    def of_repeats(cls, x: np.ndarray) -> "Trials":
        """Take every repeat as a block.

        Parameters
        ----------
        x : array of shape (n_repeats, n_stimuli, n_units)
            Responses.

        Returns
        -------
        Trials
            Repeat by repeat.
        """
        repeats, n, p = x.shape
        return cls(x.reshape(-1, p), np.tile(np.arange(n), repeats), np.repeat(np.arange(repeats), n), n)

    def counts(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """Count the trials of every stimulus.

        Parameters
        ----------
        chosen : array of bool of shape (n_trials,), optional
            The trials to count; all by default.

        Returns
        -------
        array of int of shape (n_stimuli,)
            Numbers of trials.
        """
        shown = self.stimulus if chosen is None else self.stimulus[chosen]
        return np.bincount(shown, minlength=self.n_stimuli)

    def repeated(self, times: int = 2) -> bool:
        """Tell whether every stimulus has so many trials.

        Parameters
        ----------
        times : int
            How many.

        Returns
        -------
        bool
            True where none has fewer.
        """
        return bool(self.counts().min() >= times)

    def mean(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """Average responses over the trials of each stimulus.

        Parameters
        ----------
        chosen : array of bool of shape (n_trials,), optional
            The trials to use; all by default.

        Returns
        -------
        array of shape (n_stimuli, n_units)
            Mean responses.

        Raises
        ------
        UserError
            If a stimulus has no trial.
        """
        counts = self.counts(chosen)
        if counts.min() == 0:
            raise UserError(f"stimulus {counts.argmin()} has no trial to average")
        shown, values = (self.stimulus, self.values) if chosen is None else (self.stimulus[chosen], self.values[chosen])
        # One column per trial with its share: a product of matrices is far quicker than adding row by row.
        share = np.zeros((self.n_stimuli, len(shown)))
        share[shown, np.arange(len(shown))] = 1 / counts[shown]
        return share @ values

    def part(self, chosen: np.ndarray) -> "Trials":
        """Keep some trials.

        Parameters
        ----------
        chosen : array of bool of shape (n_trials,)
            The trials to keep.

        Returns
        -------
        Trials
            Of the same stimuli.
        """
        return Trials(self.values[chosen], self.stimulus[chosen], self.block[chosen], self.n_stimuli)

    def take(self, index: np.ndarray) -> "Trials":
        """Keep some stimuli, or put them in another order.

        Parameters
        ----------
        index : array of int of shape (n_kept,)
            Which stimuli, without repetition.

        Returns
        -------
        Trials
            Their trials, in the order in which they were recorded.
        """
        place = np.full(self.n_stimuli, -1)
        place[index] = np.arange(len(index))
        kept = place[self.stimulus] >= 0
        return Trials(self.values[kept], place[self.stimulus[kept]], self.block[kept], len(index))

    def with_values(self, values: np.ndarray) -> "Trials":
        """Replace the responses.

        Parameters
        ----------
        values : array of shape (n_trials, n_other_units)
            Responses of these or of other units.

        Returns
        -------
        Trials
            With the same stimuli and blocks.
        """
        return Trials(values, self.stimulus, self.block, self.n_stimuli)

    def folds(self) -> np.ndarray:
        """Number the folds of a cross-validation over trials.

        Returns
        -------
        array of int of shape (n_trials,)
            Blocks where every stimulus is in at least two of them; else the repeats of each stimulus.
        """
        labels, fold = np.unique(self.block, return_inverse=True)
        present = np.zeros((self.n_stimuli, len(labels)), dtype=bool)
        present[self.stimulus, fold] = True
        if present.sum(1).min() >= 2:
            return fold
        repeat = np.empty(len(self.stimulus), dtype=int)
        for k in range(self.n_stimuli):
            mine = self.stimulus == k
            repeat[mine] = np.arange(mine.sum())
        return repeat

    def halves(self, splits: int = SPLITS, *, chronological: bool = False) -> list[tuple[np.ndarray, np.ndarray]]:
        """Choose halves of the trials that share no trial.

        Whole blocks go to one half wherever every stimulus then stays in both halves; otherwise the trials
        of each stimulus are halved by themselves. Halves are of equal size: of an odd number, another
        block or trial is left out in each split.

        Parameters
        ----------
        splits : int
            At most this many different splits.
        chronological : bool
            One split only, into what came first and what came last: slow changes, which random halves
            share, are then between the halves.

        Returns
        -------
        list of tuple of two arrays of bool of shape (n_trials,)
            The halves; empty where a stimulus has a single trial.
        """
        if not self.repeated():
            return []
        seed = [zlib.crc32(b"halves"), len(self.values)]
        return self._block_halves(splits, seed, chronological) or self._trial_halves(splits, seed, chronological)

    def _block_halves(self, splits, seed, chronological):
        labels = np.unique(self.block)
        half = len(labels) // 2
        if half < 1:
            return []
        rng = np.random.default_rng(seed)
        if chronological:
            groups = [(labels[:half], labels[-half:])]
        elif len(labels) <= 12:
            firsts = itertools.combinations(labels, half)
            groups = [(a, b) for a in firsts for b in itertools.combinations(np.setdiff1d(labels, a), half) if a < b]
            groups = [groups[k] for k in rng.permutation(len(groups))[:splits]]
        else:
            orders = [rng.permutation(labels) for _ in range(splits)]
            groups = [(order[:half], order[half : 2 * half]) for order in orders]
        chosen = [tuple(np.isin(self.block, group) for group in pair) for pair in groups]
        return chosen if all(self.counts(side).min() > 0 for pair in chosen for side in pair) else []

    def _trial_halves(self, splits, seed, chronological):
        rng = np.random.default_rng([*seed, 1])
        chosen = []
        for _ in range(1 if chronological else splits):
            order = np.arange(len(self.values)) if chronological else rng.permutation(len(self.values))
            pair = np.zeros((2, len(self.values)), dtype=bool)
            for k in range(self.n_stimuli):
                mine = order[self.stimulus[order] == k]
                half = len(mine) // 2
                pair[0, mine[:half]] = pair[1, mine[len(mine) - half :] if chronological else mine[half : 2 * half]] = (
                    True
                )
            chosen.append(tuple(pair))
        return chosen
