"""Catalogues and studies: reading, validating and resolving them.

Imported while the Snakefile is parsed, so it needs only the standard library, PyYAML and jsonschema,
which Snakemake itself has loaded.
"""

from dataclasses import dataclass
from pathlib import Path

import jsonschema
import yaml

from neurocompare.errors import UserError, unknown
from neurocompare.identifiers import DESCRIPTION_PACKAGES, module_of, parse

CATALOGUES = ("recordings", "stimuli", "networks", "recoveries")


@dataclass(frozen=True)
class Catalogue:
    """Everything that studies select from, and the studies.

    Attributes
    ----------
    recordings, stimuli, networks, recoveries, studies : dict of str to dict
        Entries by id, as in the YAML files.
    """

    recordings: dict[str, dict]
    stimuli: dict[str, dict]
    networks: dict[str, dict]
    recoveries: dict[str, dict]
    studies: dict[str, dict]

    def recording(self, identifier: str) -> dict:
        """Resolve the id of a recording, which may name a session: ``name-session=3``.

        Parameters
        ----------
        identifier : str
            The id.

        Returns
        -------
        dict
            The entry, with ``name`` of the entry and, in ``options``, the ``session``.

        Raises
        ------
        UserError
            If there is no such recording or session.
        """
        name, options = parse(identifier)
        if name not in self.recordings:
            raise unknown("recording", name, self.recordings)
        entry = dict(self.recordings[name], name=name)
        entry["options"] = dict(entry.get("options", {}))
        sessions = entry.get("sessions")
        if sessions is None and options:
            raise UserError(f"recording '{identifier}': '{name}' is one recording and takes no options in its id")
        if sessions is not None:
            session = options.get("session", "")
            if set(options) != {"session"} or not session.isdigit() or not 1 <= int(session) <= sessions:
                raise UserError(
                    f"recording '{identifier}': name one session, {name}-session=1 to {name}-session={sessions}"
                )
            entry["options"]["session"] = int(session)
        return entry

    def network(self, name: str) -> dict:
        """Return the entry of a network.

        Parameters
        ----------
        name : str
            Its id.

        Returns
        -------
        dict
            The entry.

        Raises
        ------
        UserError
            If there is no such network.
        """
        if name not in self.networks:
            raise unknown("network", name, self.networks)
        return self.networks[name]

    def files(self, source: str) -> dict[str, dict]:
        """Return the raw files of a recording or of a network's weights.

        Parameters
        ----------
        source : str
            The id of an entry in the catalogue of recordings or of networks.

        Returns
        -------
        dict of str to dict
            ``sha256`` and ``sources`` by file name.
        """
        if source in self.recordings:
            return self.recordings[source].get("files", {})
        weights = self.networks.get(source, {}).get("weights", "none")
        return {} if isinstance(weights, str) else {weights["file"]: {k: weights[k] for k in ("sha256", "sources")}}

    def study(self, name: str) -> dict:
        """Return a study, with an empty list for what it does not select.

        Parameters
        ----------
        name : str
            Its id, the name of its file.

        Returns
        -------
        dict
            The study.

        Raises
        ------
        UserError
            If there is no such study.
        """
        if name not in self.studies:
            raise unknown("study", name, self.studies)
        empty = {key: [] for key in ("recordings", "networks", "measures", "descriptions", "recoveries", "figures")}
        return empty | self.studies[name]


def load(config: Path, schemas: Path) -> Catalogue:
    """Read and validate the catalogues and all studies.

    Parameters
    ----------
    config : Path
        The folder with ``recordings.yaml``, ``networks.yaml``, … and ``studies/``.
    schemas : Path
        The folder with the JSON schemas.

    Returns
    -------
    Catalogue
        With every reference from one entry to another checked.

    Raises
    ------
    UserError
        On the first mistake: which file, which field, and what to do.
    """
    parts = {name: read(config / f"{name}.yaml", schemas / f"{name}.schema.json") for name in CATALOGUES}
    clash = sorted(set(parts["recordings"]) & set(parts["networks"]))
    if clash:
        # Both keep their raw files in data/raw/<id>/.
        raise UserError(f"config/networks.yaml: '{clash[0]}' is also the id of a recording; rename one of them")
    studies = {
        path.stem: read(path, schemas / "study.schema.json") for path in sorted((config / "studies").glob("*.yaml"))
    }
    catalogue = Catalogue(**parts, studies=studies)
    for name in studies:
        try:
            _check(catalogue, catalogue.study(name))
        except UserError as error:
            raise UserError(f"config/studies/{name}.yaml: {error}") from error
    return catalogue


def read(path: Path, schema: Path) -> dict:
    """Read a YAML file and validate it against a JSON schema.

    Parameters
    ----------
    path : Path
        The YAML file.
    schema : Path
        The schema.

    Returns
    -------
    dict
        The content.

    Raises
    ------
    UserError
        If the file is absent, is not YAML or breaks the schema.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    return validate({} if content is None else content, schema, str(path))


def validate(content: dict, schema: Path, name: str) -> dict:
    """Validate content against a JSON schema.

    Parameters
    ----------
    content : dict
        What to validate.
    schema : Path
        The schema.
    name : str
        What the error calls the content.

    Returns
    -------
    dict
        `content` itself.

    Raises
    ------
    UserError
        One line with the place and the cure.
    """
    rules = yaml.safe_load(schema.read_text(encoding="utf-8"))
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(rules).iter_errors(content))
    if error is None:
        return content
    place = ".".join(str(step) for step in error.absolute_path) or "top level"
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        odd = sorted(set(error.instance) - set(known))[0]
        raise UserError(f"{name}: {place}: {unknown('key', odd, known)}")
    raise UserError(f"{name}: {place}: {error.message}")


def _check(catalogue: Catalogue, study: dict) -> None:
    for identifier in study["recordings"]:
        entry = catalogue.recording(identifier)
        if study["networks"] and study["measures"] and "stimuli" not in entry:
            raise UserError(
                f"recording '{identifier}' has no stimuli that a network could see; give it a study of its own"
            )
        if "stimuli" in entry and entry["stimuli"] not in catalogue.stimuli:
            raise unknown("stimuli", entry["stimuli"], catalogue.stimuli)
    for name in study["networks"]:
        catalogue.network(name)
    for measure in study["measures"]:
        module_of(measure)
    for description in study["descriptions"]:
        module_of(description, DESCRIPTION_PACKAGES)
    for recovery in study["recoveries"]:
        if recovery not in catalogue.recoveries:
            raise unknown("recovery", recovery, catalogue.recoveries)
