"""Draw the confusion matrices of recoveries."""

from neurocompare import tables
from neurocompare.figures import recovery
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        titles = dict(snakemake.params.titles)
        recovery.draw(tables.read(snakemake.input.recoveries), titles, snakemake.output.figure)


main(snakemake)
