"""What an entry of ``encodings.yaml`` may ask for, and words of its table (standard library only)."""

from neurocompare.errors import UserError, unknown

ALL, SHARED = "all", "shared"
"""What stands for a band in rows of all bands together, and of what no band explains alone."""

VARIANCE, EXPLAINABLE = "variance", "explainable variance"
"""What a share is a share of."""


def check_encoding(entry: dict, recording: dict) -> None:
    """Refuse an encoding that contradicts itself or its recording.

    Parameters
    ----------
    entry : dict
        An entry of the catalogue, of the right form.
    recording : dict
        The entry of its recording.

    Raises
    ------
    UserError
        On the first contradiction; the message names the key.
    """
    name, bands, nuisance = entry["recording"], entry["bands"], entry.get("nuisance", {})
    held_out = entry.get("hold_out", "")
    if entry["level"] == "means" and (nuisance or held_out in ("blocks", "both")):
        key = "nuisance" if nuisance else "hold_out"
        raise UserError(f"{key}: means over trials belong to no block and no time; use level: trials, or remove it")
    for band, spec in bands.items():
        if spec == "identity" and held_out != "blocks":
            raise UserError(f"bands.{band}: which stimulus it is says nothing of others; use hold_out: blocks")
        if spec != "identity" and "stimuli" not in recording:
            raise UserError(f"bands.{band}: recording '{name}' has no stimuli that a network could see; use identity")
    for band, spec in nuisance.items():
        if band in bands:
            raise UserError(f"nuisance.{band}: there is a band of that name; rename one of them")
        if "history" in spec and spec["history"] not in bands:
            raise unknown(f"band in nuisance.{band}", spec["history"], bands)
