"""Checks of what catalogues and studies refer to (standard library only).

Each takes a `neurocompare.catalogue.Catalogue` and the id of an entry, and raises a `UserError` at the first mistake.
"""

import ast
from pathlib import Path

from neurocompare import tasks
from neurocompare.bound_checks import bounds_of
from neurocompare.course_checks import (
    TASK_VARIABLES,
    check_course,
    check_crossing,
    check_images,
    check_lags,
    require_images,
)
from neurocompare.encoding_entries import check_encoding
from neurocompare.errors import UserError, unknown
from neurocompare.identifiers import DESCRIPTION_PACKAGES, PACKAGE, module_of, of_networks, parse
from neurocompare.recurrent import schedule

NEEDS = {
    "profile": ("networks", "measures"),
    "rdms": ("networks", "measures"),
    "arrangement": ("networks", "measures"),
    "heatmap": ("networks", "measures"),
    "forest": ("networks", "measures"),
    "families": ("networks", "measures"),
    "multiverse": ("conclusion", "networks", "measures"),
    "sizes": ("networks", "measures"),
    "lags": ("networks", "measures"),
    "learning": ("networks",),
    "recovery": ("recoveries", "measures"),
    "partition": ("encodings",),
    "maps": ("encodings",),
}
"""What a study must select for each figure."""

DRAWN = {
    "decoding": "decoding",
    "sessions": "decoding",
    "parts": "nmf",
    "classification": "classification",
    "psychometrics": "psychometrics",
    "trajectories": "trajectories",
    "phases": "phases",
    "choice": "choice",
    "limits": "limits",
    "components": "dpca|pca",
    "sweep": "sweep",
    "generalisation": "generalisation",
    "fixed_points": "fixed",
    "selection": "selection",
    "spectra": "fixed",
    "perturbation": "perturbation",
    "tdr": "tdr",
}
"""The first word of the descriptions that a figure is drawn from, or several of them, joined by ``|``."""


def files_of(entry: dict) -> dict[str, dict]:
    """Files by name; nothing has to be said of a file that is put there by hand."""
    return {name: file or {} for name, file in (entry.get("files") or {}).items()}


def described_by(given: str | dict) -> dict[str, list[str] | None]:
    """Bring an item of the ``descriptions`` of a study into one form.

    Parameters
    ----------
    given : str or dict
        An id, or a mapping of one id to what it is for.

    Returns
    -------
    dict of str to list of str or None
        One id, with the recordings and networks that it is for; None for all.
    """
    return {given: None} if isinstance(given, str) else given


