"""Write the table of measures into README.md, between its two markers, from what the measures declare."""

import sys
from pathlib import Path

top = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(top / "workflow"))

from neurocompare.similarity import markdown  # noqa: E402

readme = top / "README.md"
text = readme.read_text(encoding="utf-8")
head, rest = text.split("<!-- measures -->\n")
readme.write_text(head + f"<!-- measures -->\n{markdown()}" + rest[rest.index("<!-- end of measures -->") :], "utf-8")
