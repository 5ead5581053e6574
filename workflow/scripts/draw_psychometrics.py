"""Draw psychometric and chronometric functions."""

from pathlib import Path

from neurocompare import datasets
from neurocompare.figures import psychometrics
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        # results/describe/<recording>/<description>.nc
        details = [(Path(path).parent.name, datasets.read(path)) for path in snakemake.input.details]
        psychometrics.draw(details, snakemake.output.figure, dict(snakemake.params.titles))


main(snakemake)
