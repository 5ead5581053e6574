"""Draw scores at every pair of times of a recording and a network."""

from neurocompare import tables
from neurocompare.figures import lags
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        lags.draw(tables.read(snakemake.input.table), dict(snakemake.params.titles), snakemake.output.figure)


main(snakemake)
