"""Checks of what catalogues and studies say of comparisons over time (standard library only)."""

from neurocompare.errors import UserError
from neurocompare.identifiers import parse

TASK_VARIABLES = "task_variables"
"""The architecture that is no network: features made of task variables, as a null model of networks over time."""

NOT_OVER_TIME = ("rdms", "arrangement", "sizes")
"""Figures of single stimuli, or of random ones."""


def over_time(entry: dict) -> bool:
    """Tell whether a network does something over time.

    Parameters
    ----------
    entry : dict
        Its entry in the catalogue.

    Returns
    -------
    bool
        True for recurrent networks and for task variables; they are compared with courses only.
    """
    return "task" in entry or entry.get("architecture") == TASK_VARIABLES


def check_images(entry: dict) -> None:
    """Check that a network of images says how it takes them in, and that task variables do not.

    Parameters
    ----------
    entry : dict
        The entry of the network.

    Raises
    ------
    UserError
        If a key is missing, or has no meaning.
    """
    if "task" in entry:
        return
    for key in ("preprocessing", "batch", "block"):
        if entry["architecture"] == TASK_VARIABLES and key in entry:
            raise UserError(f"{key}: task variables see no images; remove it")
        if entry["architecture"] != TASK_VARIABLES and key not in entry:
            raise UserError(f"'{key}' is missing; say how the network takes images in")
    if entry["architecture"] == TASK_VARIABLES and entry["weights"] != "none":
        raise UserError("weights: task variables have none; use weights: none")


def require_images(catalogue, name: str) -> dict:
    """Refuse a network that has time where images are shown.

    Parameters
    ----------
    catalogue : Catalogue
        The catalogue.
    name : str
        The id of the network.

    Returns
    -------
    dict
        Its entry.

    Raises
    ------
    UserError
        If there is no such network, or it does not see images.
    """
    entry = catalogue.network(name)
    if over_time(entry):
        raise UserError(f"network '{name}' sees no images; name one of networks.yaml that does")
    return entry


def check_course(catalogue, name: str) -> None:
    """Check an entry with ``course`` in the catalogue of recordings.

    Parameters
    ----------
    catalogue : Catalogue
        The catalogue.
    name : str
        The id of the entry.

    Raises
    ------
    UserError
        If its members do not exist or are courses themselves, or another entry has its place.
    """
    entry = catalogue.recordings[name]
    if name in catalogue.stimuli or name == "trials":
        raise UserError(f"course: '{name}' is also a name among stimuli, where networks keep what they do; rename it")
    if also := [key for key in ("loader", "pool", "files", "sessions", "stimuli", "options") if key in entry]:
        raise UserError(f"{also[0]}: not with 'course', which is made of other recordings; remove it")
    for member in catalogue.course_members(name):
        if "course" in catalogue.recording(member):
            raise UserError(f"course: recording '{member}' is a course itself; name what it is made of")


def check_crossing(catalogue, study: dict) -> None:
    """Check which recordings and networks of a study meet.

    Parameters
    ----------
    catalogue : Catalogue
        The catalogue.
    study : dict
        The study, with networks and measures.

    Raises
    ------
    UserError
        If a course meets a network that sees images, or images one that has time, or a recording meets none.
    """
    entries = {name: catalogue.recording(name) for name in study["recordings"]}
    courses = [name for name, entry in entries.items() if "course" in entry]
    timed = [name for name in study["networks"] if over_time(catalogue.network(name))]
    for name, entry in entries.items():
        if "stimuli" not in entry and not (courses and timed):
            hint = "add a recording with 'course' to the study" if timed else "give it a study of its own"
            raise UserError(f"recording '{name}' has no stimuli that a network could see; {hint}")
        if "stimuli" in entry and (name in courses) != bool(timed):
            what = "is a course, and networks of images have no time" if name in courses else "is of images"
            other = next(n for n in study["networks"] if (n in timed) != (name in courses))
            raise UserError(f"recording '{name}' {what}: it can't be compared with '{other}'; make two studies")
    if timed and len(timed) < len(study["networks"]):
        other = next(name for name in study["networks"] if name not in timed)
        raise UserError(f"networks: '{timed[0]}' has time and '{other}' sees images; make two studies")
    for figure in NOT_OVER_TIME if courses else ():
        if figure in study["figures"]:
            raise UserError(
                f"figure '{figure}' is of single stimuli, and rows of courses belong together; leave it out"
            )
    for measure in study["measures"] if courses else ():
        if "folds" in parse(measure)[1]:
            raise UserError(
                f"measure '{measure}' holds out single stimuli, and rows of a course belong together; use one without "
                "folds, such as cka-kernel=linear-hsic=song"
            )


def check_lags(catalogue, study: dict) -> None:
    """Check that a study with the figure ``lags`` has a course.

    Parameters
    ----------
    catalogue : Catalogue
        The catalogue.
    study : dict
        The study.

    Raises
    ------
    UserError
        If it has none, or a measure that does not go with it.
    """
    if "lags" not in study["figures"]:
        return
    if not any("course" in catalogue.recording(name) for name in study["recordings"]):
        raise UserError("figure 'lags' needs a recording with 'course'; select one, or leave the figure out")
    for measure in study["measures"]:
        if also := sorted({"partial", "sample"} & set(parse(measure)[1])):
            raise UserError(f"figure 'lags': not with '{also[0]}' in measure '{measure}'; leave the figure out")
