"""What users of a workflow rely on, tried on a study of a few seconds: what is run again, and what a mistake does.

All runs use a copy of the workflow, so that it can be edited and so that edits made meanwhile do no harm.
"""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from neurocompare import files, representation

TOP = Path(__file__).resolve().parents[2]
RSA = "rsa-distance=correlation-compare=spearman"
CKA = "cka-kernel=linear-hsic=song"
NOTHING = "Nothing to be done"
# The digests of code are among the parameters; the trigger that is left out goes by the times of the scripts.
CONTENT = ("--rerun-triggers", "mtime", "input", "params", "software-env")

CONFIG = {
    "config": "studies: [small]",
    "recordings": """
        simulated:
          loader: simulated_orientation
          stimuli: gratings
          options: {neurons: 20, trials: 160, bins: 16, seed: 0}
        """,
    "stimuli": """
        gratings:
          renderer: gratings
          options: {orientations: 16, spatial_frequency: 0.05, size_degrees: 80, pixels: 16}
        """,
    "networks": """
        gabor_bank:
          title: Gabor bank
          architecture: gabor_bank
          training: none
          weights: none
          seeds: [0]
          options: {size: 16, grid: 2, orientations: 4, frequencies: [2, 4]}
          preprocessing: {mode: grey, size: 16, mean: 0, divisor: 255}
          batch: 4
          block: 8
        pixels:
          title: Pixels
          architecture: pixels
          training: none
          weights: none
          seeds: [0]
          options: {size: 16, channels: 1}
          preprocessing: {mode: grey, size: 16, mean: 127, divisor: 128}
          batch: 4
          block: 8
        """,
    "recoveries": "",
    "studies/small": f"""
        title: A small study
        recordings: [simulated]
        networks: [gabor_bank, pixels]
        measures: [{RSA}, {CKA}]
        figures: [profile]
        """,
    "studies/again": f"""
        title: Another study with a part of the same comparisons
        recordings: [simulated]
        networks: [pixels]
        measures: [{CKA}]
        """,
}
COMPARED = {f"results/compare/simulated/{network}/{m}" for network in ("gabor_bank", "pixels") for m in (RSA, CKA)}
ENDS = {"gather_scores", "contrast_networks", "collect_warnings", "draw_profile", "concatenate_studies", "all"}


def dedent(text):
    lines = text.splitlines()
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[indent:] for line in lines) + "\n"


