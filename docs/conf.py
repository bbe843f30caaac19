"""How Sphinx makes a site of these pages: `make docs`. What it adds to Sphinx is in `docs/making.py`."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
PROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "amla"
release = version = PROJECT["version"]
copyright = "the authors of amla"  # noqa: A001 - as Sphinx calls it
language = "en-GB"
smartquotes = False  # "10m" is to be typed as it stands

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "making"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "studies/**.md"]
exclude_patterns = [".*", "build", "runs"]

myst_heading_anchors = 6

autodoc_mock_imports = ["onnx", "onnxruntime", "onnxscript", "optuna", "ray", "scipy", "sklearn", "torch"]
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 88
default_role = "named"

html_theme = "furo"
html_title = f"amla {release}"
html_copy_source = False
html_show_sphinx = False
