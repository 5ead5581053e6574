"""Explain the units of one recording by several bands of features."""

from neurocompare import datasets, encodings, representation, tables
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        recording = representation.read(snakemake.input.recording)
        entry, name = dict(snakemake.params.entry), snakemake.wildcards.encoding
        grams = {
            band: datasets.read(path) for band, path in zip(snakemake.params.bands, snakemake.input.grams, strict=True)
        }
        rows, details = encodings.encode(recording, grams, entry, name=name)
        # The name of an entry says nothing of what is in it.
        own = tables.combined_sha256({"code": snakemake.params.code, "entry": entry})
        code = tables.code_sha256(own, recording, *grams.values())
        datasets.write(details, snakemake.output.details)
        tables.write([row | {"code_sha256": code} for row in rows], tables.ENCODINGS, snakemake.output.table)


main(snakemake)
