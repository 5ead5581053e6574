"""Draw parts of populations over the phases of a task."""

from pathlib import Path

from neurocompare import datasets, tables
from neurocompare.figures import phases
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        details = [(Path(path).parent.name, datasets.read(path)) for path in snakemake.input.details]
        phases.draw(tables.read(snakemake.input.descriptions), details, snakemake.output.figure)


main(snakemake)
