"""Bring what a network does over time into the rows of a course; keep the inner products of its areas."""

from neurocompare import datasets, representation, tables
from neurocompare.courses import trajectories
from neurocompare.errors import check_options
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        network, seed = snakemake.wildcards.network, int(snakemake.wildcards.seed)
        course = representation.read(snakemake.input.course)
        made_of, weights, all_trials = [course], "none", False
        if snakemake.input.trials:
            trials = representation.read(snakemake.input.trials[0])
            made_of.append(trials)
            weights = tables.combined_sha256(trials.attrs["sha256"])
            layers, all_trials = trajectories.of_trials(trials, course, f"network '{network}'")
        else:
            options = dict(snakemake.params.options)
            check_options(trajectories.of_task_variables, options, f"network '{network}'")
            layers = trajectories.of_task_variables(course, **options)
        grams = trajectories.grams(layers, course, f"network '{network}'").assign_coords(seed=seed)
        grams[trajectories.ALL_TRIALS] = int(all_trials)
        code = tables.code_sha256(snakemake.params.code, *made_of)
        identity = {"network": network, "weights_sha256": weights, "code_sha256": code}
        datasets.write(grams.assign_attrs(identity), snakemake.output.grams)


main(snakemake)
