"""Pool recordings that were made one after another into one pseudo-population."""

from pathlib import Path

from neurocompare import representation, tables
from neurocompare.errors import check_options
from neurocompare.ingestion import pseudopopulation
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        options = dict(snakemake.params.options)
        check_options(pseudopopulation.pool, options, f"pool '{snakemake.wildcards.recording}'")
        members = [representation.read(path) for path in snakemake.input.recordings]
        names = [Path(path).stem for path in snakemake.input.recordings]
        pooled = pseudopopulation.pool(members, **options, names=names)
        code = tables.code_sha256(snakemake.params.code, *members)
        representation.write(tables.declared(pooled, options, code), snakemake.output.recording)


main(snakemake)
