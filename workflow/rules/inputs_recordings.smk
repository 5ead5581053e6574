"""What the rules for recordings and stimuli take in, in the order of the rules; no rules here."""


def fetched_file(wildcards):
    files = CATALOGUE.files(wildcards.source)
    if wildcards.file not in files:
        raise WorkflowError(str(unknown(f"file of '{wildcards.source}'", wildcards.file, files)))
    return files[wildcards.file]


def fetch_checksum(wildcards):
    return checksum(fetched_file(wildcards))


def fetch_sources(wildcards):
    return fetched_file(wildcards).get("sources", [])


def fetch_about(wildcards):
    """What is shown before a large download."""
    entry = CATALOGUE.recordings.get(wildcards.source, {})
    return {key: entry.get(key, "not stated") for key in ("citation", "license")}


def ingest_files(wildcards):
    entry = CATALOGUE.recording(wildcards.recording)
    return raw(entry["name"], entry["files"])


def ingest_checksums(wildcards):
    return checksums(CATALOGUE.recording(wildcards.recording)["files"])


def ingest_about(wildcards):
    return CATALOGUE.recording(wildcards.recording)["about"]


def ingest_loader(wildcards):
    return CATALOGUE.recording(wildcards.recording)["loader"]


def ingest_options(wildcards):
    return CATALOGUE.recording(wildcards.recording)["options"]


def ingest_code(wildcards):
    return code("ingest", f"neurocompare.recordings.{ingest_loader(wildcards)}")


def simulate_code(wildcards):
    return code("simulate", f"neurocompare.recordings.{ingest_loader(wildcards)}")


def pooled_recordings(wildcards):
    return [f"results/ingest/{member}.nc" for member in CATALOGUE.recording(wildcards.recording)["pool"]["recordings"]]


def pool_options(wildcards):
    pool = CATALOGUE.recording(wildcards.recording)["pool"]
    return {key: value for key, value in pool.items() if key != "recordings"}


def stimuli_sources(wildcards):
    entry = CATALOGUE.stimuli[wildcards.stimuli]
    files = CATALOGUE.files(entry.get("recording", ""))
    return {name: files[name] for name in entry.get("files", files)}


def stimuli_files(wildcards):
    return raw(CATALOGUE.stimuli[wildcards.stimuli].get("recording", ""), stimuli_sources(wildcards))


def stimuli_checksums(wildcards):
    return checksums(stimuli_sources(wildcards))


def stimuli_module(wildcards):
    entry = CATALOGUE.stimuli[wildcards.stimuli]
    if "renderer" in entry:
        return f"neurocompare.stimuli.{entry['renderer']}"
    return f"neurocompare.recordings.{CATALOGUE.recordings[entry['recording']]['loader']}"


def stimuli_options(wildcards):
    return CATALOGUE.stimuli[wildcards.stimuli].get("options", {})


def stimuli_code(wildcards):
    return code("ingest_stimuli", stimuli_module(wildcards))