def _check_options(path: Path, function: str, options: dict) -> None:
    """Check options against the keywords of a function, without importing what it needs."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            # What the workflow says of the recording is no option.
            known = {keyword.arg: default is None for keyword, default in keywords if keyword.arg != "about"}
            for option in options:
                if option not in known and node.args.kwarg is None:
                    raise UserError(f"options: {unknown('option', option, known)}")
            for option, required in known.items():
                if required and option not in options:
                    raise UserError(f"options: '{option}' is missing")


def _require(kind: str, name: str, known) -> None:
    if name not in known:
        raise unknown(kind, name, known)


def _modules(package: str) -> list[str]:
    return [path.stem for path in (PACKAGE / package).glob("[a-z]*.py")]


def _check_recording(catalogue, name: str) -> None:
    entry = catalogue.recordings[name]
    if "loader" in entry:
        _require("loader", entry["loader"], _modules("recordings"))
        function = "simulate" if entry["loader"].startswith("simulated_") else "ingest"
        path = PACKAGE / "recordings" / f"{entry['loader']}.py"
        for session in catalogue.sessions(name):
            _check_options(path, function, catalogue.recording(f"{name}-session={session}")["options"])
        if not catalogue.sessions(name):
            _check_options(path, function, entry.get("options", {}))
    if "allensdk" in entry:
        _check_allensdk(entry)
    if "course" in entry:
        check_course(catalogue, name)
    sessions = entry.get("sessions", {})
    known = files_of(entry)
    for session, own in sessions.items() if isinstance(sessions, dict) else ():
        for file, source in files_of(own).items():
            # All sessions keep their files in one folder.
            if known.setdefault(file, source) != source:
                raise UserError(f"sessions.{session}.files: '{file}' is another file elsewhere; give it another name")
    for member in entry.get("pool", {}).get("recordings", []):
        if "pool" in catalogue.recording(member):
            raise UserError(f"pool: recording '{member}' is a pool itself; name its members")
    if "stimuli" in entry:
        _require("stimuli", entry["stimuli"], catalogue.stimuli)


def _check_allensdk(entry: dict) -> None:
    loader = f"allen_{entry['allensdk']['product']}"
    if entry.get("loader") != loader:
        raise UserError(f"loader: '{entry.get('loader')}' does not read this product of the Allen SDK; use '{loader}'")
    if "stimulus" not in entry.get("options", {}):
        raise UserError("options: 'stimulus' is missing; name the stimulus whose responses are wanted")
    if also := [key for key in ("files", "sessions") if key in entry]:
        raise UserError(f"{also[0]}: not with 'allensdk', whose experiments are the files; remove it")


def _check_stimuli(catalogue, name: str) -> None:
    entry = catalogue.stimuli[name]
    if "recording" in entry:
        _require("recording", entry["recording"], catalogue.recordings)
        if "pool" in catalogue.recordings[entry["recording"]]:
            raise UserError(f"recording: '{entry['recording']}' is a pool, which has no files; name one of its members")
        for file in entry.get("files", []):
            _require(f"file of '{entry['recording']}'", file, catalogue.files(entry["recording"]))
        source = catalogue.recordings[entry["recording"]]
        kind = source.get("loader"), source.get("options", {}).get("stimulus")
        if "allensdk" in source and kind != ("allen_ophys", "natural_scenes"):
            raise UserError(
                f"recording: the files of '{entry['recording']}' hold no images for networks; name a two-photon one of "
                "natural_scenes"
            )
    else:
        _require("renderer", entry["renderer"], _modules("stimuli"))
        _check_options(PACKAGE / "stimuli" / f"{entry['renderer']}.py", "stimuli", entry.get("options", {}))


def _check_task(catalogue, name: str) -> None:
    entry = catalogue.tasks[name]
    _require("task", entry["task"], tasks.names())
    path = PACKAGE / "tasks" / f"{entry['task']}.py"
    _check_options(path, "trials", entry.get("options", {}))
    _check_options(path, "test", {"repeats": 1} | entry.get("options", {}) | entry.get("test", {}))


def _check_network(catalogue, name: str) -> None:
    entry = catalogue.networks[name]
    check_images(entry)
    if entry.get("architecture") == TASK_VARIABLES:
        _check_options(PACKAGE / "courses" / "trajectories.py", "of_task_variables", entry.get("options", {}))
        return
    if "task" not in entry:
        _require("architecture", entry["architecture"], _modules("networks"))
        return
    _require("task", entry["task"], catalogue.tasks)
    trained = entry["weights"] == "trained"
    if trained != ("learning" in entry):
        raise UserError(
            "learning: it is missing; say how the weights are trained"
            if trained
            else "learning: these weights are not trained here; remove it, or use weights: trained"
        )
    if trained:
        schedule.of_entry(entry["learning"])
    files = entry["weights"].get("files", {}) if isinstance(entry["weights"], dict) else None
    if files is not None and set(files) != {str(seed) for seed in entry["seeds"]}:
        raise UserError(f"weights.files: they are of seeds {', '.join(files)}, and seeds are {entry['seeds']}")


def _check_recovery(catalogue, name: str) -> None:
    entry = catalogue.recoveries[name]
    _require("stimuli", entry["stimuli"], catalogue.stimuli)
    for network in [*entry["generators"], *entry["candidates"]]:
        require_images(catalogue, network)


def _check_encoding(catalogue, name: str) -> None:
    entry = catalogue.encodings[name]
    recording = catalogue.recording(entry["recording"])
    if "course" in recording:
        raise UserError(f"recording: rows of course '{entry['recording']}' can't be held out one by one; name another")
    check_encoding(entry, recording)
    for band, spec in entry["bands"].items():
        if spec != "identity":
            seeds = require_images(catalogue, spec["network"])["seeds"]
            if spec.get("seed", seeds[0]) not in seeds:
                raise UserError(f"bands.{band}: '{spec['network']}' has no seed {spec['seed']}, only {seeds}")


def _check_study(catalogue, name: str) -> None:
    study = catalogue.study(name)
    for identifier in study["recordings"]:
        catalogue.recording(identifier)
    for network in study["networks"]:
        catalogue.network(network)
    if study["networks"] and study["measures"]:
        check_crossing(catalogue, study)
    check_lags(catalogue, study)
    for measure in study["measures"]:
        module_of(measure)
        control = parse(measure)[1].get("partial")
        if control is not None:
            catalogue.network(control)
    _check_descriptions(catalogue, name, study)
    bounds_of(catalogue, name)
    for recovery in study["recoveries"]:
        _require("recovery", recovery, catalogue.recoveries)
    for encoding in study["encodings"]:
        _require("encoding", encoding, catalogue.encodings)
    if "conclusion" in study:
        _check_conclusion(study)
    if "families" in study["figures"] and len(study["measures"]) == 1:
        raise UserError("figure 'families' compares measures; select several, or leave the figure out")
    for measure in study["measures"] if "sizes" in study["figures"] else ():
        if "sample" in parse(measure)[1]:
            raise UserError(
                f"figure 'sizes' samples units itself, and measure '{measure}' has a 'sample' of its own; put it into "
                "another study, or leave the figure out"
            )
    for figure in study["figures"]:
        lacking = [key for key in NEEDS.get(figure, ()) if not study.get(key)]
        if lacking:
            raise UserError(f"figure '{figure}' needs {' and '.join(lacking)}; select some, or leave the figure out")
        words = DRAWN.get(figure, "").split("|")
        if words[0] and not any(parse(d)[0].split("-")[0] in words for d in study["descriptions"]):
            wanted = "-… or ".join(words)
            raise UserError(f"figure '{figure}' needs a description {wanted}-…; select one, or leave the figure out")


def _check_descriptions(catalogue, name: str, study: dict) -> None:
    recurrent = [network for network in study["networks"] if network in catalogue.recurrent()]
    recordings = [name for name in study["recordings"] if "course" not in catalogue.recording(name)]
    if study["descriptions"] and not recordings and not recurrent:
        raise UserError("descriptions: a course is not described; add the recordings that it is made of")
    selected = [*recordings, *catalogue.trial_ids(recurrent)]
    known = [*selected, *dict.fromkeys(parse(name)[0] for name in selected)]
    for given in catalogue.studies[name].get("descriptions", []):
        for description, names in described_by(given).items():
            module_of(description, DESCRIPTION_PACKAGES)
            if of_networks(description) and not recurrent:
                raise UserError(f"description '{description}' is of recurrent networks; select some, or leave it out")
            for one in names or []:
                _require(f"recording or recurrent network of this study in '{description}'", one, known)
    if repeated := [d for d in study["descriptions"] if study["descriptions"].count(d) > 1]:
        raise UserError(f"descriptions: '{repeated[0]}' is given twice; name all that it is for in one place")


def _check_conclusion(study: dict) -> None:
    pair = [study["conclusion"][key] for key in ("network", "above")]
    for network in pair:
        _require("network of this study in 'conclusion'", network, study["networks"])
    if pair[0] == pair[1]:
        raise UserError(f"conclusion: '{pair[0]}' is compared with itself; name another network under 'above'")
    if len(study["recordings"]) * len(study["measures"]) < 2:
        raise UserError("conclusion: one recording and one measure leave nothing to choose; select more of them")


CHECKS = {
    "recordings": _check_recording,
    "stimuli": _check_stimuli,
    "tasks": _check_task,
    "networks": _check_network,
    "recoveries": _check_recovery,
    "encodings": _check_encoding,
    "studies": _check_study,
}
