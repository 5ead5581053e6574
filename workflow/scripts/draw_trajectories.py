"""Draw trajectories of two choices by bins of the reaction time."""

from neurocompare import datasets
from neurocompare.figures import trajectories
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        trajectories.draw(datasets.read(snakemake.input.details), snakemake.output.figure)


main(snakemake)
