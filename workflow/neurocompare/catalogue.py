"""Catalogues and studies: reading, validating and resolving them.

Imported while the Snakefile is parsed, so it needs only the standard library, PyYAML and jsonschema,
which Snakemake itself has loaded.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import yaml

from neurocompare.errors import UserError, unknown
from neurocompare.identifiers import DESCRIPTION_PACKAGES, PACKAGE, module_of, parse

CATALOGUES = ("recordings", "stimuli", "networks", "recoveries")

NEEDS = {
    "profile": ("networks", "measures"),
    "rdms": ("networks", "measures"),
    "arrangement": ("networks", "measures"),
    "recovery": ("recoveries", "measures"),
    "decoding": ("descriptions",),
    "parts": ("descriptions",),
    "sessions": ("descriptions",),
}
"""What a study must select for each figure."""


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
            The entry, with its ``name``, with ``about`` (``source``, ``citation``, ``license``), and with the
            ``options`` and ``files`` of the session; of a numbered session, the option ``session`` is its number.

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
        entry["files"] = dict(entry.get("files", {}))
        entry["about"] = {key: entry.get(key, "not stated") for key in ("source", "citation", "license")}
        sessions = self.sessions(name)
        if not sessions and options:
            raise UserError(f"recording '{identifier}': '{name}' is one recording and takes no options in its id")
        if sessions:
            chosen = options.get("session", "")
            if set(options) != {"session"} or chosen not in sessions:
                raise UserError(
                    f"recording '{identifier}': name one session, {name}-session=K with K one of {', '.join(sessions)}"
                )
            if isinstance(entry["sessions"], int):
                entry["options"]["session"] = int(chosen)
            else:
                own = entry["sessions"][chosen]
                entry["options"] |= own.get("options", {})
                entry["files"] |= own.get("files", {})
        return entry

    def sessions(self, name: str) -> list[str]:
        """Return the names of the sessions of an entry in the catalogue of recordings.

        Parameters
        ----------
        name : str
            The id of the entry.

        Returns
        -------
        list of str
            ``["1", "2", …]``, or the names given in the catalogue; empty if the entry is one recording.
        """
        sessions = self.recordings[name].get("sessions", {})
        return [str(k) for k in range(1, sessions + 1)] if isinstance(sessions, int) else list(sessions)

    def recording_ids(self) -> list[str]:
        """Return the ids of all recordings, each session by itself, in the order of the catalogue."""
        return [
            identifier
            for name in self.recordings
            for identifier in [f"{name}-session={session}" for session in self.sessions(name)] or [name]
        ]

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
            ``sha256`` and ``sources`` by file name, of all sessions; a file may lack either.
        """
        if source in self.recordings:
            entry = self.recordings[source]
            files = dict(entry.get("files", {}))
            for session in self.sessions(source):
                files |= entry["sessions"][session].get("files", {}) if isinstance(entry["sessions"], dict) else {}
            return files
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
        raise UserError(f"{config}/networks.yaml: '{clash[0]}' is also the id of a recording; rename one of them")
    studies = {
        path.stem: read(path, schemas / "study.schema.json") for path in sorted((config / "studies").glob("*.yaml"))
    }
    catalogue = Catalogue(**parts, studies=studies)
    for part, check in _CHECKS.items():
        for name in getattr(catalogue, part):
            try:
                check(catalogue, name)
            except UserError as error:
                where = f"{config}/studies/{name}.yaml" if part == "studies" else f"{config}/{part}.yaml: {name}"
                raise UserError(f"{where}: {error}") from error
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
        with open(path, encoding="utf-8") as file:
            content = yaml.load(file, _Loader)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # PyYAML names the file twice more.
        reason = " ".join(str(error).replace(f'in "{path}", ', "at ").split())
        raise UserError(f"{path}: not valid YAML: {reason}") from None
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
    rules = json.loads(schema.read_text(encoding="utf-8"))
    error = _most_telling(jsonschema.Draft202012Validator(rules).iter_errors(content))
    if error is None:
        return content
    place = ".".join(str(step) for step in error.absolute_path) or "top level"
    if odd := _odd(error):
        raise UserError(f"{name}: {place}: {unknown('key', odd[0], error.schema.get('properties', {}))}")
    if error.validator == "enum" and isinstance(error.instance, str):
        raise UserError(f"{name}: {place}: {unknown('value', error.instance, error.validator_value)}")
    raise UserError(f"{name}: {place}: {error.message}")


