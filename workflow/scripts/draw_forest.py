"""Draw networks and their best layers with intervals."""

from neurocompare import tables
from neurocompare.figures import forest
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        forest.draw(tables.read(snakemake.input.scores), dict(snakemake.params.titles), snakemake.output.figure)


main(snakemake)
