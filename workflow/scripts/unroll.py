"""Unroll recordings into rows of condition × time, which networks with time are compared with."""

from pathlib import Path

from neurocompare import representation, tables
from neurocompare.courses import unrolling
from neurocompare.errors import check_options
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        options, name = dict(snakemake.params.options), snakemake.wildcards.recording
        check_options(unrolling.unroll, options, f"course '{name}'")
        members = [representation.read(path) for path in snakemake.input.recordings]
        names = [Path(path).stem for path in snakemake.input.recordings]
        course = unrolling.unroll(members, **options, names=names, name=name)
        code = tables.code_sha256(snakemake.params.code, *members)
        representation.write(tables.declared(course, options, code), snakemake.output.recording)


main(snakemake)
