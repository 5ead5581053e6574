"""The grammar of ids, and the errors for names that do not exist."""

import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocompare import identifiers
from neurocompare.errors import UserError, check_options, unknown
from neurocompare.identifiers import DESCRIPTION_PACKAGES, PACKAGE, module_of, parse

WORD = st.from_regex(r"[a-z0-9_]+", fullmatch=True)
VALUE = st.lists(WORD, min_size=1, max_size=3).map("-".join)


def test_the_example_in_the_documentation_holds():
    assert doctest.testmod(identifiers).failed == 0


@pytest.mark.parametrize(
    ("identifier", "words", "options"),
    [
        ("pixels", "pixels", {}),
        ("cca-mean", "cca-mean", {}),
        ("recording-session=3", "recording", {"session": "3"}),
        ("rsa-distance=correlation-compare=rho-a", "rsa", {"distance": "correlation", "compare": "rho-a"}),
        ("a-b-c=d-e-f=g", "a-b", {"c": "d-e", "f": "g"}),
        ("rbf-width=1=2", "rbf", {"width": "1=2"}),
    ],
)
def test_words_come_first_and_values_may_hold_hyphens(identifier, words, options):
    assert parse(identifier) == (words, options)


@settings(max_examples=50, deadline=None)
@given(words=st.lists(WORD, min_size=1, max_size=3), options=st.dictionaries(WORD, VALUE, max_size=4))
def test_an_id_says_what_it_was_made_of(words, options):
    identifier = "-".join([*words, *(f"{key}={value}" for key, value in options.items())])
    found, parsed = parse(identifier)
    assert found == "-".join(words)
    assert list(parsed.items()) == list(options.items())


@pytest.mark.parametrize("identifier", ["", "-", "a--b", "-a", "a-", "=b", "a=b", "distance=correlation"])
def test_an_id_starts_with_words(identifier):
    with pytest.raises(UserError, match="must start with a word|is empty or given twice"):
        parse(identifier)


@pytest.mark.parametrize(
    ("identifier", "token"),
    [("rsa-distance=", "distance="), ("rsa-=correlation", "=correlation"), ("rsa-a=1-b=2-a=3", "a=3")],
)
def test_an_option_is_given_once_and_with_a_value(identifier, token):
    with pytest.raises(UserError) as caught:
        parse(identifier)
    assert identifier in str(caught.value)
    assert f"option '{token}' is empty or given twice" in str(caught.value)


def test_the_first_word_names_the_module():
    assert module_of("cka-kernel=linear-hsic=song") == "neurocompare.similarity.cka"
    assert module_of("ridge-folds=10") == "neurocompare.prediction.ridge"
    assert module_of("decoding-target=orientation", DESCRIPTION_PACKAGES) == "neurocompare.description.decoding"
    assert module_of("cka") == module_of("cka-anything=at-all")


@pytest.mark.parametrize(
    ("identifier", "packages", "message"),
    [
        ("rdsa-distance=correlation", identifiers.MEASURE_PACKAGES, "unknown measure 'rdsa'; did you mean rsa"),
        ("reliabilty-split=random", DESCRIPTION_PACKAGES, "unknown description 'reliabilty'; did you mean reliability"),
        ("cka", DESCRIPTION_PACKAGES, "unknown description 'cka'"),
        ("__init__", identifiers.MEASURE_PACKAGES, "unknown measure '__init__'"),
        ("../similarity/cka", identifiers.MEASURE_PACKAGES, "unknown measure"),
    ],
)
def test_a_module_that_does_not_exist_is_told_with_its_neighbours(identifier, packages, message):
    with pytest.raises(UserError) as caught:
        module_of(identifier, packages)
    assert message in str(caught.value)


@pytest.mark.parametrize("package", [*identifiers.MEASURE_PACKAGES, *DESCRIPTION_PACKAGES])
def test_every_package_of_measures_has_modules(package):
    assert list((PACKAGE / package).glob("[a-z]*.py"))


def test_an_unknown_name_is_told_with_the_near_ones_or_with_all():
    assert str(unknown("layer", "blok10", ["block1", "block10", "pool"])) == (
        "unknown layer 'blok10'; did you mean block10 or block1?"
    )
    assert str(unknown("layer", "xyz", ["pool", "block1"])) == "unknown layer 'xyz'; known: block1, pool"
    assert str(unknown("layer", "xyz", [])) == "unknown layer 'xyz'; known: none"


def load(files, *, sha256, region, window=(0, 1)):
    """Stand in for a loader."""


def render(files, *, pixels, **options):
    """Stand in for a renderer that hands options on."""


def test_options_are_checked_before_a_function_is_called():
    check_options(load, {"sha256": {}, "region": "V1"}, "recording 'x'")
    check_options(load, {"sha256": {}, "region": "V1", "window": (0, 2)}, "recording 'x'")
    check_options(render, {"pixels": 3, "contrast": 1}, "stimuli 'x'")
    with pytest.raises(UserError, match="unknown option of recording 'x' 'regoin'; did you mean region"):
        check_options(load, {"sha256": {}, "regoin": "V1"}, "recording 'x'")
    with pytest.raises(UserError, match="recording 'x': option 'region' is missing; add it"):
        check_options(load, {"sha256": {}}, "recording 'x'")
    with pytest.raises(UserError, match="unknown option of recording 'x' 'files'"):
        check_options(load, {"sha256": {}, "region": "V1", "files": {}}, "recording 'x'")
    with pytest.raises(UserError, match="stimuli 'x': option 'pixels' is missing"):
        check_options(render, {"contrast": 1}, "stimuli 'x'")
