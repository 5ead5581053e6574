"""Write environment.yml, conda users' way to the same packages, from requirements.lock."""

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
lock = (top / "requirements.lock").read_text().splitlines()
pins = [line for line in lock if line and not line.startswith("#")]
(top / "environment.yml").write_text(HEAD + "".join(f"      - {pin}\n" for pin in pins))
