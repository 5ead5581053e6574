"""Draw the RDMs of a recording and of the best layer of each network."""

from neurocompare import datasets, representation, tables
from neurocompare.figures import matrices, rdms
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        titles = dict(snakemake.params.titles)
        grams = dict(zip(titles, map(datasets.read, snakemake.input.grams), strict=True))
        recording = representation.read(snakemake.input.recording)
        stimuli, found = matrices.chosen(tables.read(snakemake.input.scores), recording, grams, titles)
        images = datasets.read(snakemake.input.stimuli)["image"]
        rdms.draw(found, matrices.categories(images, stimuli), snakemake.output.figure)


main(snakemake)
