"""Write the generated contracts: `python -m schemas`; with `--check`, only say which are stale."""

from __future__ import annotations

import sys
from pathlib import Path

from schemas import asyncapi, languages
from schemas.contracts import fill_tables, schema_files

FOLDER = Path(__file__).parent / "json"
ASYNCAPI = Path(__file__).parent / "asyncapi.json"
CLIENTS = Path(__file__).parents[1] / "clients"  # only in a checkout, as pages
PAGES = [Path(__file__).parents[1] / "docs" / name for name in ("events.md", "security.md")]


def wanted() -> dict[Path, bytes]:
    """Content of every generated file."""
    files = {FOLDER / name: content for name, content in schema_files()}
    files[ASYNCAPI] = asyncapi.text()
    if CLIENTS.exists():
        files[CLIENTS / "typescript" / "src" / "records.ts"] = languages.typescript().encode()
        files[CLIENTS / "typescript" / "src" / "schemas.ts"] = languages.typescript_schemas().encode()
        files[CLIENTS / "go" / "records.go"] = languages.go().encode()
    files |= {page: fill_tables(page.read_text(encoding="utf-8")).encode() for page in PAGES if page.exists()}
    return files


def stale() -> list[Path]:
    """Files that differ from what the types say, and schema files that no type stands for."""
    files = wanted()
    differing = [path for path, content in files.items() if not path.exists() or path.read_bytes() != content]
    return differing + [path for path in sorted(FOLDER.glob("*.json")) if path not in files]


def main(arguments: list[str]) -> int:
    """Write or check; return the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m schemas [--check]\n")
        return 2
    files = wanted()
    old = stale()
    for path in old:
        sys.stdout.write(f"{path.name}\n")
        if arguments:
            continue
        if path in files:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(files[path])
        else:
            path.unlink()
    return 1 if arguments and old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
