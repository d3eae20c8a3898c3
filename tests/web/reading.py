"""What the page says, read in one go, and what it should say for a snapshot of the API."""

from __future__ import annotations

from typing import Any

from tests.web.chromium import Tab

# With every region in the table on one page.
ALL_ROWS = "?size=51"

_READ = """
() => {
  const all = (testid) => [...document.querySelectorAll(`[data-testid=${testid}]`)];
  const votes = (e) => Number(e.dataset.votes);
  const figure = (e) => Number(e.textContent.replace(/[^0-9]/g, ''));
  const one = (testid) => all(testid)[0];
  return {
    sequence: Number(one('sequence').dataset.sequence),
    total: votes(one('total-votes')),
    totalText: figure(one('total-votes')),
    candidates: Object.fromEntries(all('candidate-card').map((card) => [card.dataset.candidate, votes(card.querySelector('[data-testid=candidate-votes]'))])),
    candidateTexts: Object.fromEntries(all('candidate-card').map((card) => [card.dataset.candidate, figure(card.querySelector('[data-testid=candidate-votes]'))])),
    shares: Object.fromEntries(all('candidate-card').map((card) => [card.dataset.candidate, card.querySelector('[data-testid=candidate-share]').textContent.trim()])),
    regions: Object.fromEntries(all('region-row').map((row) => [row.dataset.region, votes(row.querySelector('[data-testid=region-votes]'))])),
    regionTexts: Object.fromEntries(all('region-row').map((row) => [row.dataset.region, figure(row.querySelector('[data-testid=region-votes]'))])),
    leaders: Object.fromEntries(all('map-region').map((region) => [region.dataset.region, region.dataset.leader])),
  };
}
"""


def read(tab: Tab) -> dict[str, Any]:
    """All whole numbers of the page at one instant: no commit can come in between."""
    return tab.page.evaluate(_READ)


def should_read(results: dict) -> dict[str, Any]:
    """The same, as it follows from a snapshot."""
    candidates = {c["id"]: c["votes"] for c in results["candidates"]}
    regions = {r["code"]: r["counted"] for r in results["regions"]}
    return {
        "sequence": results["sequence"],
        "total": results["counted"],
        "totalText": results["counted"],
        "candidates": candidates,
        "candidateTexts": candidates,
        "shares": {c["id"]: share(c["votes"], results["counted"]) for c in results["candidates"]},
        "regions": regions,
        "regionTexts": regions,
        "leaders": {r["code"]: leader(r) for r in results["regions"]},
    }


def share(votes: int, counted: int) -> str:
    """A share as the page writes it: one digit, never rounded to none or to all of it."""
    part = votes / counted if counted else 0.0
    if 0 < part < 0.0005:
        return "<0.1%"
    if 0.9995 <= part < 1:
        return ">99.9%"
    return f"{round_half_up(part * 1000) / 10:.1f}%"


def round_half_up(value: float) -> int:
    return int(value + 0.5)


def leader(region: dict) -> str:
    """Who is first in a region, nobody where two are level."""
    order = sorted(region["votes"].items(), key=lambda pair: -pair[1])
    if not order or order[0][1] == 0 or (len(order) > 1 and order[0][1] == order[1][1]):
        return ""
    return order[0][0]


def adds_up(said: dict[str, Any]) -> None:
    """The total is the sum of the candidates and the sum of the regions, as attributes and as written."""
    for total, candidates, regions in (("total", "candidates", "regions"), ("totalText", "candidateTexts", "regionTexts")):
        assert said[total] == sum(said[candidates].values()), said
        assert not said[regions] or said[total] == sum(said[regions].values()), said
