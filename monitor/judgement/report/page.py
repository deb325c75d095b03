"""The page: one HTML file without anything from elsewhere, for screen and paper, light and dark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from monitor.judgement.paths import Paths
from monitor.judgement.report.pictures import Picture
from monitor.judgement.report.tables import TextTable, clock
from monitor.judgement.verdict import Judgement

_STYLE = """
:root { color-scheme: light dark; --paper: #fdfdfb; --ink: #1c1e21; --soft: #6a6f76; --line: #d9d9d4; --band: #f3f3ef; }
@media (prefers-color-scheme: dark) { :root { --paper: #17191c; --ink: #e4e4df; --soft: #9aa0a6;
  --line: #34383d; --band: #1f2226; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2.5rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
h1 { font-size: 1.5rem; font-weight: 600; margin: 0 0 .3rem; }
h2 { font-size: 1.05rem; font-weight: 600; margin: 2.4rem 0 .3rem; }
p { margin: .2rem 0 .8rem; color: var(--soft); max-width: 48rem; }
figure { margin: 1.6rem 0; } figcaption { color: var(--soft); font-size: .9rem; }
figure svg { width: 100%; height: auto; display: block; }
.wide { overflow-x: auto; } details > summary { cursor: pointer; }
table { border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .22rem .5rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; white-space: normal; }
tbody tr:nth-child(even) { background: var(--band); }
th.w, td.w { text-align: left; }
pre { background: var(--band); padding: .8rem 1rem; overflow-x: auto; font-size: .8rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { :root { --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --band: #f5f5f5; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2 { break-after: avoid; } figure, tr { break-inside: avoid; } details { display: block; } }
"""
LONG = 40  # rows from which a table is folded


def page(title: str, paths: Paths, found: Judgement, shown: Sequence[Picture], tables: Sequence[TextTable]) -> str:
    """Return the page as HTML."""
    about = paths.about
    span = f"{clock(int(paths.times_us[0]))} to {clock(int(paths.times_us[-1]))} UTC"
    head = f"{len(paths.accounts)} accounts, {len(paths.times_us)} samples from {span}, "
    head += f"{len(paths.requirements)} configurations."
    parts = [
        "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">', f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style></head><body>", f"<h1>{escape(title)}</h1><p>{escape(head)}</p>",
    ]  # fmt: skip
    parts += [f"<figure><figcaption>{escape(one.caption)}</figcaption>{one.svg}</figure>" for one in shown]
    parts += [_table(one) for one in tables]
    sets = {one.configuration.name: _changes(one.configuration.parameters) for one in paths.requirements}
    parts += [
        "<h2>Configurations</h2><p>What each parameter set says beside the defaults.</p>",
        f"<pre>{escape(json.dumps(sets, indent=1, sort_keys=True))}</pre>",
        "<h2>How it was made</h2>", f"<pre>{escape(_quoted(about.get('command', [])))}</pre>",
        f"<pre>{escape(json.dumps({**about, 'run_sha256': found.digest}, indent=1, sort_keys=True))}</pre>",
        "</body></html>\n",
    ]  # fmt: skip
    return "\n".join(parts)


def _table(one: TextTable) -> str:
    heads = "".join(f"<th{_class(n, one)}>{escape(text)}</th>" for n, text in enumerate(one.heads))
    rows = "".join(
        "<tr>" + "".join(f"<td{_class(n, one)}>{escape(text)}</td>" for n, text in enumerate(row)) + "</tr>\n"
        for row in one.rows
    )
    body = f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>\n{rows}</tbody></table></div>'
    if len(one.rows) > LONG:
        body = f"<details><summary>{len(one.rows)} rows</summary>{body}</details>"
    return f"<h2>{escape(one.title)}</h2><p>{escape(one.note)}</p>{body if one.rows else '<p>None.</p>'}"


def _class(n: int, of: TextTable) -> str:
    return ' class="w"' if n < of.left else ""


def _changes(parameters: object) -> object:
    """Return what a set says beside its defaults, as plain values: records leave defaults out of JSON."""
    import msgspec  # noqa: PLC0415

    return json.loads(msgspec.json.encode(parameters))


def _quoted(command: object) -> str:
    import shlex  # noqa: PLC0415

    return shlex.join(command) if isinstance(command, list) else ""
