"""Describe every region of one recording."""

from neurocompare import datasets, describing, representation, tables
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        recording = representation.read(snakemake.input.recording, with_gaps=True)
        name, description = snakemake.wildcards.recording, snakemake.wildcards.description
        rows, details = describing.describe(recording, description, name=name)
        code = tables.code_sha256(snakemake.params.code, recording)
        rows = [row | {"code_sha256": code} for row in rows]
        datasets.write(details, snakemake.output.details)
        tables.write(rows, tables.DESCRIPTIONS, snakemake.output.table)


main(snakemake)
