"""Catalogues and studies: the real ones are valid, and every mistake is one line that says where and what to do."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from neurocompare import catalogue, catalogue_checks, yamlfiles
from neurocompare.errors import UserError

TOP = Path(__file__).resolve().parent.parent
SCHEMAS = TOP / "workflow/schemas"
STUDIES = sorted(path.stem for path in (TOP / "config/studies").glob("*.yaml"))

RECORDINGS = """
mouse:
  loader: antolik2016
  stimuli: photos
  options: {region: region1}
  files:
    a.npy:
      sha256: &sha aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      sources:
        - url: https://data.invalid/a.npy
        - {url: https://data.invalid/all.zip, member: a.npy}
        - {pip: some-package==1.0, sha256: *sha, kind: wheel, member: a.npy}
monkey:
  loader: macaque_v1_gratings
  sessions: 3
monkeys:
  pool: {recordings: [monkey-session=1, monkey-session=2], match: [stimulus]}
"""
STIMULI = """
photos: {recording: mouse}
gratings: {renderer: gratings, options: {orientations: 8, pixels: 16}}
"""
NETWORKS = """
pixels: &pixels
  title: Pixels
  architecture: pixels
  training: none
  weights: none
  seeds: [0]
  preprocessing: {mode: grey, size: 16, mean: 0, divisor: 255}
  batch: 4
  block: 8
trained:
  <<: *pixels
  architecture: efficientnet_lite0
  weights:
    file: net.pth
    sha256: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    sources: [{url: https://data.invalid/net.pth}]
"""
RECOVERIES = """
known:
  stimuli: gratings
  generators: {pixels: pixels}
  candidates: {pixels: pixels, trained: stem}
  options: {seeds: 2, neurons: 5, repeats: 2, snr: 0.5}
"""
STUDY = """
title: A study
recordings: [mouse]
networks: [pixels, trained]
measures: [rsa-distance=correlation-compare=spearman]
descriptions: [reliability-split=random, nmf-loss=frobenius]
recoveries: [known]
figures: [profile, parts, recovery]
"""

CONCLUDED = """
title: A study with a conclusion
recordings: [mouse]
networks: [pixels, trained]
measures: [rsa-distance=correlation-compare=spearman, cka-kernel=linear-hsic=song]
conclusion: {network: pixels, above: trained}
figures: [multiverse, families, heatmap, forest]
"""


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "config"
    (folder / "studies").mkdir(parents=True)
    for name, text in [
        ("recordings", RECORDINGS),
        ("stimuli", STIMULI),
        ("networks", NETWORKS),
        ("recoveries", RECOVERIES),
        ("studies/one", STUDY),
    ]:
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def replace(config, file, old, new):
    path = config / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def refused(config):
    with pytest.raises(UserError) as caught:
        catalogue.load(config, SCHEMAS)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400, "a line, not a dump"
    return message


def test_the_catalogues_and_studies_of_the_project_are_valid():
    found = catalogue.load(TOP / "config", SCHEMAS)
    assert found.studies.keys() == set(STUDIES)
    chosen = yamlfiles.read(TOP / "config/config.yaml", SCHEMAS / "config.schema.json")["studies"]
    assert set(chosen) <= set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_selects_what_exists(name):
    found = catalogue.load(TOP / "config", SCHEMAS)
    study = found.study(name)
    assert study["title"]
    for recording in study["recordings"]:
        found.recording(recording)
    for network in study["networks"]:
        found.network(network)


def test_ids_of_measures_in_the_studies_exist_in_full():
    from neurocompare import similarity

    studies = catalogue.load(TOP / "config", SCHEMAS).studies
    for measure in {measure for study in studies.values() for measure in study.get("measures", [])}:
        assert similarity.load(measure).name == measure


def test_what_the_cases_below_start_from_is_valid(config):
    found = catalogue.load(config, SCHEMAS)
    assert found.study("one")["networks"] == ["pixels", "trained"]
    assert found.networks["trained"]["title"] == "Pixels", "merge keys work"


# By file: what stands there, what is put in its place, and what the message then says.
MISTAKES = {
    "recordings.yaml": [
        ("{region:", "{regoin:", "mouse: options: unknown option 'regoin'; did you mean region?"),
        ("loader: antolik", "loadr: antolik", "mouse: unknown key 'loadr'; did you mean loader?"),
        ("loader: antolik2016", "loader: antolik2017", "mouse: unknown loader 'antolik2017'; did you mean antolik2016"),
        ("stimuli: photos", "stimuli: fotos", "mouse: unknown stimuli 'fotos'; did you mean photos?"),
        ("files:", "fils:", "mouse: unknown key 'fils'; did you mean files?"),
        ("sha256: &", "sha265: &", "mouse.files.a.npy: unknown key 'sha265'; did you mean sha256?"),
        ("- url:", "- ulr:", "mouse.files.a.npy.sources.0: unknown key 'ulr'; did you mean url?"),
        ("{url:", "{ulr:", "sources.1: unknown key 'ulr'; did you mean url?"),
        (
            "member: a.npy}\n        - {pip",
            "membr: a.npy}\n        - {pip",
            "sources.1: unknown key 'membr'; did you mean member?",
        ),
        ("{pip:", "{pipp:", "sources.2: unknown key 'pipp'; did you mean pip?"),
        ("kind: wheel", "kind: weel", "sources.2.kind: unknown value 'weel'; did you mean wheel?"),
        ("kind: wheel, ", "", "sources.2 … 'kind' is a required property"),
        ("https://data.invalid/a", "file:///a", "sources.0.url … 'file:///a.npy' does not match"),
        ("==1.0", ">=1.0", "sources.2.pip … does not match"),
        ("&sha aa", "&sha ax", "mouse.files.a.npy … sha256 … does not match"),
        ("a.npy:\n", "../a.npy:\n", "mouse.files … '../a.npy' does not match"),
        ("sessions: 3", "sessions: 0", "monkey.sessions … minimum"),
        ("mouse:", "mouse/one:", "'mouse/one' does not match"),
        ("mouse:", "2016:", "key 2016 is no text, quote it … line 2"),
        ("monkey:", "mouse:", "key 'mouse' is given twice"),
        ("loader: antolik2016", "loader: [", "not valid YAML"),
        ("  loader: macaque_v1_gratings\n  sessions: 3\n", "", "monkey … None is not of type 'object'"),
        (RECORDINGS, "[mouse, monkey]", "top level … is not of type 'object'"),
    ],
    "stimuli.yaml": [
        ("{recording:", "{recordin:", "photos: unknown key 'recordin'; did you mean recording?"),
        ("recording: mouse", "recording: mose", "photos: unknown recording 'mose'; did you mean mouse"),
        ("recording: mouse", "recording: monkeys", "photos: recording: 'monkeys' is a pool … name one of its members"),
        ("{renderer:", "{rendrer:", "gratings: unknown key 'rendrer'; did you mean renderer?"),
        ("renderer: gratings", "renderer: grating", "gratings: unknown renderer 'grating'; did you mean gratings"),
        ("options:", "option:", "gratings: unknown key 'option'; did you mean options?"),
        ("pixels: 16", "pixels: {x: 16}", "gratings.options.pixels"),
    ],
    "networks.yaml": [
        ("batch:", "bacth:", "unknown key 'bacth'; did you mean batch?"),
        ("mode:", "mod:", "preprocessing: unknown key 'mod'; did you mean mode?"),
        ("mode: grey", "mode: gray", "preprocessing.mode: unknown value 'gray'; did you mean grey?"),
        ("weights: none", "weights: non", "pixels.weights: unknown value 'non'; did you mean none?"),
        ("file: net", "fil: net", "trained.weights: unknown key 'fil'; did you mean file?"),
        ("[{url:", "[{ulr:", "trained.weights.sources.0: unknown key 'ulr'; did you mean url?"),
        ("architecture: pixels", "architecture: pixel", "pixels: unknown architecture 'pixel'; did you mean pixels?"),
        ("seeds: [0]", "seeds: 0", "seeds … 0 is not of type 'array'"),
        ("seeds: [0]", "seeds: [0, 0]", "seeds … non-unique"),
        ("trained:", "mouse:", "'mouse' is also the id of a recording; rename one"),
    ],
    "recoveries.yaml": [
        ("generators:", "generator:", "known: unknown key 'generator'; did you mean generators?"),
        ("snr:", "srn:", "known.options: unknown key 'srn'; did you mean snr?"),
        ("snr: 0.5", "snr: 0", "known.options.snr"),
        ("stimuli: gratings", "stimuli: grating", "known: unknown stimuli 'grating'; did you mean gratings?"),
        ("generators: {pixels", "generators: {pixel", "known: unknown network 'pixel'; did you mean pixels?"),
        ("trained: stem", "traned: stem", "known: unknown network 'traned'; did you mean trained?"),
    ],
    "studies/one.yaml": [
        ("nmf-loss=frobenius", "inventory", "figure 'parts' needs a description nmf-…; select one"),
        ("networks:", "network:", "top level: unknown key 'network'; did you mean networks?"),
        ("title: A study", "", "'title' is a required property"),
        ("[mouse]", "[mose]", "unknown recording 'mose'; did you mean mouse"),
        ("[mouse]", "[]", "recordings … non-empty"),
        ("[mouse]", "[mouse-session=1]", "'mouse-session=1' … takes no options"),
        ("[mouse]", "[monkey]", "'monkey' … name one session, monkey-session=K with K one of 1, 2, 3"),
        ("[mouse]", "[monkey-session=4]", "'monkey-session=4' … name one session"),
        ("[mouse]", "[monkey-session=one]", "'monkey-session=one' … name one session"),
        ("[mouse]", "[monkey-sesion=1]", "'monkey-sesion=1' … name one session"),
        ("[mouse]", "[monkey-session=01]", "'monkey-session=01' … name one session"),
        ("[mouse]", "[monkey-session=1-x=2]", "'monkey-session=1-x=2' … name one session"),
        ("[mouse]", "[monkey-session=1]", "'monkey-session=1' has no stimuli … a study of its own"),
        ("[pixels,", "[pixel,", "unknown network 'pixel'; did you mean pixels?"),
        ("[pixels,", "[trained,", "networks … non-unique"),
        ("[rsa-", "[rdsa-", "unknown measure 'rdsa'; did you mean rsa"),
        ("compare=spearman", "compare=", "option 'compare=' is empty"),
        ("[reliability-", "[reliablity-", "unknown description 'reliablity'; did you mean reliability"),
        ("recoveries: [known]", "recoveries: [knwn]", "unknown recovery 'knwn'; did you mean known?"),
        ("profile,", "profle,", "figures.0: unknown value 'profle'; did you mean profile?"),
        ("profile,", "multiverse,", "figure 'multiverse' needs conclusion; select some, or leave the figure out"),
        ("profile,", "families,", "figure 'families' compares measures; select several, or leave"),
        ("measures: [rsa-distance=correlation-compare=spearman]", "", "figure 'profile' needs measures; select some"),
        (
            STUDY,
            STUDY.replace("spearman]", "spearman-sample=8]").replace("profile,", "sizes,"),
            "figure 'sizes' samples units itself … 'rsa-distance=correlation-compare=spearman-sample=8' has a 'sample'",
        ),
        (STUDY, CONCLUDED.replace("above: trained", "over: trained"), "conclusion: unknown key 'over'"),
        (
            STUDY,
            CONCLUDED.replace("above: trained", "above: traned"),
            "in 'conclusion' 'traned'; did you mean trained?",
        ),
        (STUDY, CONCLUDED.replace("above: trained", "above: pixels"), "'pixels' is compared with itself"),
        (STUDY, CONCLUDED.replace(", above: trained", ""), "conclusion … 'above' is a required property"),
        (STUDY, CONCLUDED.replace("spearman, cka-kernel=linear-hsic=song", "spearman"), "leave nothing to choose"),
        ("networks: [pixels, trained]", "", "figure 'profile' needs networks; select some, or leave"),
        ("recoveries: [known]", "", "figure 'recovery' needs recoveries"),
        (
            "descriptions: [reliability-split=random, nmf-loss=frobenius]",
            "",
            "figure 'parts' needs a description nmf-…",
        ),
    ],
}


CASES = [(file, *mistake) for file, mistakes in MISTAKES.items() for mistake in mistakes]


@pytest.mark.parametrize(("file", "old", "new", "said"), CASES, ids=[said for *_, said in CASES])
def test_a_mistake_is_one_line_with_the_file_the_place_and_the_near_name(config, file, old, new, said):
    replace(config, file, old, new)
    message = refused(config)
    assert message.startswith(f"{config / file}: ")
    for part in said.split(" … "):
        assert part in message


@pytest.mark.parametrize("name", catalogue.CATALOGUES)
def test_a_catalogue_that_is_missing_is_named(config, name):
    (config / f"{name}.yaml").unlink()
    assert refused(config) == f"{config / name}.yaml: no such file"


def test_an_empty_catalogue_is_a_catalogue_of_nothing(config):
    (config / "recoveries.yaml").write_text("# nothing yet\n")
    replace(config, "studies/one.yaml", "recoveries: [known]", "")
    replace(config, "studies/one.yaml", ", recovery", "")
    assert catalogue.load(config, SCHEMAS).recoveries == {}


def test_a_file_in_another_encoding_is_named(config):
    (config / "networks.yaml").write_bytes("größe: 3".encode("latin-1"))
    assert refused(config).startswith(f"{config / 'networks.yaml'}: not valid YAML")


def test_a_session_is_a_recording_with_its_number_among_the_options(config):
    found = catalogue.load(config, SCHEMAS)
    entry = found.recording("monkey-session=2")
    assert entry["name"] == "monkey"
    assert entry["options"] == {"session": 2}
    assert found.recording("mouse")["options"] == {"region": "region1"}
    assert "options" not in found.recordings["monkey"], "the catalogue was changed"


def test_raw_files_belong_to_recordings_and_to_networks_with_published_weights(config):
    found = catalogue.load(config, SCHEMAS)
    assert found.files("mouse").keys() == {"a.npy"}
    assert found.files("trained").keys() == {"net.pth"}
    assert found.files("trained")["net.pth"].keys() == {"sha256", "sources"}
    assert found.files("monkey") == found.files("pixels") == found.files("nothing") == {}


def test_names_that_do_not_exist_are_told_with_the_near_ones(config):
    found = catalogue.load(config, SCHEMAS)
    for call, kind in ((found.recording, "recording"), (found.network, "network"), (found.study, "study")):
        with pytest.raises(UserError, match=f"unknown {kind} 'nothing'; known: "):
            call("nothing")
    with pytest.raises(UserError, match="did you mean one?"):
        found.study("on")


def test_a_study_may_leave_out_all_but_its_title_and_recordings(config):
    (config / "studies/bare.yaml").write_text("title: Bare\nrecordings: [monkey-session=1]\n")
    study = catalogue.load(config, SCHEMAS).study("bare")
    assert study.pop("title") == "Bare"
    assert study.pop("recordings") == ["monkey-session=1"]
    assert set(study) == {"networks", "measures", "descriptions", "recoveries", "encodings", "figures"}
    assert all(selected == [] for selected in study.values())


def test_a_study_may_name_a_conclusion_and_its_multiverse(config):
    replace(config, "studies/one.yaml", STUDY, CONCLUDED)
    assert catalogue.load(config, SCHEMAS).study("one")["conclusion"] == {"network": "pixels", "above": "trained"}


def objects(schema, place=""):
    """Yield every part of a schema that describes a mapping."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" or "properties" in schema:
            yield place, schema
        for key, part in schema.items():
            yield from objects(part, f"{place}/{key}")
    elif isinstance(schema, list):
        for k, part in enumerate(schema):
            yield from objects(part, f"{place}/{k}")


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_schemas_allow_no_key_that_they_do_not_describe(path):
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema", "another draft warns at every parse"
    found = list(objects(schema))
    assert found
    for place, part in found:
        allowed = part.get("additionalProperties", True)
        if "properties" in part:
            assert allowed is False, f"{place} allows other keys than its own"
            assert set(part.get("required", [])) <= set(part["properties"]), place
        else:
            assert isinstance(allowed, dict), f"{place} says nothing of its entries"
            assert {"type", "oneOf", "enum"} & set(allowed), f"{place} allows entries of any form"


def test_every_figure_has_its_needs_its_rule_and_its_script():
    schema = json.loads((SCHEMAS / "study.schema.json").read_text(encoding="utf-8"))
    figures = schema["properties"]["figures"]["items"]["enum"]
    assert set(catalogue_checks.NEEDS) | set(catalogue_checks.DRAWN) == set(figures)
    rules = "".join(path.read_text(encoding="utf-8") for path in (TOP / "workflow/rules").glob("figures*.smk"))
    for figure in figures:
        assert f"rule draw_{figure}:" in rules
        assert f'"results/draw/{{study}}/{figure}.svg"' in rules


def test_reading_leaves_the_files_alone(config, tmp_path):
    shutil.copytree(config, tmp_path / "before")
    catalogue.load(config, SCHEMAS)
    for path in (tmp_path / "before").rglob("*.yaml"):
        assert path.read_bytes() == (config / path.relative_to(tmp_path / "before")).read_bytes()
        assert isinstance(yaml.safe_load(path.read_text()), dict)
