"""Simulate recordings of one size and draw conclusions from each."""

from neurocompare import datasets
from neurocompare.calibration import outcomes
from neurocompare.calibration.world import Cell
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        cell, measure = Cell.parse(snakemake.wildcards.cell), snakemake.wildcards.measure
        found = outcomes.outcomes(cell, measure, **snakemake.params.numbers)
        datasets.write(found.assign_attrs(code_sha256=snakemake.params.code), snakemake.output.outcomes)


main(snakemake)
