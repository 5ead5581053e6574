"""What the rules of encodings take in; no rules here."""


def encoding_entry(wildcards):
    return CATALOGUE.encodings[wildcards.encoding]


def layers_of(encoding):
    """The bands of an encoding that are layers of networks."""
    return {band: spec for band, spec in CATALOGUE.encodings[encoding]["bands"].items() if spec != "identity"}


def encoding_bands(wildcards):
    return list(layers_of(wildcards.encoding))


def encoding_recording(wildcards):
    return f"results/ingest/{CATALOGUE.encodings[wildcards.encoding]['recording']}.nc"


def encoding_grams(wildcards):
    stimuli = CATALOGUE.recording(CATALOGUE.encodings[wildcards.encoding]["recording"]).get("stimuli")
    seeds = {name: entry["seeds"][0] for name, entry in CATALOGUE.networks.items()}
    return [
        f"results/extract/{stimuli}/{spec['network']}/seed-{spec.get('seed', seeds[spec['network']])}.nc"
        for spec in layers_of(wildcards.encoding).values()
    ]


def study_encodings(wildcards):
    return [f"results/encode/{encoding}.tsv" for encoding in CATALOGUE.study(wildcards.study)["encodings"]]


def encoding_details(wildcards):
    return [f"results/encode/{encoding}.nc" for encoding in CATALOGUE.study(wildcards.study)["encodings"]]
