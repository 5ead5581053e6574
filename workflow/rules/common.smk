"""Functions for the rules; no rules here."""

import functools
import re
import sys
from pathlib import Path

from neurocompare import bound_checks, catalogue, identifiers, yamlfiles
from neurocompare.digest import code_digest
from neurocompare.errors import UserError, unknown
from neurocompare.identifiers import DESCRIPTION_PACKAGES, PACKAGE, module_of

WORKFLOW = Path(catalogue.__file__).parents[1]
SCRIPTS = WORKFLOW / "scripts"


def loaded():
    """The catalogues and studies; a mistake in them ends the run with one line."""
    try:
        yamlfiles.validate(config, WORKFLOW / "schemas/config.schema.json", "config/config.yaml")
        found = catalogue.load(Path("config"), WORKFLOW / "schemas")
        # Every study is also a target, and rules are named like their scripts.
        taken = sorted(set(found.studies) & {"all", *(script.stem for script in SCRIPTS.glob("*.py"))})
        if taken:
            raise UserError(f"config/studies/{taken[0]}.yaml: '{taken[0]}' is the name of a rule; rename the file")
        for study in config["studies"]:
            if study not in found.studies:
                raise UserError(f"config/config.yaml: {unknown('study', study, found.studies)}")
    except UserError as error:
        sys.exit(f"error: {error}")
    return found


def one_of(ids):
    """A regular expression that matches just these ids."""
    return "|".join(re.escape(name) for name in sorted(ids)) or "(?!)"


CATALOGUE = loaded()
RECORDINGS = CATALOGUE.recording_ids()
TRIALS = CATALOGUE.trial_ids()
POOLED = [name for name in RECORDINGS if "pool" in CATALOGUE.recording(name)]
SIMULATED = [name for name in RECORDINGS if CATALOGUE.recording(name).get("loader", "").startswith("simulated_")]


@functools.cache
def code(script, *modules):
    """The digest of a script and all that it imports, and of modules that it finds by name."""
    return code_digest(SCRIPTS / f"{script}.py", *modules)


def raw(source, files):
    """Paths of raw files of a recording or a network."""
    return [f"data/raw/{source}/{name}" for name in files]


def checksum(file):
    """SHA-256 of a raw file, or its MD5; empty where a checksum is recorded at the first download."""
    return file.get("sha256") or (f"md5:{file['md5']}" if "md5" in file else "")


def checksums(files):
    """Checksum of each raw file."""
    return {name: checksum(file) for name, file in files.items()}


def crossed(study):
    """The recordings of a study that networks can be compared with."""
    return [name for name in study["recordings"] if "stimuli" in CATALOGUE.recording(name)]


def recording_file(recording):
    """Where a recording is, or what a recurrent network does in the trials of its task."""
    if recording not in TRIALS:
        return f"results/ingest/{recording}.nc"
    entry = CATALOGUE.recording(recording)
    return f"results/extract/trials/{entry['network']}/seed-{entry['seed']}.nc"


def grams_of(stimuli, network):
    """Gram matrices of a network for all its seeds."""
    seeds = CATALOGUE.network(network)["seeds"]
    return [f"results/extract/{stimuli}/{network}/seed-{seed}.nc" for seed in seeds]


def study_results(name):
    """All files that a study promises."""
    study = CATALOGUE.study(name)
    tables = ["scores", "descriptions"]
    tables += ["recoveries"] if study["recoveries"] else []
    tables += ["encodings"] if study["encodings"] else []
    figures = [f"results/draw/{name}/{figure}.svg" for figure in study["figures"]]
    return [f"results/tables/{name}/{table}.tsv" for table in tables] + summaries_of(name) + figures


def scaled_memory(megabytes):
    """Memory that doubles with every attempt."""

    def needed(wildcards, attempt):
        return megabytes * 2 ** (attempt - 1)

    return needed
