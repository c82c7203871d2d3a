/**
 * Ratios -> a bar chart as SVG text. Readable on light and dark pages: no background, and colours that follow the reader's
 * preference. Bars beyond the scale are cut; the number beside each bar is exact.
 */

export interface ChartRow {
  readonly label: string;
  readonly throughput: number;
  readonly cpu: number;
}

const WIDTH = 820;
const LABEL_WIDTH = 270;
const NUMBER_WIDTH = 60;
const BAR_HEIGHT = 9;
const ROW_HEIGHT = 28;
const TOP = 64;
const SCALE_MAX = 12;

const style = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .quiet { fill: #59636e; }
  .throughput { fill: #1a7fd4; } .cpu { fill: #c4730c; }
  .grid { stroke: #8c959f; stroke-opacity: .35; } .even { stroke: #1f2328; stroke-dasharray: 3 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .quiet { fill: #9198a1; }
    .throughput { fill: #58a6ff; } .cpu { fill: #e3a04a; }
    .even { stroke: #e6edf3; }
  }`;

export function ratioChart(subject: string, reference: string, rows: readonly ChartRow[]): string {
  const most = Math.max(2, ...rows.flatMap((row) => [row.throughput, row.cpu]));
  const scale = Math.min(SCALE_MAX, Math.ceil(most));
  const x = (ratio: number): number =>
    LABEL_WIDTH + (Math.min(ratio, scale) / scale) * (WIDTH - LABEL_WIDTH - NUMBER_WIDTH);
  const bottom = TOP + rows.length * ROW_HEIGHT;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 24}" role="img">`,
    `<title>${escape(`${subject} compared with ${reference}`)}</title><style>${style}</style>`,
    `<text class="title" x="8" y="22">${escape(`${subject} compared with ${reference}`)}</text>`,
    ...legend(),
    ...grid(scale, x, bottom),
    ...rows.flatMap((row, index) => bars(row, TOP + index * ROW_HEIGHT, x)),
    "</svg>",
  ];
  return `${parts.join("\n")}\n`;
}

function legend(): string[] {
  return [
    `<rect class="throughput" x="8" y="34" width="10" height="10"/>`,
    `<text class="quiet" x="23" y="43">times the messages per second</text>`,
    `<rect class="cpu" x="218" y="34" width="10" height="10"/>`,
    `<text class="quiet" x="233" y="43">times less processor time per message (longer is better for both)</text>`,
  ];
}

function grid(scale: number, x: (ratio: number) => number, bottom: number): string[] {
  return Array.from({ length: scale + 1 }, (_, ratio) => {
    const at = x(ratio).toFixed(1);
    return (
      `<line class="${ratio === 1 ? "even" : "grid"}" x1="${at}" x2="${at}" y1="${TOP - 4}" y2="${bottom}"/>` +
      `<text class="quiet" text-anchor="middle" x="${at}" y="${bottom + 15}">${ratio}</text>`
    );
  });
}

function bars(row: ChartRow, y: number, x: (ratio: number) => number): string[] {
  const bar = (kind: "throughput" | "cpu", offset: number): string => {
    const value = row[kind];
    if (!Number.isFinite(value)) return "";
    const length = (x(value) - LABEL_WIDTH).toFixed(1);
    return (
      `<rect class="${kind}" x="${LABEL_WIDTH}" y="${y + offset}" width="${length}" height="${BAR_HEIGHT}" rx="1.5"/>` +
      `<text class="quiet" style="font-size:10px" x="${(x(value) + 4).toFixed(1)}" y="${y + offset + 8}">${value.toFixed(2)}</text>`
    );
  };
  return [
    `<text text-anchor="end" x="${LABEL_WIDTH - 8}" y="${y + 15}">${escape(row.label)}</text>`,
    bar("throughput", 1),
    bar("cpu", 2 + BAR_HEIGHT),
  ];
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