def configure(folder, **changed):
    """Write the configuration; what is given in `changed` comes after what is there by default."""
    (folder / "config/studies").mkdir(parents=True, exist_ok=True)
    for name in CONFIG | changed:
        text = dedent(CONFIG.get(name, "")) + dedent(changed.get(name, ""))
        (folder / f"config/{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def command(workflow, folder, *arguments):
    return [sys.executable, "-m", "snakemake", "-s", workflow / "Snakefile", "-d", folder, *arguments]


ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SNAKEMAKE")}


def snakemake(workflow, folder, *arguments, succeeds=True):
    done = subprocess.run(
        command(workflow, folder, *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
    return done.stdout + done.stderr


def planned(workflow, folder, *arguments):
    """Plan a run; return the jobs as (rule, first output without suffix, reason)."""
    text = snakemake(workflow, folder, "-n", *arguments)
    jobs = []
    for rule, body in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", text, re.MULTILINE):
        fields = dict(re.findall(r"^    (\w+): (.*)$", body, re.MULTILINE))
        output = fields.get("output", "").split(",")[0].removesuffix(".tsv").removesuffix(".nc").removesuffix(".svg")
        jobs.append((rule, output, fields["reason"]))
    assert jobs or NOTHING in text
    return jobs


def outputs(jobs, rule):
    return {output for name, output, _ in jobs if name == rule}


def tables(folder):
    """All tables and figures of a run, by name."""
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in (folder / "results/tables").rglob("*.tsv")}
    found |= {p.relative_to(folder).as_posix(): p.read_bytes() for p in (folder / "results/draw").rglob("*.svg")}
    assert len(found) == 7
    return found


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    """Return a copy of the workflow, as a checkout would have it."""
    return checkout(tmp_path_factory.mktemp("checkout") / "neurocompare")


def checkout(folder, source=TOP):
    folder.mkdir()
    for name in ("Snakefile", "environment.yml"):
        shutil.copy2(source / name, folder)
    shutil.copytree(source / "workflow", folder / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def finished(workflow, tmp_path_factory):
    """Return the folder of a run on two cores; it must not be changed."""
    folder = configure(tmp_path_factory.mktemp("finished"))
    snakemake(workflow, folder, "--cores", "2")
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """Return a copy of the finished run."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_the_run_makes_what_the_study_promises(finished):
    assert set(tables(finished)) == {
        "results/tables/small/scores.tsv",
        "results/tables/small/descriptions.tsv",
        "results/tables/small/contrasts.tsv",
        "results/tables/small/warnings.tsv",
        "results/tables/scores.tsv",
        "results/tables/descriptions.tsv",
        "results/draw/small/profile.svg",
    }
    scores = pd.read_csv(finished / "results/tables/scores.tsv", sep="\t")
    assert set(scores["study"]) == {"small"}
    assert set(scores["network"]) == {"gabor_bank", "pixels"}
    assert set(scores["measure"]) == {RSA, CKA}
    whole = scores[scores["layer"] == "selected"]
    assert len(whole) == 4
    assert np.isfinite(whole["value"]).all()
    # The population is tuned to orientation, which a bank of oriented filters has and pixels hide.
    by_network = whole.groupby("network")["value"].mean()
    assert by_network["gabor_bank"] > by_network["pixels"]
    # All code and settings from the raw data to the score: those of the measure and of the network.
    assert scores.groupby(["measure", "network"])["code_sha256"].nunique().eq(1).all()
    assert scores["code_sha256"].nunique() == 4


def test_a_second_run_has_nothing_to_do(workflow, finished):
    before = {path: path.stat().st_mtime_ns for path in (finished / "results").rglob("*")}
    assert NOTHING in snakemake(workflow, finished, "--cores", "1")
    assert {path: path.stat().st_mtime_ns for path in (finished / "results").rglob("*")} == before


def test_jobs_run_the_library_of_their_own_checkout(workflow, tmp_path):
    """Whatever library is installed: the digest in a table is that of the code beside the Snakefile."""
    mine = checkout(tmp_path / "other", workflow)
    library = mine / "workflow/neurocompare/simulation/populations.py"
    library.write_text(library.read_text().replace('"neurocompare simulation"', '"the other checkout"'))
    folder = configure(tmp_path / "run")
    snakemake(mine, folder, "--cores", "1", "results/ingest/simulated.nc")
    assert representation.read(folder / "results/ingest/simulated.nc").attrs["source"] == "the other checkout"


def test_touching_code_reruns_nothing(workflow, finished, tmp_path):
    mine = checkout(tmp_path / "touched", workflow)
    for path in (mine / "workflow/neurocompare").rglob("*.py"):
        path.touch()
    assert planned(mine, finished) == []
    # Scripts: a fresh checkout has new times, too. With the triggers of the profiles only content counts.
    for path in (mine / "workflow").rglob("*"):
        path.touch()
    assert planned(mine, finished, *CONTENT) == []


def test_the_profile_for_clusters_leaves_out_the_trigger_that_goes_by_time():
    text = (TOP / "config/profiles/slurm/profile.yaml").read_text(encoding="utf-8")
    assert f"rerun-triggers: [{', '.join(CONTENT[1:])}]" in text


@pytest.mark.parametrize(
    ("module", "first", "compared", "others"),
    [
        ("similarity/cka", "compare", {path for path in COMPARED if CKA in path}, ENDS),
        (
            "networks/pixels",
            "extract_grams",
            {path for path in COMPARED if "/pixels/" in path},
            {"extract_grams"} | ENDS,
        ),
        ("figures/profile", "draw_profile", set(), {"draw_profile", "all"}),
        ("fetching/http", None, set(), set()),
    ],
    ids=["measure", "network", "figure", "nothing"],
)
def test_an_edit_reruns_what_uses_it_and_nothing_else(workflow, finished, tmp_path, module, first, compared, others):
    mine = checkout(tmp_path / "edited", workflow)
    with open(mine / f"workflow/neurocompare/{module}.py", "a", encoding="utf-8") as file:
        file.write("\n# edited\n")
    jobs = planned(mine, finished)
    assert outputs(jobs, "compare") == compared
    assert {rule for rule, *_ in jobs} - {"compare"} == others
    assert outputs(jobs, "extract_grams") <= {"results/extract/gratings/pixels/seed-0"}
    assert outputs(jobs, "concatenate_studies") <= {"results/tables/scores"}
    for rule, output, reason in jobs:
        assert ("Params have changed" in reason) == (rule == first), (rule, output, reason)
        assert ("Input files updated by another job" in reason) == (rule != first), (rule, output, reason)


def test_a_study_that_grows_computes_only_what_is_new(workflow, copied):
    study = copied / "config/studies/small.yaml"
    study.write_text(study.read_text().replace(CKA, f"{CKA}, cka-kernel=linear-hsic=biased"))
    networks = copied / "config/networks.yaml"
    networks.write_text(networks.read_text().replace("title: Pixels", "title: Plain pixels"))
    # What no study of this run selects makes no difference.
    for catalogue in ("recordings", "stimuli"):
        path = copied / f"config/{catalogue}.yaml"
        first = next(iter(yaml.safe_load(path.read_text())))
        path.write_text(path.read_text() + path.read_text().replace(f"{first}:", "unused:"))
    jobs = planned(workflow, copied)
    new = {f"results/compare/simulated/{n}/cka-kernel=linear-hsic=biased" for n in ("gabor_bank", "pixels")}
    assert outputs(jobs, "compare") == new
    assert {rule for rule, *_ in jobs} - {"compare"} == ENDS


def test_another_seed_of_a_network_leaves_the_first_as_it_is(workflow, copied):
    networks = copied / "config/networks.yaml"
    before, pixels = networks.read_text().split("pixels:\n")
    networks.write_text(before + "pixels:\n" + pixels.replace("seeds: [0]", "seeds: [0, 1]"))
    jobs = planned(workflow, copied)
    assert outputs(jobs, "extract_grams") == {"results/extract/gratings/pixels/seed-1"}
    assert outputs(jobs, "compare") == {path for path in COMPARED if "/pixels/" in path}


def test_a_changed_option_of_a_recording_reruns_what_follows_from_it(workflow, copied):
    recordings = copied / "config/recordings.yaml"
    recordings.write_text(recordings.read_text().replace("neurons: 20", "neurons: 21"))
    jobs = planned(workflow, copied)
    assert outputs(jobs, "simulate") == {"results/ingest/simulated"}
    assert outputs(jobs, "compare") == COMPARED
    assert {rule for rule, *_ in jobs} - {"simulate", "compare"} == ENDS


def test_two_studies_share_their_comparisons(workflow, copied):
    shared = f"results/compare/simulated/pixels/{CKA}"
    assert {rule for rule, *_ in planned(workflow, copied, "again")} == {
        "gather_scores",
        "gather_descriptions",
        "contrast_networks",
        "collect_warnings",
        "again",
    }
    before = (copied / f"{shared}.tsv").stat().st_mtime_ns
    snakemake(workflow, copied, "--cores", "1", "results/tables/again/scores.tsv")
    assert (copied / f"{shared}.tsv").stat().st_mtime_ns == before
    both = [pd.read_csv(copied / f"results/tables/{study}/scores.tsv", sep="\t") for study in ("small", "again")]
    small, again = (table.drop(columns="study") for table in both)
    same = small[(small["network"] == "pixels") & (small["measure"] == CKA)].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, again)


def test_tables_do_not_depend_on_the_number_of_cores(workflow, finished, tmp_path):
    folder = configure(tmp_path / "sequential")
    snakemake(workflow, folder, "--cores", "1")
    assert tables(folder) == tables(finished)


def test_a_killed_run_can_be_resumed_and_ends_the_same(workflow, finished, tmp_path):
    folder = configure(tmp_path / "killed")
    with open(tmp_path / "killed.log", "w") as log:
        run = subprocess.Popen(
            command(workflow, folder, "--cores", "2"),
            env=ENVIRONMENT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while not any(folder.glob("results/compare/*/*/[a-z]*.tsv")) and time.monotonic() < deadline:
            assert run.poll() is None, (tmp_path / "killed.log").read_text()
            time.sleep(0.02)
        # The jobs are in the process group of the run, which is one of its own.
        os.killpg(run.pid, signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
    left = [path for path in (folder / "results").rglob("*.*") if path.is_file() and not path.name.startswith(".")]
    left = [path for path in left if not {"logs", "benchmarks"} & set(path.parts)]
    assert left
    assert not (folder / "results/tables/scores.tsv").exists()
    for path in left:
        whole = finished / path.relative_to(folder)
        assert path.read_bytes() == whole.read_bytes(), f"{path} looks finished and is not"

    assert "--unlock" in snakemake(workflow, folder, "--cores", "2", "--rerun-incomplete", succeeds=False)
    snakemake(workflow, folder, "--unlock")
    snakemake(workflow, folder, "--cores", "2", "--rerun-incomplete")
    assert tables(folder) == tables(finished)


def closed_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


RAW = {
    "altered/validation_set.npy": b"something else",
    "garbled/raw_validation_set.npy": b"\x93NUMPY but no more than that",
    "garbled/validation_set.npy": b"nothing of the sort",
    "damaged/net.pth": b"no weights",
}
# The output that is asked for, the log of the job that fails, and what the one line says.
MISTAKES = {
    "unknown layer": (
        f"results/recover/typo/{RSA}.tsv",
        "extract_features/gratings/gabor_bank/seed-0/enery.log",
        "unknown layer 'enery'; did you mean energy?",
    ),
    "measure that needs responses": (
        f"results/compare/published/pixels/{CKA}.tsv",
        f"compare/published/pixels/{CKA}.log",
        f"measure '{CKA}' needs responses, but recording 'published' is only a",
    ),
    "unknown measure": (
        "results/compare/simulated/pixels/cka-kernel=liner-hsic=song.tsv",
        "compare/simulated/pixels/cka-kernel=liner-hsic=song.log",
        "measure 'cka-kernel=liner-hsic=song': unknown kernel 'liner'; did you mean linear?",
    ),
    "altered raw file": (
        "results/ingest/altered.nc",
        "ingest/altered.log",
        "data/raw/altered/validation_set.npy: sha256 is",
    ),
    "unreadable raw file": (
        "results/ingest/garbled.nc",
        "ingest/garbled.log",
        "data/raw/garbled/raw_validation_set.npy: not a readable NumPy file",
    ),
    "missing weights": (
        "results/train/missing/seed-0.safetensors",
        "fetch/missing/net.pth.log",
        "put the file by hand at data/raw/missing/net.pth (sha256 aaaa",
    ),
    "damaged weights": (
        "results/train/damaged/seed-0.safetensors",
        "load_network/damaged/seed-0.log",
        "data/raw/damaged/net.pth: not a PyTorch file of weights",
    ),
}


@pytest.fixture(scope="module")
def mistaken(workflow, finished, tmp_path_factory):
    """Run all the mistakes at once; return the folder, what the terminal showed and the times of the raw files."""
    folder = Path(shutil.copytree(finished, tmp_path_factory.mktemp("mistakes") / "run"))
    checksums = {}
    for name, content in RAW.items():
        path = folder / "data/raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        checksums[name] = files.sha256(path)
    checksums |= {"altered/validation_set.npy": "a" * 64, "missing/net.pth": "a" * 64}
    sources = f"sources: [{{url: 'http://127.0.0.1:{closed_port()}/file'}}]"

    def recording(name):
        held = [path.partition("/")[2] for path in RAW if path.startswith(f"{name}/")]
        entries = [f"{file}: {{sha256: {checksums[f'{name}/{file}']}, {sources}}}" for file in held]
        return f"{name}: {{loader: antolik2016, files: {{{', '.join(entries)}}}}}\n"

    def network(name):
        weights = f"{{file: net.pth, sha256: {checksums[f'{name}/net.pth']}, {sources}}}"
        return (
            f"{name}: {{title: Net, architecture: efficientnet_lite0, training: none, seeds: [0], batch: 4, block: 8, "
            f"preprocessing: {{mode: rgb, size: 32, mean: 0, divisor: 255}}, weights: {weights}}}\n"
        )

    configure(
        folder,
        recordings=recording("altered")
        + recording("garbled")
        + "published: {loader: kriegeskorte2008, stimuli: gratings}\n",
        networks=network("missing") + network("damaged"),
        recoveries="""
        typo:
          stimuli: gratings
          generators: {gabor_bank: enery}
          candidates: {gabor_bank: energy, pixels: pixels}
          options: {seeds: 1, neurons: 5, repeats: 2, snr: 1}
        """,
    )
    stimuli = representation.read(folder / "results/ingest/simulated.nc").coords["stimulus"].values
    stimuli = np.unique(stimuli.astype(str))
    published = representation.dissimilarities(
        (1 - np.eye(len(stimuli)))[None],
        stimulus=stimuli,
        rdm={name: np.array(["one"]) for name in ("area", "animal", "session")},
        attributes={name: "none" for name in ("source", "citation", "license")}
        | {"exchangeable": "stimulus", "simultaneous": False, "sha256": {}, "distance": "correlation"},
    )
    representation.write(published, folder / "results/ingest/published.nc")
    times = {name: (folder / "data/raw" / name).stat().st_mtime_ns for name in RAW}
    targets = [target for target, *_ in MISTAKES.values()]
    done = subprocess.run(
        command(workflow, folder, "--cores", "2", "--keep-going", *targets),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr
    return folder, done.stderr, times


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_on_the_terminal_and_in_the_log_and_leaves_no_output(mistaken, mistake):
    folder, terminal, _ = mistaken
    target, log, said = MISTAKES[mistake]
    (line,) = [line for line in terminal.splitlines() if line.startswith("error: ") and said in line]
    told = (folder / "results/logs" / log).read_text(encoding="utf-8").splitlines()
    assert told[-1] == line
    assert len([text for text in told if text.startswith("error: ")]) == 1
    assert not [text for text in told if "Traceback" in text]
    path = folder / target
    assert not path.exists()
    assert not path.parent.exists() or not [left for left in path.parent.iterdir() if left.name.startswith(".")]


def test_mistakes_leave_no_traceback_on_the_terminal(mistaken):
    _, terminal, _ = mistaken
    assert len(re.findall("^error: ", terminal, re.MULTILINE)) == len(MISTAKES)
    assert "Traceback" not in terminal


def test_raw_files_that_were_put_by_hand_are_left_as_they_are(mistaken):
    folder, _, times = mistaken
    for name, content in RAW.items():
        path = folder / "data/raw" / name
        assert path.read_bytes() == content
        assert path.stat().st_mtime_ns == times[name]
    assert not (folder / "data/raw/missing/net.pth").exists()


def test_a_file_that_was_put_by_hand_survives_a_forced_fetch(workflow, tmp_path):
    contents = {"good.npy": b"what was published", "wrong.npy": b"something else"}
    source = f"{{url: 'http://127.0.0.1:{closed_port()}/file'}}"
    published = hashlib.sha256(contents["good.npy"]).hexdigest()
    entries = ", ".join(f"{name}: {{sha256: {published}, sources: [{source}]}}" for name in contents)
    folder = configure(tmp_path, recordings=f"held: {{loader: antolik2016, files: {{{entries}}}}}")
    paths = {folder / "data/raw/held" / name: content for name, content in contents.items()}
    for path, content in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    targets = [f"data/raw/held/{name}" for name in contents]
    assert NOTHING in snakemake(workflow, folder, "-n", *targets)
    arguments = ("--cores", "2", "--keep-going", "--force", *targets)
    terminal = snakemake(workflow, folder, *arguments, succeeds=False)
    (line,) = [line for line in terminal.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: data/raw/held/wrong.npy: sha256 is ")
    for path, content in paths.items():
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"config": "study: [small]"}, "config/config.yaml: top level: unknown key 'study'; did you mean studies?"),
        (
            {"studies/more": "title: More\nrecordings: [simulatd]"},
            "config/studies/more.yaml: unknown recording 'simulatd'; did you mean simulated?",
        ),
        (
            {"recordings": "misspelt: {loader: simulated_orientation, options: {neuron: 20, seed: 0}}"},
            "config/recordings.yaml: misspelt: options: unknown option 'neuron'; did you mean neurons or period?",
        ),
    ],
    ids=["config", "study", "option"],
)
def test_a_mistake_in_the_configuration_ends_the_run_before_it_starts(workflow, tmp_path, changed, line):
    folder = configure(tmp_path, **changed)
    done = subprocess.run(
        command(workflow, folder, "--cores", "1"), env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1:] == [f"error: {line}"]
    assert "Traceback" not in done.stderr
    assert not (folder / "results").exists()


def test_a_study_that_does_not_exist_is_told_with_the_near_one(workflow, tmp_path):
    folder = configure(tmp_path)
    (folder / "config/config.yaml").write_text("studies: [smal]\n")
    text = snakemake(workflow, folder, "-n", succeeds=False)
    assert "error: config/config.yaml: unknown study 'smal'; did you mean small?\n" in text
