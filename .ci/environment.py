"""Write environment.yml, conda users' way to the same packages, from the pins on standard input."""

import sys
from pathlib import Path

HEAD = """\
# Written by `make lock` from requirements.lock; do not edit. Use it from the top folder:
#   conda env create --file environment.yml && conda activate neurocompare && snakemake --cores 4
name: neurocompare
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11
  - pip
  - pip:
"""

top = Path(__file__).resolve().parent.parent
pins = [line for line in sys.stdin.read().splitlines() if line and not line.startswith("#")]
if not pins:
    sys.exit("neurocompare: no pins were given; environment.yml stays as it is")
(top / "environment.yml").write_text(HEAD + "".join(f"      - {pin}\n" for pin in pins))
