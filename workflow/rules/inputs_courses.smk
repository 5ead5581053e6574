"""What the rules of comparisons over time take in; no rules here."""

from neurocompare.course_checks import over_time

COURSES = [name for name in RECORDINGS if "course" in CATALOGUE.recording(name)]
OVER_TIME = [name for name, entry in CATALOGUE.networks.items() if over_time(entry)]


def course_recordings(wildcards):
    return [recording_file(member) for member in CATALOGUE.course_members(wildcards.recording)]


def course_options(wildcards):
    course = CATALOGUE.recording(wildcards.recording)["course"]
    return {key: value for key, value in course.items() if key != "of"}


def course_trials(wildcards):
    """What a recurrent network did; nothing for task variables."""
    if "task" not in CATALOGUE.network(wildcards.network):
        return []
    return [f"results/extract/trials/{wildcards.network}/seed-{wildcards.seed}.nc"]


def variables_options(wildcards):
    return CATALOGUE.network(wildcards.network).get("options", {})


def lag_code(wildcards):
    return code("lag_courses", module_of(wildcards.measure))


def study_lags(wildcards):
    study = CATALOGUE.study(wildcards.study)
    jobs = [
        (recording, network, measure)
        for recording in crossed(study)
        for network in study["networks"]
        for measure in study["measures"]
    ]
    return [f"results/lags/{recording}/{network}/{measure}.tsv" for recording, network, measure in jobs]
