"""Load the published weights of a recurrent network, or draw those of one that has learnt nothing."""

from pathlib import Path

from neurocompare import locks
from neurocompare.jobs import job
from neurocompare.recurrent import definition, published, storage


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        entry, task, seed = snakemake.params.network, snakemake.params.task, int(snakemake.wildcards.seed)
        metadata = {"training": entry["training"], "seed": str(seed)}
        network = definition.of_entry(entry, task)
        if "format" not in entry:
            storage.save(snakemake.output.weights, storage.untrained(network, seed), network, metadata)
            return
        paths = [Path(path) for path in snakemake.input.files]
        files, _ = locks.verified(paths, {path.name: snakemake.params.sha256[path.name] for path in paths})
        found = published.load(entry["format"], next(iter(files.values())), network)
        kinds = {"area": found.area, "cell_type": found.cell_type}
        storage.save(snakemake.output.weights, found.weights, network, metadata, **kinds)


main(snakemake)
