"""Digests of code, so that a result knows which code made it (standard library only).

Snakemake watches neither imported modules nor what they import. The workflow therefore passes to every
rule, as a parameter, the digest of its script and of all the modules of this package that the script
can reach: editing a module reruns exactly the jobs that use it, touching one reruns nothing.
"""

import ast
import functools
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent
NAME = PACKAGE.name


def code_digest(script: str | Path, *modules: str) -> str:
    """Digest a script with every module of the package that it, or they, import.

    Parameters
    ----------
    script : str or Path
        A Python file.
    *modules : str
        Full names of modules that the script imports by name at run time, such as
        ``"neurocompare.similarity.cka"``; imports that are written out are found by themselves.

    Returns
    -------
    str
        64 hexadecimal digits. Depends on the content of the files only, not on their place or time.
    """
    script = Path(script)
    reached: set[Path] = set()
    waiting = [script] + [path for module in modules for path in _files(module)]
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting.extend(_imports(path))
    digest = hashlib.sha256()
    library = sorted((path.relative_to(PACKAGE.parent).as_posix(), path) for path in reached - {script})
    for name, path in [(script.name, script), *library]:
        content = path.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@functools.cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Files of the package that one file imports, anywhere in it."""
    found: list[Path] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from package import name`: the name may be a module of its own.
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            found.extend(_files(name))
    return tuple(found)


def _files(module: str) -> list[Path]:
    """The module's file and the ``__init__`` files of the packages around it; empty if it is not ours."""
    parts = module.split(".")
    if parts[0] != NAME:
        return []
    folders = [PACKAGE.joinpath(*parts[1:i]) for i in range(1, len(parts) + 1)]
    files = [folder / "__init__.py" for folder in folders] + [folders[-1].with_suffix(".py")]
    return [path for path in files if path.is_file()]
