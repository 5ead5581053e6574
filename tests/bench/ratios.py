"""Ratios of times measured in one run: only these travel from one machine to another."""

import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent


@dataclass
class Ratio:
    """One line of the table.

    Attributes
    ----------
    what : str
        What is measured.
    against : str
        What it is compared with.
    size : str
        Sizes of the problem.
    value : float
        The ratio, or exponent.
    target : str
        What it should be, such as ``≥ 10`` or ``≤ 1.5``; empty where nothing was promised.
    note : str
        What one must know to judge it.
    """

    what: str
    against: str
    size: str
    value: float
    target: str = ""
    note: str = ""

    @property
    def met(self) -> str:
        """Tell whether the target is met."""
        if not self.target:
            return ""
        sign, number = self.target.split()
        reached = self.value >= float(number) if sign == "≥" else self.value <= float(number)
        return "yes" if reached else "NO"


def interleaved(functions: dict, rounds: int) -> tuple[dict[str, float], dict[str, object]]:
    """Time functions in turn, so that all see the same weather, and keep the best time of each.

    Parameters
    ----------
    functions : dict of str to callable
        What to time.
    rounds : int
        How often.

    Returns
    -------
    seconds : dict of str to float
        Shortest times.
    results : dict of str to object
        What each returned.
    """
    seconds, results = {}, {}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            results[name] = function()
            seconds[name] = min(time.perf_counter() - start, seconds.get(name, np.inf))
    return seconds, results


def once(function) -> tuple[float, object]:
    """Time a function that takes long."""
    seconds, results = interleaved({"": function}, 1)
    return seconds[""], results[""]


def extra_bytes(function) -> int:
    """Return how much more memory than before a process holds at most while a function runs."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if status.exists():
        # Linux can forget an earlier peak, such as that of loading libraries.
        reset.write_text("5")
        before = _kilobytes(status, "VmRSS")
        function()
        return 1024 * (_kilobytes(status, "VmHWM") - before)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    function()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def _kilobytes(status: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))


def in_subprocess(module: str, *arguments: object) -> float:
    """Run a module of this folder in a process of its own and return the number it prints."""
    done = subprocess.run(
        [sys.executable, HERE / f"{module}.py", *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def exponent(sizes, seconds) -> float:
    """Fit the power with which time grows."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def table(rows: list[Ratio]) -> str:
    """Write the ratios for reading."""
    head = ("measured", "against", "size", "ratio", "target", "met", "note")
    lines = [head] + [(r.what, r.against, r.size, f"{r.value:.3g}", r.target, r.met, r.note) for r in rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def save(rows: list[Ratio], path: Path) -> None:
    """Write the ratios as a table of tab-separated values."""
    import pandas as pd

    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame([asdict(row) | {"met": row.met} for row in rows]).to_csv(path, sep="\t", index=False)
