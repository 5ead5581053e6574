"""Draw the decoding accuracy of every session."""

from neurocompare import tables
from neurocompare.figures import sessions
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        sessions.draw(tables.read(snakemake.input.descriptions), snakemake.output.figure)


main(snakemake)
