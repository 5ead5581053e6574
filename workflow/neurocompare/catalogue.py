"""Catalogues and studies: what they hold, resolved and with every reference checked.

Imported while the Snakefile is parsed, so it needs only the standard library, and what `neurocompare.yamlfiles` does.
"""

from dataclasses import dataclass
from pathlib import Path

from neurocompare.catalogue_checks import CHECKS, described_by, files_of, of_networks
from neurocompare.errors import UserError, unknown
from neurocompare.identifiers import parse
from neurocompare.yamlfiles import read

CATALOGUES = ("recordings", "stimuli", "networks", "recoveries")
OPTIONAL = ("encodings", "tasks", "recurrent")
"""Catalogues that a folder of one's own need not have."""


@dataclass(frozen=True)
class Catalogue:
    """Everything that studies select from, and the studies.

    Attributes
    ----------
    recordings, stimuli, networks, tasks, recoveries, encodings, studies : dict of str to dict
        Entries by id, as in the YAML files. Among the networks are the recurrent ones, which have a ``task``.
    """

    recordings: dict[str, dict]
    stimuli: dict[str, dict]
    networks: dict[str, dict]
    tasks: dict[str, dict]
    recoveries: dict[str, dict]
    encodings: dict[str, dict]
    studies: dict[str, dict]

    def recording(self, identifier: str) -> dict:
        """Resolve the id of a recording, which may name a session: ``name-session=3``.

        What a recurrent network does in the trials of its task is a recording too: ``name-seed=0``.

        Parameters
        ----------
        identifier : str
            The id.

        Returns
        -------
        dict
            The entry, with its ``name``, with ``about`` (``source``, ``citation``, ``license``), and with the
            ``options`` and ``files`` of the session; of a numbered session, the option ``session`` is its number.
            Trials of a network have ``network`` and ``seed`` besides.

        Raises
        ------
        UserError
            If there is no such recording or session.
        """
        name, options = parse(identifier)
        if name in self.recurrent():
            return self._trials(identifier, name, options)
        if name not in self.recordings:
            raise unknown("recording", name, self.recordings)
        entry = dict(self.recordings[name], name=name)
        entry["options"] = dict(entry.get("options", {}))
        entry["files"] = files_of(entry)
        entry["about"] = {key: entry.get(key, "not stated") for key in ("source", "citation", "license")}
        if "course" in entry:
            # Networks bring what they do into the rows of the course itself.
            entry["stimuli"] = name
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

    def course_members(self, name: str) -> list[str]:
        """Return the recordings that a course is made of.

        Parameters
        ----------
        name : str
            The id of the course.

        Returns
        -------
        list of str
            Their ids; an entry with sessions stands for all of them.
        """
        members = []
        for one in self.recordings[name]["course"]["of"]:
            sessions = self.sessions(one) if one in self.recordings else []
            members += [f"{one}-session={session}" for session in sessions] or [one]
        return members

    def recurrent(self) -> dict[str, dict]:
        """Return the networks that have a task, by id."""
        return {name: entry for name, entry in self.networks.items() if "task" in entry}

    def trial_ids(self, names: list[str] | None = None) -> list[str]:
        """Return the ids under which trials of recurrent networks are recordings.

        Parameters
        ----------
        names : list of str, optional
            Ids of networks, of which those without a task are passed over; by default all.

        Returns
        -------
        list of str
            One for each seed.
        """
        found = self.recurrent()
        chosen = [name for name in (found if names is None else names) if name in found]
        return [f"{name}-seed={seed}" for name in chosen for seed in found[name]["seeds"]]

    def _trials(self, identifier: str, name: str, options: dict[str, str]) -> dict:
        entry = self.networks[name]
        seeds = [str(seed) for seed in entry["seeds"]]
        if set(options) != {"seed"} or options["seed"] not in seeds:
            raise UserError(f"recording '{identifier}': name one seed, {name}-seed=K with K one of {', '.join(seeds)}")
        about = {"source": f"network {name}", "citation": "see config/recurrent.yaml", "license": "not stated"}
        return {"name": name, "network": name, "seed": options["seed"], "options": {}, "files": {}, "about": about}

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
        if isinstance(weights, str):
            return {}
        published = list(weights["files"].values()) if "files" in weights else [weights]
        return {one["file"]: {key: one[key] for key in ("sha256", "sources") if key in one} for one in published}

    def study(self, name: str) -> dict:
        """Return a study, with an empty list for what it does not select, and with plain ids of descriptions.

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
        study = {key: [] for key in keys} | self.studies[name]
        return study | {"descriptions": [next(iter(described_by(given))) for given in study["descriptions"]]}

    def described(self, name: str) -> list[tuple[str, str]]:
        """Return what a study describes: pairs of the id of a recording and that of a description.

        Parameters
        ----------
        name : str
            The id of the study.

        Returns
        -------
        list of tuple of two str
            Recordings in the order of the study, and then trials of its recurrent networks; all descriptions of
            each. A description that names what it is for is of that only, and one of networks is of networks only.
        """
        study = self.study(name)
        trials = self.trial_ids(study["networks"])
        of_all = {
            key: names
            for given in self.studies[name].get("descriptions", [])
            for key, names in described_by(given).items()
        }
        pairs = []
        # Rows of a course depend on each other: what it is made of is described instead.
        plain = [recording for recording in study["recordings"] if "course" not in self.recording(recording)]
        for recording in [*plain, *trials]:
            # The name of an entry stands for all its sessions or seeds.
            owner = {recording, parse(recording)[0]}
            for description, names in of_all.items():
                suits = recording in trials or not of_networks(description)
                if suits and (names is None or owner & set(names)):
                    pairs.append((recording, description))
        return pairs


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
    recurrent = parts.pop("recurrent")
    if clash := sorted(set(recurrent) & set(parts["networks"])):
        raise UserError(f"{config}/recurrent.yaml: '{clash[0]}' is also in networks.yaml; rename one of them")
    parts["networks"] = parts["networks"] | recurrent
    clash = sorted(set(parts["recordings"]) & set(parts["networks"]))
    if clash:
        # Both keep their raw files in data/raw/<id>/.
        where = "recurrent" if clash[0] in recurrent else "networks"
        raise UserError(f"{config}/{where}.yaml: '{clash[0]}' is also the id of a recording; rename one of them")
    studies = {
        path.stem: read(path, schemas / "study.schema.json") for path in sorted((config / "studies").glob("*.yaml"))
    }
    catalogue = Catalogue(**parts, studies=studies)
    for part, check in CHECKS.items():
        for name in getattr(catalogue, part):
            try:
                check(catalogue, name)
            except UserError as error:
                file = "recurrent" if part == "networks" and name in recurrent else part
                where = f"{config}/studies/{name}.yaml" if part == "studies" else f"{config}/{file}.yaml: {name}"
                raise UserError(f"{where}: {error}") from error
    return catalogue
