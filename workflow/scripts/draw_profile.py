"""Draw the layer profile of a study."""

from neurocompare import tables
from neurocompare.figures import profile
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        scores = tables.read(snakemake.input.scores)
        descriptions = tables.read(snakemake.input.descriptions)
        profile.draw(scores, dict(snakemake.params.titles), snakemake.output.figure, descriptions)


main(snakemake)
