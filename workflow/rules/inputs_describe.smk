"""What descriptions and their figures take in, in the order of the rules; no rules here."""


def describe_code(wildcards):
    return code("describe", module_of(wildcards.description, DESCRIPTION_PACKAGES))


def described_recording(wildcards):
    return recording_file(wildcards.recording)


def described(wildcards):
    return [f"results/describe/{r}/{d}.tsv" for r, d in CATALOGUE.described(wildcards.study)]


def parts_details(wildcards):
    """Those of the first recording."""
    return details_of(wildcards.study, "nmf")[0]


def phases_details(wildcards):
    """Those of all recordings by the first description."""
    return details_of(wildcards.study, "phases")[: len(CATALOGUE.study(wildcards.study)["recordings"])]


def components_details(wildcards):
    """Demixed components, and then principal ones, of all recordings."""
    return details_of(wildcards.study, "dpca") + details_of(wildcards.study, "pca")


def details_of(study, word):
    """What the descriptions of a study that begin with a word left for drawing; a figure without any is refused."""
    found = CATALOGUE.described(study)
    wanted = [d for d in CATALOGUE.study(study)["descriptions"] if d == word or d.startswith(f"{word}-")]
    return [f"results/describe/{r}/{d}.nc" for d in wanted for r, of in found if of == d]


def psychometrics_details(wildcards):
    return details_of(wildcards.study, "psychometrics")


def trajectories_details(wildcards):
    """Those of the first recording."""
    return details_of(wildcards.study, "trajectories")[0]


def choice_details(wildcards):
    return details_of(wildcards.study, "choice")


def limits_details(wildcards):
    return details_of(wildcards.study, "limits")


def thresholds_details(wildcards):
    return details_of(wildcards.study, "thresholds")


def planted_limits(wildcards):
    """Standard deviations in degrees of the noise that limits simulated recordings, where the catalogue gives them."""
    options = {r: CATALOGUE.recording(r).get("options", {}) for r in CATALOGUE.study(wildcards.study)["recordings"]}
    return {r: float(given["limit_degrees"]) for r, given in options.items() if "limit_degrees" in given}


def sweep_details(wildcards):
    return details_of(wildcards.study, "sweep")


def generalisation_details(wildcards):
    return details_of(wildcards.study, "generalisation")
