"""Compare the descriptions of a study with the bounds that it declares."""

import sys

from neurocompare import bounds, tables
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        rows = bounds.compared(tables.read(snakemake.input.descriptions), snakemake.params.bounds)
        own = {"study": snakemake.wildcards.study, "code_sha256": snakemake.params.code}
        tables.write([own | row for row in rows], ["study", *bounds.COLUMNS], snakemake.output.table)
        met = sum(row["met"] == "yes" for row in rows)
        print(f"{snakemake.wildcards.study}: {met} of {len(rows)} bounds are met", file=sys.stderr)


main(snakemake)
