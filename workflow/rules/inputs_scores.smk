"""What summaries of scores take in; no rules here."""


def contrasts_of(study):
    """The table of contrasts of a study, of networks and of the layers of each."""
    found = CATALOGUE.study(study)
    return [f"results/tables/{study}/contrasts.tsv"] if found["measures"] and found["networks"] else []


def summaries_of(study):
    """Tables that a study promises beside those of scores and descriptions."""
    found = CATALOGUE.study(study)
    names = ["warnings"] if found["measures"] and found["networks"] else []
    names += ["multiverse"] if "conclusion" in found else []
    names += ["bounds"] if "bounds" in found else []
    names += [name for name in ("sizes", "lags", "spectra") if name in found["figures"]]
    return contrasts_of(study) + [f"results/tables/{study}/{name}.tsv" for name in names]


def conclusion(wildcards):
    return CATALOGUE.study(wildcards.study).get("conclusion", {})


def study_bounds(wildcards):
    return bound_checks.bounds_of(CATALOGUE, wildcards.study)


def alternatives(wildcards):
    """What decides the content of each recording of a study, not where it comes from."""
    decisive = ("loader", "stimuli", "options", "pool", "course", "allensdk")
    entries = {name: CATALOGUE.recording(name) for name in crossed(CATALOGUE.study(wildcards.study))}
    return {name: {key: entry[key] for key in decisive if key in entry} for name, entry in entries.items()}


def sizes_code(wildcards):
    return code("vary_sizes", module_of(wildcards.measure))


def study_sizes(wildcards):
    found = CATALOGUE.study(wildcards.study)
    jobs = [(r, n, m) for r in crossed(found) for n in found["networks"] for m in found["measures"]]
    return [f"results/sizes/{recording}/{network}/{measure}.tsv" for recording, network, measure in jobs]
