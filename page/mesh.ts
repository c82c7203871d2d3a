/**
 * The mesh as a picture. Members move to their places; what is between them is as wide as the traffic and runs with it. The standing of a
 * member is told by shape as well as by colour. Each member can be reached by Tab and chosen by Enter.
 */
import { draw, make, set, setText } from "./dom.ts";
import { count, milliseconds, short } from "./format.ts";
import { layOut, pointAt, type Frame, type Layout, type Spot, type ZoneArc } from "./layout.ts";
import type { Edge, Standing } from "./model.ts";

export interface Node {
  readonly key: string;
  readonly name: string;
  readonly zone: string;
  readonly standing: Standing | "awaited";
  /** Below the name. */
  readonly detail: string;
  /** Everything, for tooltips and for those who do not see. */
  readonly words: string;
}

interface DrawnNode {
  readonly group: SVGGElement;
  readonly shape: SVGPathElement;
  readonly name: SVGTextElement;
  readonly detail: SVGTextElement;
  readonly title: SVGTitleElement;
  at: Spot;
  target: Spot;
}

interface DrawnEdge {
  readonly group: SVGGElement;
  readonly line: SVGPathElement;
  readonly flow: SVGPathElement;
  readonly label: SVGTextElement;
  readonly title: SVGTitleElement;
  edge: Edge;
  /** Where on the line the label stands: 0 at one end, 1 at the other. */
  at: number;
}

const FRAME: Frame = { width: 840, height: 560, radiusX: 285, radiusY: 172 };
/** Outside of the ellipse. */
const ARC = 84;
const ZONE_NAME = 95;
/** Beyond it names stand along the ellipse, and only busy edges run. */
const ROOMY_MAX = 14;
const LABELLED_MAX = 6;
const SETTLED = 0.5;
const NAME_MAX = 28;

