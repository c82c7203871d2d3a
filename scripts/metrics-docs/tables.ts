/** The tables of docs/metrics.md, from what a server shows: names, types, labels and help texts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { Server, type ServerOptions } from "../../src/app/server.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { defaultConfig } from "../../src/config/finish.ts";
import { MemoryDisk } from "../../src/store/memory-disk.ts";
import { exporterFamilies } from "../../src/metrics/exporter.ts";
import { fullName } from "../../src/metrics/family.ts";
import { jetStreamFamilies } from "../../src/metrics/jetstream.ts";
import { ownFamilies } from "../../src/metrics/own.ts";
import { processFamilies } from "../../src/metrics/process.ts";

export const FILE = join(import.meta.dirname, "../../docs/metrics.md");
/** The document up to here is written by hand. */
const MARK = "<!-- What follows is made by scripts/metrics-docs.ts from src/metrics/: run npm run docs. -->";

interface Shown {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

const SECTIONS: readonly (readonly [title: string, RegExp])[] = [
  ["Those of prometheus-nats-exporter", /^nats_(varz|subsz|routez|connz|healthz|accstatz)_|^jetstream_/],
  ["Those of shoal", /^nats_/],
  ["Those of every program", /./],
];

/** The whole document as it should be. */
export async function metricsPage(): Promise<string> {
  const [written = ""] = readFileSync(FILE, "utf8").split(MARK);
  let rest = await shownMetrics();
  const sections: string[] = [];
  for (const [title, names] of SECTIONS) {
    const those = rest.filter(({ name }) => names.test(name));
    rest = rest.filter((metric) => !those.includes(metric));
    sections.push(`## ${title}`, "", "| Name | Type | Labels | Meaning |", "| --- | --- | --- | --- |");
    sections.push(...those.map(row), "");
  }
  const text = `${written}${MARK}\n\n${sections.join("\n")}`;
  return format(text, { ...(await resolveConfig(FILE)), parser: "markdown" });
}

function row({ name, type, labels, help }: Shown): string {
  return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(" ")} | ${help} |`;
}

async function shownMetrics(): Promise<Shown[]> {
  const listen = { host: "127.0.0.1", port: 0 };
  const inCluster = await shownBy({
    config: defaultConfig({ client: listen, cluster: listen, metrics: listen }),
  });
  const keepingStreams = await shownBy({
    config: defaultConfig({ client: listen, metrics: listen, jetStream: { isEnabled: true } }),
    disk: new MemoryDisk(),
  });
  const names = new Set(inCluster.map(({ name }) => name));
  return [...inCluster, ...keepingStreams.filter(({ name }) => !names.has(name))];
}

async function shownBy(parts: Omit<ServerOptions, "logger">): Promise<Shown[]> {
  const server = new Server({ ...parts, logger: silentLogger });
  await server.start();
  const response = await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`);
  const text = await response.text();
  server.stop();
  await server.closed();
  return [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\w+)\n(?=(.*))/gm)].map(
    ([, name = "", help = "", type = "", sample = ""]) => {
      return { name, help, type, labels: listed.get(name) ?? labelsOf(sample) };
    },
  );
}

/** A family without a value at present shows no labels. */
const listed = new Map(
  [...exporterFamilies, ...jetStreamFamilies, ...ownFamilies, ...processFamilies].map((family) => [
    fullName(family, { own: "nats", jetStream: "jetstream" }),
    family.labels,
  ]),
);

function labelsOf(sample: string): string[] {
  return [...sample.matchAll(/[{,](\w+)="/g)].map(([, label]) => label!);
}
