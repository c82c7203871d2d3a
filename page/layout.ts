/** Where members stand in the picture: on an ellipse, those of a zone side by side, with a gap between zones. Pure. */

export interface Placed {
  readonly key: string;
  readonly zone: string;
  readonly name: string;
}

export interface Spot {
  readonly x: number;
  readonly y: number;
  /** On the ellipse; 0 to the right, clockwise. */
  readonly angle: number;
}

export interface ZoneArc {
  readonly zone: string;
  readonly from: number;
  readonly to: number;
}

export interface Layout {
  readonly spots: ReadonlyMap<string, Spot>;
  readonly arcs: readonly ZoneArc[];
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly radiusX: number;
  readonly radiusY: number;
}

const GAP = 0.7;
const START = -Math.PI / 2;

export function layOut(members: readonly Placed[], frame: Frame): Layout {
  const sorted = [...members].sort((a, b) => compare(a.zone, b.zone) || compare(a.name, b.name));
  const zones = [...new Set(sorted.map(({ zone }) => zone))];
  const hasZones = zones.some((zone) => zone !== "");
  const gap = hasZones && zones.length > 1 ? GAP : 0;
  const step = (2 * Math.PI) / Math.max(1, sorted.length + gap * zones.length);
  const spots = new Map<string, Spot>();
  const arcs: ZoneArc[] = [];
  let angle = START;
  for (const zone of zones) {
    const from = angle - step * 0.35;
    for (const { key } of sorted.filter((member) => member.zone === zone)) {
      spots.set(key, sorted.length === 1 ? centre(frame) : { ...pointAt(angle, frame, 0), angle });
      angle += step;
    }
    if (hasZones && zone !== "" && sorted.length > 1) arcs.push({ zone, from, to: angle - step * 0.65 });
    angle += step * gap;
  }
  return { spots, arcs };
}

/** On the ellipse, or so much outside of it. */
export function pointAt(
  angle: number,
  { width, height, radiusX, radiusY }: Frame,
  outside: number,
): { x: number; y: number } {
  return {
    x: width / 2 + (radiusX + outside) * Math.cos(angle),
    y: height / 2 + (radiusY + outside) * Math.sin(angle),
  };
}

function centre({ width, height }: Frame): Spot {
  return { x: width / 2, y: height / 2, angle: START };
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