/** Around 0, 0. */
const SHAPES: Readonly<Record<Node["standing"], (r: number) => string>> = {
  ready: (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  draining: (r) => `M0 ${-1.25 * r}L${1.25 * r} 0L0 ${1.25 * r}L${-1.25 * r} 0z`,
  joining: (r) => `M0 ${-1.2 * r}L${1.15 * r} ${0.85 * r}H${-1.15 * r}z`,
  silent: (r) => `M${-r} ${-r}H${r}V${r}H${-r}zM${-r} ${-r}L${r} ${r}M${r} ${-r}L${-r} ${r}`,
  awaited: (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
};

export class MeshPicture {
  readonly element: SVGSVGElement;
  private readonly note: HTMLElement;
  private readonly onChoose: (key: string) => void;
  private readonly arcLayer = draw("g", { class: "zones" });
  private readonly edgeLayer = draw("g", { class: "edges", "aria-hidden": "true" });
  /** Above all lines, which are broken behind them. */
  private readonly labelLayer = draw("g", { class: "labels", "aria-hidden": "true" });
  private readonly nodeLayer = draw("g", { class: "nodes" });
  private readonly nodes = new Map<string, DrawnNode>();
  private readonly edges = new Map<string, DrawnEdge>();
  private frame: number | null = null;
  private arcsShown = "";
  private readonly stillness = matchMedia("(prefers-reduced-motion: reduce)");

  /** `note`: where the words about what is pointed at go. */
  constructor(note: HTMLElement, onChoose: (key: string) => void) {
    this.note = note;
    this.onChoose = onChoose;
    this.element = draw("svg", { role: "group", "aria-label": "The mesh" });
    this.element.append(this.arcLayer, this.edgeLayer, this.labelLayer, this.nodeLayer);
  }

  show(nodes: readonly Node[], edges: readonly Edge[], chosen: string): void {
    const layout = layOut(nodes, FRAME);
    const { spots, arcs } = layout;
    const { width, height } = FRAME;
    set(this.element, { viewBox: `0 ${(middleOf(layout) - height / 2).toFixed(0)} ${width} ${height}` });
    const isRoomy = nodes.length <= ROOMY_MAX;
    set(this.element, { "data-roomy": isRoomy });
    this.showArcs(arcs);
    const radius = isRoomy ? 17 : Math.max(5, 180 / nodes.length + 3);
    const seen = new Set(nodes.map(({ key }) => key));
    for (const [key, { group }] of this.nodes) {
      if (seen.has(key)) continue;
      group.remove();
      this.nodes.delete(key);
    }
    for (const node of nodes)
      this.showNode(node, spots.get(node.key)!, { radius, isRoomy, isChosen: node.key === chosen });
    this.showEdges(edges, nodes.length <= LABELLED_MAX, chosen);
    this.move();
  }

  private showNode(
    node: Node,
    spot: Spot,
    look: { radius: number; isRoomy: boolean; isChosen: boolean },
  ): void {
    const drawn = this.nodes.get(node.key) ?? this.newNode(node.key, spot);
    const { group, shape, name, detail, title } = drawn;
    drawn.target = spot;
    set(group, {
      "data-standing": node.standing,
      "data-name": node.name,
      "aria-label": node.words,
      "aria-pressed": look.isChosen ? "true" : "false",
    });
    set(shape, { d: SHAPES[node.standing](look.radius) });
    setText(title, node.words);
    setText(name, short(node.name, NAME_MAX));
    setText(detail, look.isRoomy ? node.detail : "");
    placeNames(drawn, look);
  }

  private newNode(key: string, spot: Spot): DrawnNode {
    const drawn: DrawnNode = {
      group: draw("g", { class: "node", tabindex: 0, role: "button" }),
      shape: draw("path"),
      name: draw("text", { class: "name" }),
      detail: draw("text", { class: "detail" }),
      title: draw("title"),
      at: spot,
      target: spot,
    };
    const { group } = drawn;
    group.append(drawn.title, drawn.shape, drawn.name, drawn.detail);
    const tell = (): void => setText(this.note, group.getAttribute("aria-label") ?? "");
    group.addEventListener("click", () => this.onChoose(key));
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.onChoose(key);
    });
    group.addEventListener("focus", tell);
    group.addEventListener("mouseenter", tell);
    this.nodes.set(key, drawn);
    this.nodeLayer.append(group);
    return drawn;
  }

  private showEdges(edges: readonly Edge[], hasLabels: boolean, chosen: string): void {
    const seen = new Set(edges.map(({ key }) => key));
    for (const [key, { group, label }] of this.edges) {
      if (seen.has(key)) continue;
      group.remove();
      label.remove();
      this.edges.delete(key);
    }
    const isFew = edges.length <= 120;
    for (const edge of edges) {
      const drawn = this.edges.get(edge.key) ?? this.newEdge(edge);
      drawn.edge = edge;
      const traffic = edge.there + edge.back;
      const words = this.edgeWords(edge);
      set(drawn.group, {
        "data-busy": traffic > 0,
        "data-chosen": edge.from === chosen || edge.to === chosen,
        "data-back": edge.back > edge.there,
      });
      const width = (isFew ? 1.5 : 0.6) + Math.log10(1 + traffic) * (isFew ? 0.9 : 0.4);
      set(drawn.line, { "stroke-width": width.toFixed(1) });
      set(drawn.flow, { visibility: isFew && traffic > 0 ? "visible" : "hidden" });
      setText(drawn.label, hasLabels ? `${milliseconds(edge.rttMs)} · ${count(traffic)}/s` : "");
      setText(drawn.title, words);
    }
    if (hasLabels) this.placeLabels();
  }

  /** No label upon another: lines cross, often in their middles. */
  private placeLabels(): void {
    const taken: { x: number; y: number }[] = [];
    const lines = [...this.edges.values()].flatMap((drawn) => {
      const [a, b] = [drawn.edge.from, drawn.edge.to].map((key) => this.nodes.get(key)?.target);
      return a === undefined || b === undefined ? [] : [{ drawn, a, b }];
    });
    // On a steep line a label moves away from others by little.
    lines.sort((one, other) => Math.abs(one.a.y - one.b.y) - Math.abs(other.a.y - other.b.y));
    for (const { drawn, a, b } of lines) {
      const isFree = (at: number): boolean => {
        const { x, y } = between(a, b, at);
        return taken.every(
          (other) => Math.abs(other.x - x) > LABEL.width || Math.abs(other.y - y) > LABEL.height,
        );
      };
      drawn.at = PLACES.find(isFree) ?? 0.5;
      taken.push(between(a, b, drawn.at));
    }
  }

  private newEdge(edge: Edge): DrawnEdge {
    const drawn: DrawnEdge = {
      group: draw("g", { class: "edge" }),
      line: draw("path", { class: "line" }),
      flow: draw("path", { class: "flow" }),
      label: draw("text", { class: "label" }),
      title: draw("title"),
      edge,
      at: 0.5,
    };
    drawn.group.append(drawn.title, drawn.line, drawn.flow);
    this.labelLayer.append(drawn.label);
    drawn.group.addEventListener("mouseenter", () => setText(this.note, this.edgeWords(drawn.edge)));
    this.edges.set(edge.key, drawn);
    this.edgeLayer.append(drawn.group);
    return drawn;
  }

  private edgeWords({ from, to, rttMs, pending, routes, there, back }: Edge): string {
    const [a, b] = [from, to].map((key) => this.nodes.get(key)?.group.dataset["name"] ?? key);
    const rates = `${count(there)} messages/s there, ${count(back)} back`;
    return `${a} and ${b}: ${routes} routes, round trip ${milliseconds(rttMs)}, ${rates}, ${count(pending)} bytes pending`;
  }

  private showArcs(arcs: readonly ZoneArc[]): void {
    const wanted = JSON.stringify(arcs);
    if (this.arcsShown === wanted) return;
    this.arcsShown = wanted;
    this.arcLayer.replaceChildren(
      ...arcs.flatMap(({ zone, from, to }) => {
        const [a, b] = [pointAt(from, FRAME, ARC), pointAt(to, FRAME, ARC)];
        const large = to - from > Math.PI ? 1 : 0;
        const radii = `${FRAME.radiusX + ARC} ${FRAME.radiusY + ARC}`;
        const middle = pointAt((from + to) / 2, FRAME, ZONE_NAME);
        const side = Math.cos((from + to) / 2);
        const anchor = Math.abs(side) < 0.3 ? "middle" : side > 0 ? "start" : "end";
        return [
          draw("path", { d: `M${a.x} ${a.y}A${radii} 0 ${large} 1 ${b.x} ${b.y}` }),
          draw("text", { x: middle.x, y: middle.y + 4, "text-anchor": anchor }, short(zone, NAME_MAX)),
        ];
      }),
    );
  }

  /** Moves every member towards its place until all have arrived. */
  private move(): void {
    if (this.frame !== null) return;
    const step = (): void => {
      let isSettled = true;
      for (const node of this.nodes.values()) {
        const { at, target } = node;
        const isNear = Math.hypot(target.x - at.x, target.y - at.y) < SETTLED;
        const share = isNear || this.stillness.matches || document.hidden ? 1 : 0.16;
        node.at = { ...target, x: at.x + (target.x - at.x) * share, y: at.y + (target.y - at.y) * share };
        isSettled &&= share === 1;
        set(node.group, { transform: `translate(${node.at.x.toFixed(1)} ${node.at.y.toFixed(1)})` });
      }
      for (const edge of this.edges.values()) this.drawEdge(edge);
      this.frame = isSettled ? null : requestAnimationFrame(step);
    };
    step();
  }

  private drawEdge({ edge, line, flow, label, at }: DrawnEdge): void {
    const [a, b] = [this.nodes.get(edge.from)?.at, this.nodes.get(edge.to)?.at];
    if (a === undefined || b === undefined) return;
    const d = `M${a.x.toFixed(1)} ${a.y.toFixed(1)}L${b.x.toFixed(1)} ${b.y.toFixed(1)}`;
    set(line, { d });
    set(flow, { d });
    const { x, y } = between(a, b, at);
    set(label, { x: x.toFixed(1), y: (y + 4).toFixed(1) });
  }
}

