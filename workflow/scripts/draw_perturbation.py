"""Draw what pulses and lesions do to recurrent networks."""

from pathlib import Path

from neurocompare import datasets
from neurocompare.figures import perturbation
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        # results/describe/<network>-seed=<k>/<description>.nc
        details = [(Path(path).parent.name, datasets.read(path)) for path in snakemake.input.details]
        perturbation.draw(details, snakemake.output.figure)


main(snakemake)
