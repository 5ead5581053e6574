"""Draw which bands of features explain how much."""

from neurocompare import datasets, tables
from neurocompare.figures import partition
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        details = [datasets.read(path) for path in snakemake.input.details]
        partition.draw(tables.read(snakemake.input.encodings), details, snakemake.output.figure)


main(snakemake)
