"""Compare the networks of a study with one another, on shared resamples."""

from neurocompare import contrasts, datasets, tables
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        draws = [datasets.read(path) for path in snakemake.input.draws]
        rows = [row | {"code_sha256": snakemake.params.code} for row in contrasts.contrast(draws)]
        columns = ["study", *tables.CONTRASTS]
        rows = [row | {"study": snakemake.wildcards.study} for row in rows]
        tables.write(rows, columns, snakemake.output.table)


main(snakemake)