def _most_telling(errors):
    """The error to show: not that no alternative fits, but what is wrong with the nearest one."""
    found = max(errors, default=None, key=_weight)
    while found is not None and found.context:
        alternatives: dict[int, list] = {}
        for error in found.context:
            alternatives.setdefault(error.relative_schema_path[0], []).append(error)
        found = max(min(alternatives.values(), key=_distance), key=_weight)
    return found


def _weight(error) -> tuple:
    # A mistyped key is both missing and unknown; that it is unknown tells more.
    return -len(error.absolute_path), error.validator not in ("oneOf", "required")


def _distance(errors) -> tuple:
    """How far content is from an alternative, given what is wrong: of another type, then the number of faults."""
    other_type = any(error.validator == "type" and not error.relative_path for error in errors)
    return other_type, sum(len(_odd(error)) or 1 for error in errors)


def _odd(error) -> list[str]:
    """Keys that should not be there."""
    if error.validator != "additionalProperties":
        return []
    return sorted(set(error.instance) - set(error.schema.get("properties", {})))


class _Loader(yaml.SafeLoader):
    """YAML in which every key is text, and given once."""

    def construct_mapping(self, node, deep=False):
        """Refuse what plain YAML would silently turn into a number or replace."""
        given = set()
        for key, _ in node.value:
            if key.tag.endswith(":merge"):
                continue
            if not key.tag.endswith(":str"):
                raise yaml.MarkedYAMLError(problem=f"key {key.value} is no text, quote it", problem_mark=key.start_mark)
            if key.value in given:
                raise yaml.MarkedYAMLError(problem=f"key '{key.value}' is given twice", problem_mark=key.start_mark)
            given.add(key.value)
        return super().construct_mapping(node, deep)


def _require(kind: str, name: str, known) -> None:
    if name not in known:
        raise unknown(kind, name, known)


def _modules(package: str) -> list[str]:
    return [path.stem for path in (PACKAGE / package).glob("[a-z]*.py")]


def _check_recording(catalogue: Catalogue, name: str) -> None:
    entry = catalogue.recordings[name]
    if "loader" in entry:
        _require("loader", entry["loader"], _modules("recordings"))
    for member in entry.get("pool", {}).get("recordings", []):
        if "pool" in catalogue.recording(member):
            raise UserError(f"pool: recording '{member}' is a pool itself; name its members")
    if "stimuli" in entry:
        _require("stimuli", entry["stimuli"], catalogue.stimuli)


def _check_stimuli(catalogue: Catalogue, name: str) -> None:
    entry = catalogue.stimuli[name]
    if "recording" in entry:
        _require("recording", entry["recording"], catalogue.recordings)
    else:
        _require("renderer", entry["renderer"], _modules("stimuli"))


def _check_network(catalogue: Catalogue, name: str) -> None:
    _require("architecture", catalogue.networks[name]["architecture"], _modules("networks"))


def _check_recovery(catalogue: Catalogue, name: str) -> None:
    entry = catalogue.recoveries[name]
    _require("stimuli", entry["stimuli"], catalogue.stimuli)
    for network in [*entry["generators"], *entry["candidates"]]:
        catalogue.network(network)


def _check_study(catalogue: Catalogue, name: str) -> None:
    study = catalogue.study(name)
    for identifier in study["recordings"]:
        entry = catalogue.recording(identifier)
        if study["networks"] and study["measures"] and "stimuli" not in entry:
            raise UserError(
                f"recording '{identifier}' has no stimuli that a network could see; give it a study of its own"
            )
    for network in study["networks"]:
        catalogue.network(network)
    for measure in study["measures"]:
        module_of(measure)
    for description in study["descriptions"]:
        module_of(description, DESCRIPTION_PACKAGES)
    for recovery in study["recoveries"]:
        _require("recovery", recovery, catalogue.recoveries)
    for figure in study["figures"]:
        lacking = [key for key in NEEDS.get(figure, ()) if not study[key]]
        if lacking:
            raise UserError(f"figure '{figure}' needs {' and '.join(lacking)}; select some, or leave the figure out")


_CHECKS = {
    "recordings": _check_recording,
    "stimuli": _check_stimuli,
    "networks": _check_network,
    "recoveries": _check_recovery,
    "studies": _check_study,
}
