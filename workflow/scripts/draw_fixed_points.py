"""Draw fixed and slow points of recurrent networks."""

from pathlib import Path

from neurocompare import datasets
from neurocompare.figures import fixed_points
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        # results/describe/<network>-seed=<k>/<description>.nc
        details = [(Path(path).parent.name, datasets.read(path)) for path in snakemake.input.details]
        fixed_points.draw(details, snakemake.output.figure)


main(snakemake)
