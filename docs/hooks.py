"""What mkdocs needs so that the same Markdown reads well on GitHub and as a site.

Some pages stand elsewhere in the repository (CONTRIBUTING.md, seeds/README.md ...): PAGES brings them in. Links are
written as on GitHub, from file to file. Where the file is a page of the site, the link leads to that page; where it is
another file of the repository, its name is left as text.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
# Files outside docs/ that are pages of the site, by their names there.
PAGES = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "seed-tasks.md": "seeds/README.md",
    "tests.md": "tests/README.md",
    "security.md": "SECURITY.md",
}
_SITE_NAMES = {source: page for page, source in PAGES.items()} | {"README.md": "index.md"}
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand outside docs/."""
    for name, source in PAGES.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """Point links at pages of the site."""
    name = page.file.src_uri
    source = PAGES.get(name, f"docs/{name}")

    def led(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["target"]))
        inside = _SITE_NAMES.get(path, path.removeprefix("docs/"))
        if files.get_file_from_path(inside) and (path in _SITE_NAMES or path.startswith("docs/")):
            here = posixpath.relpath(inside, posixpath.dirname(name) or ".")
            return f"[{link['text']}]({here}{link['anchor'] or ''})"
        exists = (ROOT / path).exists() and not path.startswith("docs/")
        return link["text"] if exists else link[0]  # mkdocs warns of a link that leads nowhere

    return _LINK.sub(led, markdown)
