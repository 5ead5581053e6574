"""Fetch one raw file from the first source that has it, or check the one that is there."""

import sys
from pathlib import Path

from neurocompare.fetching import fetch
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        fetch(
            Path(snakemake.output[0]),
            sha256=snakemake.params.sha256,
            sources=snakemake.params.sources,
            log=lambda line: print(line, file=sys.stderr),
        )


main(snakemake)
