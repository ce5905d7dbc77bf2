"""A validation as JSON and as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from groundshift.validate.record import FAIL, NO_REQUIREMENT, PASS, UNDECIDED, Check, Number

_SAID = {PASS: "Pass", FAIL: "Fail", UNDECIDED: "Undecided", NO_REQUIREMENT: "For information"}
_CLASS = {PASS: "pass", FAIL: "fail", UNDECIDED: "undecided", NO_REQUIREMENT: "none"}

_STYLE = """
:root { --ink: #1d2327; --quiet: #5c666d; --line: #d9dee1; --paper: #fff; --shade: #f4f6f7; --accent: #1b6ca8;
  --pass: #1f6f46; --fail: #8c1c13; --undecided: #8a5a00; --none: #4c5a63; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaec; --quiet: #a3adb3; --line: #37424a; --paper: #14191c;
  --shade: #1d2428; --accent: #7db8e0; --pass: #4fb27f; --fail: #ef8a7f; --undecided: #e0b050; --none: #9fb0ba; } }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; color: var(--ink);
  background: var(--paper); }
main { max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .25rem; }
h1, h2, p { overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 0; }
p { margin: .6rem 0; }
.sub, footer, .notes { color: var(--quiet); font-size: .92rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; overflow-wrap: anywhere; padding: .45rem .7rem; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--quiet); font-size: .82rem; }
td.number, th.number { text-align: right; white-space: nowrap; }
.scroll { overflow-x: auto; }
section { margin-top: 2.75rem; padding-top: 1.5rem; border-top: 2px solid var(--line); }
section header { display: flex; gap: 1rem; align-items: center; justify-content: space-between; flex-wrap: wrap; }
.chip { display: inline-block; padding: .1rem .6rem; border-radius: 1rem; font-size: .82rem; font-weight: 600;
  border: 1.5px solid currentColor; white-space: nowrap; }
.pass { color: var(--pass); } .fail { color: var(--fail); } .undecided { color: var(--undecided); }
.none { color: var(--none); }
.definition { background: var(--shade); border-left: 3px solid var(--accent); padding: .7rem 1rem; margin: 1rem 0; }
figure { margin: 1.25rem 0 0; background: #fff; border: 1px solid var(--line); padding: .5rem; }
figure img { width: 100%; height: auto; display: block; }
a { color: var(--accent); }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; }
@media (max-width: 40rem) { main { padding: 1.5rem .9rem 3rem; } th, td { padding: .4rem .4rem; }
  h1 { font-size: 1.6rem; } table { font-size: .86rem; } }
@media print { section { break-inside: avoid; } }
"""


def report_record(
    checks: Sequence[Check], *, title: str, inputs: dict[str, Any], missing: Sequence[str]
) -> dict[str, Any]:
    """All checks for JSON.

    Parameters
    ----------
    checks
        In the order of the report.
    title
        Of the report.
    inputs
        What was checked against what: names of files, number of points.
    missing
        Checks that were not made, each with the reason.
    """
    verdicts = [check.verdict for check in checks]
    return {
        "title": title, "software": f"groundshift {version('groundshift')}", "inputs": inputs,
        "summary": {name: verdicts.count(name) for name in (PASS, FAIL, UNDECIDED, NO_REQUIREMENT)},
        "confidence": 0.95, "checks": [check.record() for check in checks], "not_made": list(missing),
    }  # fmt: skip


def report_html(checks: Sequence[Check], *, title: str, inputs: dict[str, Any], missing: Sequence[str]) -> str:
    """All checks as one page of HTML with its pictures inside. Parameters as of :func:`report_record`."""
    summary = "".join(
        f'<tr><td><a href="#{check.key}">{_text(check.title)}</a></td><td>{_chip(check.verdict)}</td>'
        f"<td>{_text(_headline(check))}</td></tr>"
        for check in checks
    )
    given = "".join(f"<tr><th>{_text(key)}</th><td>{_text(str(value))}</td></tr>" for key, value in inputs.items())
    not_made = "".join(f"<li>{_text(each)}</li>" for each in missing)
    rest = f"<section><h2>Not checked</h2><ul>{not_made}</ul></section>" if missing else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{_text(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><main><h1>{_text(title)}</h1>"
        '<p class="sub">Every number has a 95 % interval. A check passes if all of it meets the requirement, '
        f"fails if none of it does, and is undecided between.</p>"
        f'<div class="scroll"><table><thead><tr><th>Check</th><th>Verdict</th><th>Main number</th></tr></thead>'
        f"<tbody>{summary}</tbody></table></div>"
        f'<section><h2>What was checked</h2><div class="scroll"><table><tbody>{given}</tbody></table></div></section>'
        f"{''.join(_section(check) for check in checks)}{rest}"
        f"<footer>groundshift {_text(version('groundshift'))}</footer></main></body></html>\n"
    )


def _section(check: Check) -> str:
    rows = "".join(_row(number) for number in check.numbers)
    picture = "" if check.figure is None else _picture(check.figure, check.title)
    notes = "".join(f"<p>{_text(note)}</p>" for note in check.notes)
    return (
        f'<section id="{check.key}"><header><h2>{_text(check.title)}</h2>{_chip(check.verdict)}</header>'
        f'<p class="definition">{_text(check.definition)}</p><div class="scroll"><table><thead><tr><th>Number</th>'
        f'<th class="number">Value</th><th class="number">95 % interval</th><th class="number">Required</th><th>Verdict'
        f"</th><th>Interval by</th></tr></thead><tbody>{rows}</tbody></table></div>{picture}"
        f'<div class="notes">{notes}</div></section>'
    )


def _row(number: Number) -> str:
    asked = "" if number.requirement is None else str(number.requirement)
    source = "" if number.requirement is None else f' title="{_text(number.requirement.source)}"'
    known = np.isfinite(number.low) and np.isfinite(number.high)
    ends = f"{said(number.low)} to {said(number.high)}" if known else "not known"
    return (
        f'<tr><td>{_text(number.name)}</td><td class="number">{said(number.value)} {_text(number.unit)}</td>'
        f'<td class="number">{ends}</td><td class="number"{source}>{_text(asked)}</td>'
        f"<td>{_chip(number.verdict) if asked else ''}</td><td>{_text(number.interval)}, n = {number.count}</td></tr>"
    )


def _headline(check: Check) -> str:
    asked = [each for each in check.numbers if each.requirement is not None]
    worst = sorted(asked or check.numbers, key=lambda n: (FAIL, UNDECIDED, PASS, NO_REQUIREMENT).index(n.verdict))[0]
    limit = f" (required {worst.requirement})" if worst.requirement else ""
    ends = f", {said(worst.low)} to {said(worst.high)}" if np.isfinite(worst.low + worst.high) else ""
    return f"{worst.name}: {said(worst.value)} {worst.unit}{ends}{limit}"


def said(value: float) -> str:
    """A number with three digits that count."""
    if not np.isfinite(value):
        return "not known"
    digits = 3 - 1 - int(np.floor(np.log10(abs(value)))) if value else 0
    return f"{value:,.{int(np.clip(digits, 0, 4))}f}".replace("-", "−")


def _chip(verdict: str) -> str:
    return f'<span class="chip {_CLASS[verdict]}">{_SAID[verdict]}</span>'


def _text(value: str) -> str:
    return html.escape(value)


def _picture(figure: Figure, title: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<figure><img alt="{_text(title)}" src="data:image/png;base64,{data}"></figure>'
