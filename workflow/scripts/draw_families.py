"""Draw the agreement of measures."""

from neurocompare import tables
from neurocompare.figures import families
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        families.draw(tables.read(snakemake.input.scores), dict(snakemake.params.titles), snakemake.output.figure)


main(snakemake)
