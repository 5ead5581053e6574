"""Draw the decoding of orientation."""

from neurocompare import tables
from neurocompare.figures import decoding
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        decoding.draw(tables.read(snakemake.input.descriptions), snakemake.output.figure)


main(snakemake)
