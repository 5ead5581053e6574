"""Collect what should make one careful with the scores of a study."""

from neurocompare import score_warnings, tables
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        rows = score_warnings.fired(tables.read(snakemake.input.scores))
        own = {"study": snakemake.wildcards.study, "code_sha256": snakemake.params.code}
        tables.write([own | row for row in rows], ["study", *tables.WARNINGS], snakemake.output.table)


main(snakemake)
