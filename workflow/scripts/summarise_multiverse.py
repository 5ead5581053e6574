"""Look the conclusion of a study up in all its alternatives."""

import sys

import pandas as pd

from neurocompare import multiverse, tables
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        conclusion = dict(snakemake.params.conclusion)
        contrasts = tables.read(snakemake.input.contrasts)
        rows = multiverse.summarise(contrasts, conclusion, dict(snakemake.params.recordings))
        own = {"study": snakemake.wildcards.study, "code_sha256": snakemake.params.code}
        tables.write([own | row for row in rows], ["study", *tables.MULTIVERSE], snakemake.output.table)
        line = f"'{conclusion['network']}' above '{conclusion['above']}' {multiverse.summary(pd.DataFrame(rows))}"
        print(f"{snakemake.wildcards.study}: {line}", file=sys.stderr)


main(snakemake)
