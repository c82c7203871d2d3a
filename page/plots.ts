/** Rates over time, of the cluster or of one member. */
import uPlot from "uplot";
import { make, set } from "./dom.ts";
import { bytes, count } from "./format.ts";
import type { Moment } from "./feed.ts";
import { NO_RATES, type Rates } from "./model.ts";

interface Figure {
  readonly title: string;
  readonly series: readonly { readonly label: string; readonly of: (moment: Moment, id: string) => number }[];
  readonly text: (value: number) => string;
  /** Between two lines of the grid. */
  readonly steps: readonly number[];
}

const DECIMAL = Array.from({ length: 13 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();
const BINARY = Array.from({ length: 44 }, (_, i) => 2 ** i);

const HEIGHT = 170;

const rate =
  (key: keyof Rates) =>
  ({ rates }: Moment, id: string): number => {
    if (id !== "") return (rates.get(id) ?? NO_RATES)[key];
    let sum = 0;
    for (const each of rates.values()) sum += each[key];
    return sum;
  };

function connections(moment: Moment, id: string): number {
  if (id !== "") return moment.connections.get(id) ?? 0;
  let sum = 0;
  for (const each of moment.connections.values()) sum += each;
  return sum;
}

const FIGURES: readonly Figure[] = [
  {
    title: "Messages per second",
    series: [
      { label: "in", of: rate("inMessages") },
      { label: "out", of: rate("outMessages") },
    ],
    text: count,
    steps: DECIMAL,
  },
  {
    title: "Bytes per second",
    series: [
      { label: "in", of: rate("inBytes") },
      { label: "out", of: rate("outBytes") },
    ],
    text: bytes,
    steps: BINARY,
  },
  { title: "Connections", series: [{ label: "open", of: connections }], text: count, steps: DECIMAL },
];

/** Half of what "00:00:00" takes: a label stands below its moment, which may be the last one. */
const TIME_LABEL_HALF_PX = 28;

export class Plots {
  private readonly place: HTMLElement;
  private plots: { readonly figure: Figure; readonly plot: uPlot; readonly box: HTMLElement }[] = [];

  constructor(place: HTMLElement) {
    this.place = place;
    this.build();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
    new ResizeObserver(() => this.fit()).observe(place);
  }

  /** `id`: of a member; "": of all together. */
  show(history: readonly Moment[], id: string): void {
    // The first moment has nothing to compare with.
    const moments = history.slice(1);
    const times = moments.map(({ timeMs }) => timeMs / 1000);
    for (const { figure, plot, box } of this.plots) {
      const lines = figure.series.map(({ of }) => moments.map((moment) => of(moment, id)));
      plot.setData([times, ...lines]);
      // Where nobody points at, the legend tells of now.
      if ((plot.cursor.idx ?? null) === null && times.length > 0) plot.setLegend({ idx: times.length - 1 });
      const now = figure.series
        .map(({ label }, i) => `${label} ${figure.text(lines[i]?.at(-1) ?? 0)}`)
        .join(", ");
      set(box, { "aria-label": `${figure.title}: now ${now}` });
    }
  }

  private build(): void {
    for (const { plot } of this.plots) plot.destroy();
    this.plots = FIGURES.map((figure) => {
      const box = make("div", { class: "plot", role: "img" });
      return { figure, box, plot: new uPlot(optionsOf(figure), [[]], box) };
    });
    this.place.replaceChildren(
      ...this.plots.map(({ figure, box }) => make("figure", {}, make("figcaption", {}, figure.title), box)),
    );
    this.fit();
  }

  private fit(): void {
    for (const { plot, box } of this.plots) {
      const width = box.clientWidth;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }
}

function optionsOf({ series, text, steps }: Figure): uPlot.Options {
  const colour = (name: string): string =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const font = "11px system-ui, sans-serif";
  const axis = { stroke: colour("--soft"), font, ticks: { show: false } };
  const incrs = [...steps];
  const grid = { stroke: colour("--line"), width: 1 };
  return {
    width: 300,
    height: HEIGHT,
    padding: [8, TIME_LABEL_HALF_PX, 0, 0],
    cursor: { y: false },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { ...axis, grid: { show: false }, space: 70, values: "{HH}:{mm}:{ss}", size: 28 },
      { ...axis, grid, size: 62, space: 34, incrs, values: (_, splits) => splits.map(text) },
    ],
    series: [
      { value: "{HH}:{mm}:{ss}" },
      ...series.map(({ label }, i) => ({
        label,
        stroke: colour(i === 0 ? "--first" : "--second"),
        width: 1.75,
        // Told apart by form as well.
        ...(i === 0 ? {} : { dash: [6, 3] }),
        points: { show: false },
        value: (_: uPlot, value: number | null) => (value === null ? "–" : text(value)),
      })),
    ],
  };
}
