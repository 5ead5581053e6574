"""Draw layers by measures, in units of the noise ceiling."""

from neurocompare import tables
from neurocompare.figures import heatmap
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        heatmap.draw(tables.read(snakemake.input.scores), dict(snakemake.params.titles), snakemake.output.figure)


main(snakemake)
