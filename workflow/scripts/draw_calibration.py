"""Draw how often tests err and intervals cover, against the size of the recording."""

from neurocompare import tables
from neurocompare.figures import calibration
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        calibration.draw(tables.read(snakemake.input.calibrated), snakemake.output.figure)


main(snakemake)
