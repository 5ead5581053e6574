"""Draw choice probabilities."""

from pathlib import Path

from neurocompare import datasets
from neurocompare.figures import choice
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        # results/describe/<recording>/<description>.nc
        details = [(Path(path).stem, datasets.read(path)) for path in snakemake.input.details]
        choice.draw(details, snakemake.output.figure)


main(snakemake)
