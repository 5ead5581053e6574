"""What the rules for the Allen Institute's recordings take in, in the order of the rules; no rules here."""

import hashlib

ALLENSDK = [name for name, entry in CATALOGUE.recordings.items() if "allensdk" in entry]


@functools.cache
def allensdk_digest(*names):
    """The digest of files that are used inside the environment of the SDK."""
    digest = hashlib.sha256()
    for name in names:
        content = (WORKFLOW / "allensdk" / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def allensdk_selection(wildcards):
    """Which experiments are fetched, and whether with their events."""
    entry = CATALOGUE.recording(wildcards.source)
    options = entry["options"]
    found = {key: options[key] for key in ("stimulus",) if "select" in entry["allensdk"] and key in options}
    return found | {"events": options.get("response") == "events"} | entry["allensdk"]


def allensdk_wanted(wildcards):
    """What of the experiments is exported: other options, such as a window, are the loader's."""
    entry = CATALOGUE.recording(wildcards.recording)
    options = {"response": "dff"} | entry["options"]
    return {"product": entry["allensdk"]["product"]} | {key: options.get(key) for key in ("stimulus", "response")}


def allensdk_code(wildcards):
    return code("ingest_allensdk", f"neurocompare.recordings.{ingest_loader(wildcards)}")


def stimuli_export(wildcards):
    """The export that holds the images, if the recording has one: no raw file, so without a checksum."""
    recording = CATALOGUE.stimuli[wildcards.stimuli].get("recording")
    return [f"results/export/{recording}.h5"] if recording in ALLENSDK else []
