"""The grammar of ids, and where the code behind an id lives (standard library only).

An id is one or more words, then ``key=value`` options, all joined by hyphens; a value may hold hyphens:
``rsa-distance=correlation-compare=rho-a``. The first word of the id of a measure or a description names
its module, so that an edit of that module reruns just the jobs that use it.
"""

from pathlib import Path

from neurocompare.errors import UserError, unknown

PACKAGE = Path(__file__).parent
MEASURE_PACKAGES = ("similarity", "prediction")
DESCRIPTION_PACKAGES = ("description", "network_description")
"""Descriptions of what a recording holds, and of networks themselves."""


def parse(identifier: str) -> tuple[str, dict[str, str]]:
    """Split an id into its words and its options.

    Parameters
    ----------
    identifier : str
        Such as ``"cka-kernel=linear-hsic=song"``.

    Returns
    -------
    words : str
        What stands before the first option, such as ``"cka"`` or ``"cca-mean"``.
    options : dict of str to str
        In the order of the id.

    Raises
    ------
    UserError
        If the id is empty, repeats an option or leaves one without a value.

    Examples
    --------
    >>> parse("rsa-distance=correlation-compare=rho-a")
    ('rsa', {'distance': 'correlation', 'compare': 'rho-a'})
    """
    words: list[str] = []
    options: dict[str, str] = {}
    key = None
    for token in identifier.split("-"):
        name, equals, value = token.partition("=")
        if equals:
            if name in options or not name or not value:
                raise UserError(f"id '{identifier}': option '{token}' is empty or given twice")
            key = name
            options[key] = value
        elif key is None:
            words.append(token)
        else:
            options[key] += "-" + token
    if not words or not all(words):
        raise UserError(f"id '{identifier}' must start with a word; see config/README.md for the grammar")
    return "-".join(words), options


def module_of(identifier: str, packages: tuple[str, ...] = MEASURE_PACKAGES) -> str:
    """Return the full name of the module that implements a measure or a description.

    Parameters
    ----------
    identifier : str
        A measure or description id.
    packages : tuple of str
        The subpackages to look in.

    Returns
    -------
    str
        Such as ``"neurocompare.similarity.cka"``.

    Raises
    ------
    UserError
        If no module has that name; the message lists the near ones.
    """
    first = parse(identifier)[0].split("-")[0]
    # Not by joining paths: the first word may be anything that a user writes.
    known = {path.stem: package for package in packages for path in (PACKAGE / package).glob("[a-z]*.py")}
    if first in known:
        return f"neurocompare.{known[first]}.{first}"
    raise unknown("measure" if packages == MEASURE_PACKAGES else "description", first, known)


def of_networks(description: str) -> bool:
    """Tell whether a description is of networks: of their weights, and not of responses only.

    Parameters
    ----------
    description : str
        The id of a description.

    Returns
    -------
    bool
        False for what can be had of any recording.

    Raises
    ------
    UserError
        As `module_of`.
    """
    return module_of(description, DESCRIPTION_PACKAGES).split(".")[1] == "network_description"
