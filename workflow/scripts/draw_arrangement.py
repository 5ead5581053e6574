"""Draw stimuli arranged by their dissimilarities."""

from neurocompare import datasets, representation, tables
from neurocompare.figures import arrangement, matrices
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        titles = dict(snakemake.params.titles)
        grams = dict(zip(titles, map(datasets.read, snakemake.input.grams), strict=True))
        recording = representation.read(snakemake.input.recording)
        stimuli, found = matrices.chosen(tables.read(snakemake.input.scores), recording, grams, titles)
        images = datasets.read(snakemake.input.stimuli)["image"]
        shown = images.sel(stimulus=stimuli)
        arrangement.draw(found, shown, matrices.categories(images, stimuli), snakemake.output.figure)


main(snakemake)
