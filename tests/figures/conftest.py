"""What the tests of figures share."""

import pytest

from neurocompare.figures import style


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, in their order."""
    kept = []
    save = style.save

    def keep(figure, path):
        kept.append(figure)
        save(figure, path)

    monkeypatch.setattr(style, "save", keep)
    return kept
