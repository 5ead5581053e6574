"""Draw distances between the spectra of linearised networks."""

from neurocompare import tables
from neurocompare.figures import spectra
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        table = tables.read(snakemake.input.table)
        spectra.draw(table, dict(snakemake.params.titles), snakemake.output.figure)


main(snakemake)
