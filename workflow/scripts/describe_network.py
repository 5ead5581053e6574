"""Describe a recurrent network: its weights and its dynamics."""

import torch

from neurocompare import datasets, describing, representation, tables
from neurocompare.jobs import job
from neurocompare.recurrent import storage


def main(snakemake):
    """Run the job."""
    torch.set_num_threads(snakemake.threads)
    with job(snakemake.log[0]):
        trained = storage.load(snakemake.input.weights)
        trials = representation.read(snakemake.input.recording)
        name, description = snakemake.wildcards.recording, snakemake.wildcards.description
        rows, details = describing.describe_network(trained, trials, description, name=name)
        code = tables.code_sha256(snakemake.params.code, trials)
        rows = [row | {"code_sha256": code} for row in rows]
        datasets.write(details, snakemake.output.details)
        tables.write(rows, tables.DESCRIPTIONS, snakemake.output.table)


main(snakemake)
