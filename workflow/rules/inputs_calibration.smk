"""What the rules of the calibration take in; no rules here."""

import itertools

CALIBRATED_FACTORS = ("stimuli", "animals", "repeats", "snr", "spread")


def calibrations():
    """The calibrations by name; a mistake in them ends the run with one line."""
    path = Path("config/calibrations.yaml")
    try:
        # A folder with catalogues of one's own needs none.
        found = yamlfiles.read(path, WORKFLOW / "schemas/calibrations.schema.json") if path.is_file() else {}
        for name in found:
            if name in {"all", *CATALOGUE.studies, *(script.stem for script in SCRIPTS.glob("*.py"))}:
                raise UserError(f"{path}: '{name}' is also the name of a study or a rule; rename the calibration")
    except UserError as error:
        sys.exit(f"error: {error}")
    return found


CALIBRATIONS = calibrations()


def cell_name(sizes):
    """The id of a cell, as the library writes it."""
    return "-".join(f"{factor}={sizes[factor]:g}" for factor in CALIBRATED_FACTORS)


def level_cells(design, measure):
    """Cells of a measure in which one factor is varied at a time."""
    base = design["base"]
    levels = design["measures"].get(measure)
    if levels is None:
        return []
    varied = [base | {factor: level} for factor, tried in levels.items() for level in tried]
    return list(dict.fromkeys(cell_name(sizes) for sizes in [base, *varied]))


def size_cells(design, measure):
    """All combinations of sizes, without the cells that are there for another reason."""
    if measure not in design["sizes"]["measures"]:
        return []
    sizes = {factor: design["sizes"].get(factor, [design["base"][factor]]) for factor in CALIBRATED_FACTORS}
    crossed = [cell_name(dict(zip(sizes, tried, strict=True))) for tried in itertools.product(*sizes.values())]
    return [name for name in crossed if name not in level_cells(design, measure)]


def calibration_outcomes(wildcards):
    design = CALIBRATIONS[wildcards.calibration]
    measures = list(dict.fromkeys([*design["measures"], *design["sizes"]["measures"]]))
    cells = {measure: [*level_cells(design, measure), *size_cells(design, measure)] for measure in measures}
    folder = f"results/calibrate/{wildcards.calibration}"
    return [f"{folder}/{cell}/{measure}.nc" for measure, names in cells.items() for cell in names]


def calibration_design(wildcards):
    """The cell around which factors are varied, and all their levels."""
    design = CALIBRATIONS[wildcards.calibration]
    levels = {}
    for factor in CALIBRATED_FACTORS:
        tried = {level for by_factor in design["measures"].values() for level in by_factor.get(factor, [])}
        levels |= {factor: sorted(tried)} if tried else {}
    return {"base": design["base"], "levels": levels}


def calibration_numbers(wildcards):
    """How many recordings, draws and shuffles a cell gets."""
    design = CALIBRATIONS[wildcards.calibration]
    numbers = {"draws": design["draws"], "shuffles": design["shuffles"]}
    if wildcards.cell in level_cells(design, wildcards.measure):
        return numbers | {key: design["data_sets"][key] for key in ("new_animals", "same_animals")}
    count, single = design["data_sets"]["sizes"], "animals=1-" in wildcards.cell
    return numbers | {"shuffles": 0, "new_animals": 0 if single else count, "same_animals": count if single else 0}


def calibrate_code(wildcards):
    return code("calibrate", module_of(wildcards.measure))


def calibration_results(name):
    """All files that a calibration promises."""
    tables = [f"results/tables/{name}/{table}.tsv" for table in ("calibration", "power")]
    return [*tables, f"results/draw/{name}/calibration.svg"]
