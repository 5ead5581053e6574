"""YAML files, read and validated against JSON schemas, with one line for a mistake.

Imported while the Snakefile is parsed, so it needs only the standard library, PyYAML and jsonschema,
which Snakemake itself has loaded.
"""

import json
from pathlib import Path

import jsonschema
import yaml

from neurocompare.errors import UserError, unknown


def read(path: Path, schema: Path) -> dict:
    """Read a YAML file and validate it against a JSON schema.

    Parameters
    ----------
    path : Path
        The YAML file.
    schema : Path
        The schema.

    Returns
    -------
    dict
        The content.

    Raises
    ------
    UserError
        If the file is absent, is not YAML or breaks the schema.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = yaml.load(file, _Loader)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # PyYAML names the file twice more.
        reason = " ".join(str(error).replace(f'in "{path}", ', "at ").split())
        raise UserError(f"{path}: not valid YAML: {reason}") from None
    return validate({} if content is None else content, schema, str(path))


def validate(content: dict, schema: Path, name: str) -> dict:
    """Validate content against a JSON schema.

    Parameters
    ----------
    content : dict
        What to validate.
    schema : Path
        The schema.
    name : str
        What the error calls the content.

    Returns
    -------
    dict
        `content` itself.

    Raises
    ------
    UserError
        One line with the place and the cure.
    """
    rules = json.loads(schema.read_text(encoding="utf-8"))
    error = _most_telling(jsonschema.Draft202012Validator(rules).iter_errors(content))
    if error is None:
        return content
    place = ".".join(str(step) for step in error.absolute_path) or "top level"
    if odd := _odd(error):
        raise UserError(f"{name}: {place}: {unknown('key', odd[0], error.schema.get('properties', {}))}")
    if error.validator == "enum" and isinstance(error.instance, str):
        raise UserError(f"{name}: {place}: {unknown('value', error.instance, error.validator_value)}")
    raise UserError(f"{name}: {place}: {error.message}")


def _most_telling(errors):
    """The error to show: not that no alternative fits, but what is wrong with the nearest one."""
    found = max(errors, default=None, key=_weight)
    while found is not None and found.context:
        alternatives: dict[int, list] = {}
        for error in found.context:
            alternatives.setdefault(error.relative_schema_path[0], []).append(error)
        found = max(min(alternatives.values(), key=_distance), key=_weight)
    return found


def _weight(error) -> tuple:
    # A mistyped key is both missing and unknown; that it is unknown tells more.
    return -len(error.absolute_path), error.validator not in ("oneOf", "required")


def _distance(errors) -> tuple:
    """How far content is from an alternative, given what is wrong: of another type, then the number of faults."""
    other_type = any(error.validator == "type" and not error.relative_path for error in errors)
    return other_type, sum(len(_odd(error)) or 1 for error in errors)


def _odd(error) -> list[str]:
    """Keys that should not be there."""
    if error.validator != "additionalProperties":
        return []
    return sorted(set(error.instance) - set(error.schema.get("properties", {})))


class _Loader(yaml.SafeLoader):
    """YAML in which every key is text, and given once."""

    def construct_mapping(self, node, deep=False):
        """Refuse what plain YAML would silently turn into a number or replace."""
        given = set()
        for key, _ in node.value:
            if key.tag.endswith(":merge"):
                continue
            if not key.tag.endswith(":str"):
                raise yaml.MarkedYAMLError(problem=f"key {key.value} is no text, quote it", problem_mark=key.start_mark)
            if key.value in given:
                raise yaml.MarkedYAMLError(problem=f"key '{key.value}' is given twice", problem_mark=key.start_mark)
            given.add(key.value)
        return super().construct_mapping(node, deep)
