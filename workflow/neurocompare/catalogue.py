"""Catalogues and studies: what they hold, resolved and with every reference checked.

Imported while the Snakefile is parsed, so it needs only the standard library, and what `neurocompare.yamlfiles` does.
"""

from dataclasses import dataclass
from pathlib import Path

from neurocompare.catalogue_checks import CHECKS, files_of
from neurocompare.errors import UserError, unknown
from neurocompare.identifiers import parse
from neurocompare.yamlfiles import read

CATALOGUES = ("recordings", "stimuli", "networks", "recoveries")
OPTIONAL = ("encodings",)
"""Catalogues that a folder of one's own need not have."""


@dataclass(frozen=True)
class Catalogue:
    """Everything that studies select from, and the studies.

    Attributes
    ----------
    recordings, stimuli, networks, recoveries, encodings, studies : dict of str to dict
        Entries by id, as in the YAML files.
    """

    recordings: dict[str, dict]
    stimuli: dict[str, dict]
    networks: dict[str, dict]
    recoveries: dict[str, dict]
    encodings: dict[str, dict]
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
        entry["files"] = files_of(entry)
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
                entry["files"] |= files_of(own)
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
            files = files_of(entry)
            for session in self.sessions(source):
                files |= files_of(entry["sessions"][session]) if isinstance(entry["sessions"], dict) else {}
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
        keys = ("recordings", "networks", "measures", "descriptions", "recoveries", "encodings", "figures")
        return {key: [] for key in keys} | self.studies[name]


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
    names = CATALOGUES + tuple(name for name in OPTIONAL if (config / f"{name}.yaml").is_file())
    parts = dict.fromkeys(OPTIONAL, {})
    parts |= {name: read(config / f"{name}.yaml", schemas / f"{name}.schema.json") for name in names}
    clash = sorted(set(parts["recordings"]) & set(parts["networks"]))
    if clash:
        # Both keep their raw files in data/raw/<id>/.
        raise UserError(f"{config}/networks.yaml: '{clash[0]}' is also the id of a recording; rename one of them")
    studies = {
        path.stem: read(path, schemas / "study.schema.json") for path in sorted((config / "studies").glob("*.yaml"))
    }
    catalogue = Catalogue(**parts, studies=studies)
    for part, check in CHECKS.items():
        for name in getattr(catalogue, part):
            try:
                check(catalogue, name)
            except UserError as error:
                where = f"{config}/studies/{name}.yaml" if part == "studies" else f"{config}/{part}.yaml: {name}"
                raise UserError(f"{where}: {error}") from error
    return catalogue
