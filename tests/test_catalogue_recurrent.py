"""Tasks and recurrent networks in the catalogue: what they become, and what is refused in one line."""

from pathlib import Path

import pytest

from neurocompare import catalogue
from neurocompare.errors import UserError

SCHEMAS = Path(__file__).resolve().parent.parent / "workflow/schemas"

TASKS = """
dots:
  title: Motion or color
  task: context_integration
  options: {stimulus: 0.5, coherences: [0.1, 0.5]}
  test: {repeats: 3}
  window: [0, 0.5]
"""
RECURRENT = """
learner: &learner
  title: Learns
  task: dots
  training: context-dependent integration
  weights: trained
  seeds: [0, 3]
  cell: {kind: rate, units: 20}
  learning: {updates: 10, batch: 8}
beginner:
  title: Has learnt nothing
  task: dots
  training: none
  weights: random
  seeds: [0]
  cell: {kind: gru, units: 20}
published:
  title: From a paper
  task: dots
  training: dots
  weights:
    format: kleinman2021
    files:
      "1": {file: one.npz, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}
  seeds: [1]
  cell: {noise: 0.1}
"""
RECORDINGS = """
mouse:
  loader: antolik2016
  options: {region: region1}
monkey:
  loader: macaque_v1_gratings
  sessions: 2
"""
STUDY = """
title: A study
recordings: [mouse, monkey-session=1]
networks: [learner, beginner]
descriptions:
  - inventory
  - decoding-target=orientation: [monkey-session=1]
  - classification-label=context: [learner]
  - sweep-label=context-over=time: [beginner, learner-seed=3, mouse]
"""


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "config"
    (folder / "studies").mkdir(parents=True)
    texts = {"recordings": RECORDINGS, "stimuli": "{}", "networks": "{}", "recoveries": "{}", "tasks": TASKS}
    for name, text in (texts | {"recurrent": RECURRENT, "studies/one": STUDY}).items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_trials_of_a_network_are_a_recording_for_each_seed(config):
    found = catalogue.load(config, SCHEMAS)
    assert found.trial_ids() == ["learner-seed=0", "learner-seed=3", "beginner-seed=0", "published-seed=1"]
    assert found.trial_ids(["beginner"]) == ["beginner-seed=0"]
    entry = found.recording("learner-seed=3")
    assert (entry["network"], entry["seed"]) == ("learner", "3")
    assert not set(found.trial_ids()) & set(found.recording_ids()), "they are made, not ingested"


def test_weights_of_each_seed_are_a_raw_file(config):
    found = catalogue.load(config, SCHEMAS)
    assert found.files("published") == {"one.npz": {"sha256": "a" * 64}}
    assert found.files("learner") == found.files("beginner") == {}


def test_a_description_is_of_all_or_of_what_it_names(config):
    found = catalogue.load(config, SCHEMAS)
    names = ["mouse", "monkey-session=1", "learner-seed=0", "learner-seed=3", "beginner-seed=0"]
    pairs = found.described("one")
    assert [name for name, description in pairs if description == "inventory"] == names
    of = {d: [name for name, description in pairs if description == d] for d in found.study("one")["descriptions"]}
    assert of["decoding-target=orientation"] == ["monkey-session=1"]
    assert of["classification-label=context"] == ["learner-seed=0", "learner-seed=3"]
    assert of["sweep-label=context-over=time"] == ["mouse", "learner-seed=3", "beginner-seed=0"]
    assert [name for name, _ in pairs] == sorted((name for name, _ in pairs), key=names.index)


MISTAKES = [
    ("tasks", "task: context_integration", "task: context_integraton", "dots: unknown task … context_integration"),
    ("tasks", "stimulus: 0.5", "stimuls: 0.5", "dots: options: unknown option 'stimuls'; did you mean stimulus"),
    ("tasks", "repeats: 3", "repeat: 3", "dots: options: unknown option 'repeat'; did you mean repeats"),
    ("tasks", "window: [0, 0.5]", "window: [0]", "dots.window … too short"),
    ("recurrent", "task: dots", "task: dot", "learner: unknown task 'dot'; did you mean dots?"),
    ("recurrent", "weights: trained", "weights: random", "learner: learning: these weights are not trained here"),
    ("recurrent", "weights: random", "weights: trained", "beginner: learning: it is missing"),
    (
        "recurrent",
        "weights: trained",
        "weights: traned",
        "learner.weights: unknown value 'traned'; did you mean trained",
    ),
    ("recurrent", "updates: 10", "update: 10", "learner: unknown field of learning 'update'; did you mean updates"),
    ("recurrent", "updates: 10", "updates: -10", "learner: learning: updates is -10"),
    ("recurrent", "seeds: [1]", "seeds: [1, 2]", "published: weights.files: they are of seeds 1, and seeds are [1, 2]"),
    ("recurrent", "published:", "mouse:", "'mouse' is also the id of a recording; rename one"),
    ("studies/one", "[learner, beginner]", "[learner, beginer]", "unknown network 'beginer'; did you mean beginner"),
    ("studies/one", "learner-seed=3", "learner-seed=4", "unknown recording or recurrent network of this study"),
    ("studies/one", "[monkey-session=1]", "[monkey-session=2]", "unknown recording or recurrent network of this study"),
    ("studies/one", "inventory\n", "sweep-label=context-over=time\n", "'sweep-label=context-over=time' is given twice"),
]


@pytest.mark.parametrize(("file", "old", "new", "said"), MISTAKES, ids=[said for *_, said in MISTAKES])
def test_a_mistake_is_one_line_with_the_file_and_the_place(config, file, old, new, said):
    path = config / f"{file}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        catalogue.load(config, SCHEMAS)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    for part in said.split(" … "):
        assert part in message


def test_a_seed_that_a_network_lacks_is_told_with_those_it_has(config):
    found = catalogue.load(config, SCHEMAS)
    with pytest.raises(UserError, match="name one seed, learner-seed=K with K one of 0, 3"):
        found.recording("learner-seed=1")
