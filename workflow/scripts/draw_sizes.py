"""Draw scores against the number of units and of stimuli."""

from neurocompare import tables
from neurocompare.figures import sizes
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        sizes.draw(tables.read(snakemake.input.table), dict(snakemake.params.titles), snakemake.output.figure)


main(snakemake)
