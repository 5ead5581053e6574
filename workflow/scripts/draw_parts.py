"""Draw the parts of a population."""

from neurocompare import datasets, tables
from neurocompare.figures import parts
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        details = datasets.read(snakemake.input.details)
        parts.draw(tables.read(snakemake.input.descriptions), details.isel(region=0), snakemake.output.figure)


main(snakemake)
