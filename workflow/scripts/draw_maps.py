"""Draw scores of units against where they are."""

from neurocompare import datasets, tables
from neurocompare.figures import maps
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        details = [datasets.read(path) for path in snakemake.input.details]
        maps.draw(tables.read(snakemake.input.encodings), details, snakemake.output.figure)


main(snakemake)
