"""Summarise simulated conclusions: how often tests err, intervals cover and differences are found."""

from neurocompare import datasets, tables
from neurocompare.calibration import summary
from neurocompare.calibration.world import Cell
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        found = [datasets.read(path) for path in snakemake.input.outcomes]
        design = snakemake.params.design
        calibrated, powers = summary.tables(found, Cell(**design["base"]), design["levels"])
        tables.write(calibrated, summary.COLUMNS, snakemake.output.calibrated)
        tables.write(powers, summary.POWER_COLUMNS, snakemake.output.powers)


main(snakemake)
