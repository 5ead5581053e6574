"""Draw the specification curve of a conclusion."""

from neurocompare import tables
from neurocompare.figures import multiverse
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        multiverse.draw(tables.read(snakemake.input.table), dict(snakemake.params.titles), snakemake.output.figure)


main(snakemake)
