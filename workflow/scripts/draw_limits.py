"""Draw what limits the decoding of an angle."""

from pathlib import Path

from neurocompare import datasets, tables
from neurocompare.figures import limits
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        # results/describe/<recording>/<description>.nc
        found = [
            [(Path(path).parent.name, datasets.read(path)) for path in paths]
            for paths in (snakemake.input.limits, snakemake.input.thresholds)
        ]
        descriptions = tables.read(snakemake.input.descriptions)
        limits.draw(descriptions, *found, snakemake.params.planted, snakemake.output.figure)


main(snakemake)