/** Size of a label, with the space around it. */
const LABEL = { width: 110, height: 20 };
/** Where on a line, the best first. */
const PLACES = [0.5, 0.38, 0.62, 0.3, 0.7, 0.22, 0.78];

function between(a: Spot, b: Spot, at: number): { x: number; y: number } {
  return { x: a.x + (b.x - a.x) * at, y: a.y + (b.y - a.y) * at };
}

/** Of what is drawn, from top to bottom: with three members there is more above the middle of the ellipse than below. */
function middleOf({ spots, arcs }: Layout): number {
  const names = arcs.flatMap(({ from, to }) =>
    [from, (from + to) / 2, to].map((angle) => pointAt(angle, FRAME, ZONE_NAME).y),
  );
  const ys = [...Array.from(spots.values(), ({ y }) => y), ...names];
  return ys.length === 0 ? FRAME.height / 2 : (Math.min(...ys) + Math.max(...ys)) / 2;
}

/** Below the member where there is room, else outside of the ellipse, along its radius. */
function placeNames(
  { name, detail, target }: DrawnNode,
  { radius, isRoomy }: { radius: number; isRoomy: boolean },
): void {
  if (isRoomy) {
    const isAbove = target.y < FRAME.height / 2 - 20;
    const y = isAbove ? -radius - 26 : radius + 20;
    set(name, { x: 0, y, transform: undefined, "text-anchor": "middle" });
    set(detail, { x: 0, y: y + 17, "text-anchor": "middle" });
    return;
  }
  const degrees = (target.angle * 180) / Math.PI;
  const isLeft = Math.cos(target.angle) < 0;
  set(name, {
    x: isLeft ? -radius - 5 : radius + 5,
    y: 3.5,
    transform: `rotate(${(isLeft ? degrees + 180 : degrees).toFixed(1)})`,
    "text-anchor": isLeft ? "end" : "start",
  });
}

/** What the shapes mean. */
export function legend(words: Readonly<Record<Node["standing"], string>>): HTMLElement[] {
  return (Object.keys(SHAPES) as Node["standing"][]).map((standing) => {
    const mark = draw("svg", {
      viewBox: "-9 -9 18 18",
      class: "node",
      "data-standing": standing,
      "aria-hidden": "true",
    });
    mark.append(draw("path", { d: SHAPES[standing](5.5) }));
    return make("li", {}, mark, words[standing]);
  });
}
