"""Draw the accuracies of classifiers."""

from neurocompare import tables
from neurocompare.figures import classification
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        classification.draw(tables.read(snakemake.input.descriptions), snakemake.output.figure)


main(snakemake)
