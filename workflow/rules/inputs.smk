"""What the other rules take in, in the order of the rules; no rules here."""


def weights_entry(wildcards):
    """What decides the weights of a network: not where they are published, its title or its other seeds."""
    entry = CATALOGUE.network(wildcards.network)
    return {key: entry[key] for key in ("architecture", "training")} | {"random": entry["weights"] == "random"}


def network_entry(wildcards):
    """What decides, besides its weights, what a network does with stimuli."""
    entry = CATALOGUE.network(wildcards.network)
    return {key: value for key, value in entry.items() if key not in ("title", "seeds", "weights")}


def architecture_module(wildcards):
    return f"neurocompare.networks.{CATALOGUE.network(wildcards.network)['architecture']}"


def load_code(wildcards):
    return code("load_network", architecture_module(wildcards))


def published_weights(wildcards):
    return raw(wildcards.network, CATALOGUE.files(wildcards.network))


def published_checksum(wildcards):
    return checksums(CATALOGUE.files(wildcards.network))


def weights_of(wildcards):
    if CATALOGUE.network(wildcards.network)["weights"] == "none":
        return []
    return [f"results/train/{wildcards.network}/seed-{wildcards.seed}.safetensors"]


def grams_code(wildcards):
    return code("extract_grams", architecture_module(wildcards))


def features_code(wildcards):
    return code("extract_features", architecture_module(wildcards))


def compared_grams(wildcards):
    return grams_of(CATALOGUE.recording(wildcards.recording)["stimuli"], wildcards.network)


def control_grams(wildcards):
    """What a measure controls for: the first seed of the network that its option 'partial' names."""
    # Not `from … import parse`: Snakemake has a function of that name, and rule files share its names.
    network = identifiers.parse(wildcards.measure)[1].get("partial")
    if network is None:
        return []
    if network not in CATALOGUE.networks:
        raise WorkflowError(str(unknown(f"network in measure '{wildcards.measure}'", network, CATALOGUE.networks)))
    return grams_of(CATALOGUE.recording(wildcards.recording)["stimuli"], network)[:1]


def compare_code(wildcards):
    return code("compare", module_of(wildcards.measure))


def study_scores(wildcards):
    study = CATALOGUE.study(wildcards.study)
    return [
        f"results/compare/{r}/{n}/{m}.tsv" for r in crossed(study) for n in study["networks"] for m in study["measures"]
    ]


def study_draws(wildcards):
    return [path.removesuffix(".tsv") + ".nc" for path in study_scores(wildcards)]


def recovery_generators(wildcards):
    entry = CATALOGUE.recoveries[wildcards.recovery]
    return [
        f"results/extract/{entry['stimuli']}/{network}/seed-{CATALOGUE.network(network)['seeds'][0]}/{layer}.nc"
        for network, layer in entry["generators"].items()
    ]


def recovery_candidates(wildcards):
    entry = CATALOGUE.recoveries[wildcards.recovery]
    return [grams_of(entry["stimuli"], network)[0] for network in entry["candidates"]]


def recovery_entry(wildcards):
    return CATALOGUE.recoveries[wildcards.recovery]


def recover_code(wildcards):
    return code("recover", module_of(wildcards.measure))


def study_recoveries(wildcards):
    study = CATALOGUE.study(wildcards.study)
    return [f"results/recover/{r}/{m}.tsv" for r in study["recoveries"] for m in study["measures"]]


def default_tables(wildcards):
    return [f"results/tables/{study}/{wildcards.table}.tsv" for study in config["studies"]]


def figure_options(wildcards):
    """Titles of the networks of a study, in its order."""
    study = CATALOGUE.study(wildcards.study)
    return {name: CATALOGUE.network(name)["title"] for name in study["networks"]}


def first_recording(wildcards):
    return crossed(CATALOGUE.study(wildcards.study))[0]


def rdm_recording(wildcards):
    return f"results/ingest/{first_recording(wildcards)}.nc"


def rdm_stimuli(wildcards):
    return f"results/ingest/stimuli/{CATALOGUE.recording(first_recording(wildcards))['stimuli']}.nc"


def rdm_grams(wildcards):
    stimuli = CATALOGUE.recording(first_recording(wildcards))["stimuli"]
    networks = CATALOGUE.study(wildcards.study)["networks"]
    return [grams_of(stimuli, network)[0] for network in networks]


def recovery_titles(wildcards):
    """Titles of the networks that take part in the recoveries of a study."""
    names = [n for r in CATALOGUE.study(wildcards.study)["recoveries"] for n in CATALOGUE.recoveries[r]["candidates"]]
    return {name: CATALOGUE.network(name)["title"] for name in names}
