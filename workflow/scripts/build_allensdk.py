"""Build the environment of the Allen SDK."""

import sys
from pathlib import Path

from neurocompare import environments
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        freeze = Path(snakemake.output[0])
        environments.build(
            freeze.with_suffix(""),
            freeze,
            requirements=environments.PROGRAMS / "requirements.txt",
            log=lambda line: print(line, file=sys.stderr),
        )


main(snakemake)
