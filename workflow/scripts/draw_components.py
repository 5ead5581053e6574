"""Draw demixed and principal components."""

from pathlib import Path

from neurocompare import datasets
from neurocompare.figures import components
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        details = [(Path(path).parent.name, datasets.read(path)) for path in snakemake.input.details]
        components.draw(details, snakemake.output.figure)


main(snakemake)
