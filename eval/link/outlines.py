"""Country outlines for the page of an archive: python -m eval.link.outlines countries-50m.json > src/waqia/formats/outlines.txt

The input is TopoJSON of Natural Earth (public domain) as the npm package world-atlas 2.0.2 holds it. Lines are simplified (Douglas and
Peucker) to 0.04 degrees in and around the Arab countries and to 0.4 elsewhere; islands smaller than a few points vanish. The output is
one SVG path in hundredths of a degree, longitude and negative latitude.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from eval.score.command import run

Point = tuple[float, float]
NEAR = (-18.0, -4.0, 76.0, 46.0)  # west, south, east, north, in degrees
FINE, COARSE = 0.04, 0.4


def main(argv: Sequence[str] | None = None) -> None:
    """Print the path of a TopoJSON file."""
    (source,) = argv if argv is not None else sys.argv[1:]
    print(path(json.loads(Path(source).read_text("utf-8"))))


def path(topology: Any) -> str:
    """Every ring of every country as one SVG path of relative steps."""
    arcs = [simplified(arc) for arc in _decoded(topology)]
    rings = []
    for country in topology["objects"]["countries"]["geometries"]:
        polygons = country.get("arcs", []) if country["type"] == "MultiPolygon" else [country.get("arcs", [])]
        rings += [ring for polygon in polygons for ring in polygon]
    return "".join(filter(None, (_steps(_joined(ring, arcs)) for ring in rings)))


def simplified(line: Sequence[Point]) -> list[Point]:
    """The line with points left out that lie nearer to what remains than the tolerance of where it begins."""
    west, south, east, north = NEAR
    inside = any(west <= x <= east and south <= y <= north for x, y in line)
    return _thin(list(line), FINE if inside else COARSE)


def _thin(line: list[Point], tolerance: float) -> list[Point]:
    keep, parts = {0, len(line) - 1}, [(0, len(line) - 1)]
    while parts:
        first, last = parts.pop()
        far, at = max(((_distance(line[n], line[first], line[last]), n) for n in range(first + 1, last)), default=(0.0, first))
        if far > tolerance:
            keep.add(at)
            parts += [(first, at), (at, last)]
    return [line[n] for n in sorted(keep)]


def _distance(point: Point, first: Point, last: Point) -> float:
    (x, y), (x1, y1), (x2, y2) = point, first, last
    length = (x2 - x1) ** 2 + (y2 - y1) ** 2
    along = 0.0 if length == 0 else max(0.0, min(1.0, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length))
    return float(((x - x1 - along * (x2 - x1)) ** 2 + (y - y1 - along * (y2 - y1)) ** 2) ** 0.5)


def _decoded(topology: Any) -> list[list[Point]]:
    """Arcs in degrees from the steps of quantised TopoJSON."""
    (kx, ky), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        line = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            line.append((x * kx + tx, y * ky + ty))
        arcs.append(line)
    return arcs


def _joined(ring: Sequence[int], arcs: Sequence[Sequence[Point]]) -> list[Point]:
    """The points of a ring; a negative number is an arc walked backwards (its complement)."""
    points: list[Point] = []
    for number in ring:
        arc = arcs[number] if number >= 0 else arcs[~number][::-1]
        points += arc[1:] if points else arc
    return points


def _steps(points: Sequence[Point]) -> str:
    whole = [(round(100 * x), round(-100 * y)) for x, y in points]
    west, south, east, north = NEAR
    if len(whole) < 5 or not any(west - 30 <= x <= east + 30 and south - 40 <= y <= north + 20 for x, y in points):
        return ""
    said = f"M{whole[0][0]} {whole[0][1]}l"
    for (x1, y1), (x2, y2) in pairwise(whole):
        if abs(x2 - x1) > 18_000:  # over the line of date: a new piece, not a line around the world
            said = f"{said.rstrip()}M{x2} {y2}l"
        elif (x1, y1) != (x2, y2):
            said += f"{x2 - x1} {y2 - y1} "
    said = said.rstrip() + "z"
    return said.replace(" -", "-")


if __name__ == "__main__":
    run(main)
