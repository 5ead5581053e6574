"""Fetch one raw file from the first source that has it, or check the one that is there."""

import sys
from pathlib import Path

from neurocompare.fetching import fetch
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    limit = snakemake.config.get("largest_download_gb")
    with job(snakemake.log[0]):
        fetch(
            Path(snakemake.output[0]),
            checksum=snakemake.params.checksum,
            sources=snakemake.params.sources,
            about=snakemake.params.about,
            # Not a parameter: another limit makes no file another one.
            limit=int(1e9 * limit) if limit else None,
            log=lambda line: print(line, file=sys.stderr),
        )


main(snakemake)
