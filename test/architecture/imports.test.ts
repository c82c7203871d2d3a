/**
 * Holds the house together: which room may import which, who talks to the outside world, who owns which package.
 * A new room needs a line in `mayImport`; a change to another line deserves a record in docs/decisions.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const src = join(import.meta.dirname, "../../src");

const mayImport: Record<string, readonly string[]> = {
  base: [],
  slab: ["base"],
  protocol: ["base", "slab"],
  subject: ["base"],
  keys: ["base"],
  core: ["base", "slab", "protocol", "subject"],
  auth: ["base", "keys", "protocol", "subject", "core"],
  transport: ["base", "slab"],
  links: ["base", "slab", "protocol", "subject", "core", "auth", "transport"],
  cluster: ["base", "transport"],
  discovery: ["base"],
  store: ["base", "subject"],
  jetstream: ["base", "slab", "protocol", "subject", "store"],
  config: ["base", "subject", "keys"],
  monitor: ["base", "subject", "core", "auth", "transport", "links", "cluster"],
  system: ["base", "protocol", "core", "links", "monitor"],
  metrics: ["base", "slab"],
  ports: ["base", "protocol", "core", "auth", "transport", "links", "cluster", "discovery"],
  log: ["base"],
  app: "base slab protocol subject keys core auth transport links cluster discovery store jetstream config monitor system metrics log ports".split(
    " ",
  ),
  // src/main.ts and src/index.ts
  "": ["app", "base", "config", "log", "ports", "store"],
};

/** Packages and modules that belong to some rooms or files alone. */
const owners: readonly (readonly [specifier: RegExp, owners: RegExp])[] = [
  [/^yaml/, /^config\//],
  [/^bcryptjs/, /^auth\/bcrypt-worker\.ts$/],
  [/^@nats-io\/nkeys/, /^keys\/nkey\.ts$/],
  [/^tweetnacl/, /^keys\/curve-key\.ts$/],
  [/^node:worker_threads$/, /^auth\/bcrypt-worker\.ts$/],
  [/^prom-client/, /^metrics\//],
  [/^@kubernetes\//, /^discovery\/kubernetes\.ts$/],
  [
    /^node:(net|tls|http|https|dns|dgram|fs|child_process|cluster|worker_threads)(\/|$)/,
    /^(transport|discovery|log|ports|app)\/|^store\/node-disk\.ts$|^monitor\/http\.ts$|^config\/(formats\/file|load)\.ts$|^main\.ts$/,
  ],
];
/** Time, chance and the process are handed in here, so that the simulation runs the code of production. */
const pureRooms = new Set(["slab", "protocol", "subject", "core", "cluster", "store", "jetstream"]);
const impureUse =
  /\b(Date\.now|new Date\(\)|performance\.now|Math\.random|setTimeout|setInterval|process\.(?!version\b))/;

const importPatterns = [
  /^(?:import|export)\b[^;"]*?\bfrom\s+"([^"]+)"/gm,
  /^import\s+"([^"]+)"/gm,
  /\bimport\("([^"]+)"\)/g,
];

/** What is wrong with one file, whose path is relative to src/. */
function breaches(file: string, source: string): string[] {
  const room = roomOf(file);
  const found: string[] = [];
  if (mayImport[room] === undefined) found.push(`${file}: room ${room} is not in the table`);
  if (pureRooms.has(room)) {
    const use = impureUse.exec(source.replace(/^\s*(\*|\/\/|\/\*).*$/gm, ""));
    if (use !== null) found.push(`${file}: ${use[0]} in a pure room`);
  }
  for (const pattern of importPatterns) {
    for (const [, specifier = ""] of source.matchAll(pattern)) {
      const wrong = specifier.startsWith(".") ? badRoom(file, specifier) : badOwner(file, specifier);
      if (wrong) found.push(`${file} imports ${specifier}`);
    }
  }
  return found;
}

function badRoom(file: string, specifier: string): boolean {
  const target = join(file, "..", specifier);
  if (target.startsWith("..")) return true;
  const [from, to] = [roomOf(file), roomOf(target)];
  if (from !== to) return !mayImport[from]?.includes(to);
  // client, route, leaf and gateway never import each other; all may use the trunk
  const [own, other] = [siblingOf(file), siblingOf(target)];
  return other !== undefined && other !== "trunk" && own !== other;
}

function badOwner(file: string, specifier: string): boolean {
  const owned = owners.find(([pattern]) => pattern.test(specifier));
  return owned !== undefined ? !owned[1].test(file) : !specifier.startsWith("node:");
}

function roomOf(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/")) : "";
}

/** The kind of connection or port that a file is for. */
function siblingOf(file: string): string | undefined {
  return /^(?:links|ports)\/([^/]+)\//.exec(file)?.[1];
}

describe("the import table", () => {
  it("holds for every source file", () => {
    const files = globSync("**/*.ts", { cwd: src });
    expect(files.length).toBeGreaterThan(10);
    expect(files.flatMap((file) => breaches(file, readFileSync(join(src, file), "utf8")))).toEqual([]);
  });

  it.each([
    ["core/router.ts", 'import { session } from "../links/client/session.ts";'],
    ["core/router.ts", 'import {\n  a,\n  type B,\n} from "../app/app.ts";'],
    ["core/router.ts", 'export * from "../config/schema.ts";'],
    ["protocol/scanner.ts", 'import type { Socket } from "node:net";'],
    ["links/client/session.ts", 'import { x } from "../route/session.ts";'],
    ["links/trunk/outbox.ts", 'import { x } from "../route/session.ts";'],
    ["ports/client/client-port.ts", 'import { x } from "../cluster/cluster-port.ts";'],
    ["ports/client/client-port.ts", 'import type { Config } from "../../config/config.ts";'],
    ["monitor/varz.ts", 'import { readFileSync } from "node:fs";'],
    ["app/app.ts", 'import { parse } from "yaml";'],
    ["app/app.ts", 'import left from "left-pad";'],
    ["discovery/dns.ts", 'const k = await import("@kubernetes/client-node");'],
    ["main.ts", 'import "./core/router.ts";'],
    ["base/clock.ts", 'import { x } from "../../test/support/x.ts";'],
    ["cluster/mesh.ts", "  const now = Date.now();"],
    ["attic/x.ts", "export const x = 1;"],
  ])("refuses in %s: %s", (file, source) => {
    expect(breaches(file, source)).toHaveLength(1);
  });

  it.each([
    [
      "links/client/session.ts",
      'import { Outbox } from "../trunk/outbox.ts";\nimport { b } from "../../base/bytes.ts";',
    ],
    ["discovery/kubernetes.ts", 'import { Watch } from "@kubernetes/client-node";'],
    ["core/router.ts", '// import { x } from "../app/app.ts";\n/** Date.now() is not for us. */'],
  ])("allows in %s: %s", (file, source) => {
    expect(breaches(file, source)).toEqual([]);
  });
});
