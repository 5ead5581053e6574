"""What the rules of recurrent networks take in; no rules here."""

# The first words of the descriptions that look into networks.
OF_NETWORKS = f"(?:{one_of(module.stem for module in PACKAGE.glob('network_description/[a-z]*.py'))})(?![a-z0-9_])"


def recurrent_names(*kinds):
    """Recurrent networks whose weights are trained here, drawn at random, or published."""
    found = {name: entry["weights"] for name, entry in CATALOGUE.recurrent().items()}
    return [name for name, weights in found.items() if (weights if isinstance(weights, str) else "published") in kinds]


def recurrent_entry(wildcards):
    """What decides the weights of a network: all but its title and its other seeds."""
    entry = CATALOGUE.network(wildcards.network)
    kept = {key: entry[key] for key in ("cell", "constraints", "learning", "training") if key in entry}
    if not isinstance(entry["weights"], str):
        kept["format"] = entry["weights"]["format"]
    return kept


def task_entry(wildcards):
    """The task of a network, without its title."""
    task = CATALOGUE.tasks[CATALOGUE.network(wildcards.network)["task"]]
    optional = {key: task[key] for key in ("align", "window", "bin_width") if key in task}
    return {key: task.get(key, {}) for key in ("task", "options", "test")} | optional


def training_task(wildcards):
    """What of a task decides the weights: not how they are tested."""
    entry = task_entry(wildcards)
    return {key: entry[key] for key in ("task", "options")}


def task_module(wildcards):
    return f"neurocompare.tasks.{task_entry(wildcards)['task']}"


def train_code(wildcards):
    return code("train_network", task_module(wildcards))


def load_recurrent_code(wildcards):
    return code("load_recurrent", task_module(wildcards))


def run_code(wildcards):
    return code("run_trials", task_module(wildcards))


def recurrent_file(wildcards):
    """The published weights of one seed; nothing for weights that are drawn at random."""
    weights = CATALOGUE.network(wildcards.network)["weights"]
    return [] if isinstance(weights, str) else raw(wildcards.network, [weights["files"][wildcards.seed]["file"]])


def trial_weights(wildcards):
    entry = CATALOGUE.recording(wildcards.recording)
    return f"results/train/{entry['network']}/seed-{entry['seed']}.safetensors"


def describe_network_code(wildcards):
    task = CATALOGUE.tasks[CATALOGUE.network(CATALOGUE.recording(wildcards.recording)["network"])["task"]]["task"]
    return code(
        "describe_network", module_of(wildcards.description, DESCRIPTION_PACKAGES), f"neurocompare.tasks.{task}"
    )


def tdr_details(wildcards):
    return first_seeds(details_of(wildcards.study, "tdr"))


def learning_curves(wildcards):
    trained = recurrent_names("trained")
    names = [name for name in CATALOGUE.study(wildcards.study)["networks"] if name in trained]
    return [f"results/train/{n}/seed-{s}.curve.tsv" for n in names for s in CATALOGUE.network(n)["seeds"]]


def first_seeds(paths):
    """Leave out all but the first seed of each recurrent network: others are in the tables."""
    others = {
        name for n, e in CATALOGUE.recurrent().items() for name in [f"{n}-seed={seed}" for seed in e["seeds"][1:]]
    }
    return [path for path in paths if Path(path).parent.name not in others]


def fixed_points_details(wildcards):
    return first_seeds(details_of(wildcards.study, "fixed"))


def selection_details(wildcards):
    return first_seeds(details_of(wildcards.study, "selection"))


def perturbation_details(wildcards):
    return first_seeds(details_of(wildcards.study, "perturbation"))


def spectra_details(wildcards):
    """Those of all seeds."""
    return details_of(wildcards.study, "fixed")
