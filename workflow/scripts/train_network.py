"""Train a recurrent network on its task from one seed."""

from pathlib import Path

import torch

from neurocompare import tables
from neurocompare.jobs import job
from neurocompare.networks import weights
from neurocompare.recurrent import curves, definition, learning, storage


def main(snakemake):
    """Run the job."""
    torch.set_num_threads(snakemake.threads)
    with job(snakemake.log[0]):
        network, seed = snakemake.wildcards.network, int(snakemake.wildcards.seed)
        entry = definition.of_entry(snakemake.params.network, snakemake.params.task)
        # Not a result: it stays where a run is killed, so that learning goes on from there.
        resume = Path(snakemake.output.weights).with_suffix(".resume")
        (outcome,) = learning.train(entry, [seed], resume=resume, progress=curves.printed)
        metadata = {"training": snakemake.params.network["training"], "seed": str(seed)}
        storage.save(snakemake.output.weights, outcome.weights, entry, metadata)
        weights.save(curves.flat(outcome.checkpoints), snakemake.output.checkpoints, metadata)
        rows = [{"network": network, "seed": seed} | row for row in outcome.rows]
        tables.write(rows, tables.CURVES, snakemake.output.curve)
        resume.unlink(missing_ok=True)


main(snakemake)
