"""Export what the Allen SDK reads from its files into one plain HDF5 file."""

import json
import sys
from pathlib import Path

from neurocompare import allensdk
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        path = Path(snakemake.input.experiments)
        allensdk.export(
            Path(snakemake.input.environment).with_suffix(""),
            path.parents[1],
            json.loads(path.read_text(encoding="utf-8")),
            dict(snakemake.params.request),
            Path(snakemake.output.export),
            log=lambda line: print(line, file=sys.stderr),
        )


main(snakemake)
