/** Holds the house together: see house.ts for the rules. There are no exceptions. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { breachesOf, circlesOf, importsOf, type Import } from "./house.ts";

const SRC = join(import.meta.dirname, "../../src");

const sources = new Map(
  globSync("**/*.ts", { cwd: SRC }).map((file) => [file, readFileSync(join(SRC, file), "utf8")]),
);

/** By file, what it imports of src/. */
function importsWhere(counts: (one: Import) => boolean): Map<string, string[]> {
  return new Map(
    Array.from(sources, ([file, source]) => [
      file,
      importsOf(file, source)
        .filter(counts)
        .flatMap(({ target }) => (target === null ? [] : [target])),
    ]),
  );
}

describe("the house", () => {
  const found = Array.from(sources, ([file, source]) => breachesOf(file, source)).flat();

  it("keeps its rules, without an exception", () => {
    expect(sources.size).toBeGreaterThan(100);
    expect(found.sort()).toEqual([]);
  });

  it("has no circle of imports, not even of types or of late ones", () => {
    expect(circlesOf(importsWhere(() => true))).toEqual([]);
  });

  it("has a server that reads as a list of parts", () => {
    const [, server = ""] = sources.get("app/server.ts")!.split("export class Server {");
    const [fields = "", rest = ""] = server.split("  constructor(");
    const constructor = rest.slice(0, rest.indexOf("\n  }\n"));
    expect([...fields.matchAll(/^  (?:private )?(?:readonly )?\w+[:?!= ]/gm)].length).toBeLessThan(12);
    expect(constructor).toContain("this.parts = [");
    expect(constructor).not.toMatch(/\b(if|for|while|switch|try|await)\b/);
  });

  it("declares no exported type twice: one idea has one name", () => {
    const declared = Array.from(sources.values(), (source) =>
      [...source.matchAll(/^export (?:interface|type|(?:abstract )?class) (\w+)/gm)].map(([, name]) => name!),
    ).flat();
    expect(declared.filter((name, i) => declared.indexOf(name) !== i)).toEqual([]);
  });
});

describe("the rules", () => {
  it.each([
    ["core/router.ts", 'import { session } from "../links/client/session.ts";'],
    ["core/router.ts", 'import {\n  a,\n  type B,\n} from "../app/app.ts";'],
    ["core/router.ts", 'export * from "../config/schema.ts";'],
    ["protocol/scanner.ts", 'import type { Socket } from "node:net";'],
    ["links/client/session.ts", 'import { x } from "../route/session.ts";'],
    ["links/trunk/outbox.ts", 'import { x } from "../route/session.ts";'],
    ["links/trunk/outbox.ts", 'import { tcpWire } from "../../transport/tcp.ts";'],
    ["ports/client/port.ts", 'import { x } from "../cluster/admission.ts";'],
    ["ports/client/port.ts", 'import type { Config } from "../../config/config.ts";'],
    ["monitor/varz.ts", 'import { readFileSync } from "node:fs";'],
    ["monitor/varz.ts", 'import { Accounts } from "../core/accounts.ts";'],
    ["health/readiness.ts", 'import { Mesh } from "../cluster/mesh.ts";'],
    ["jetstream/stream/x.ts", 'import { x } from "../api/api.ts";'],
    ["jetstream/x.ts", 'import { NodeDisk } from "../store/node-disk.ts";'],
    ["app/app.ts", 'import { parse } from "yaml";'],
    ["app/app.ts", 'import left from "left-pad";'],
    ["app/app.ts", 'import { setTimeout as delay } from "node:timers/promises";'],
    ["discovery/dns.ts", 'const k = await import("@kubernetes/client-node");'],
    ["main.ts", 'import "./core/router.ts";'],
    ["base/clock.ts", 'import { x } from "../../test/support/x.ts";'],
    ["app/reload.ts", 'import type { Server } from "./server.ts";'],
    ["app/reload.ts", "  setTimeout(act, 5);"],
    ["app/reload.ts", "  const later = promisify(setTimeout);"],
    ["operator/url-resolver.ts", "  fetch(url, { signal: AbortSignal.timeout(5) });"],
    ["app/reload.ts", "  const at = Date.now();"],
    ["cluster/mesh.ts", "  const at = Math.random();"],
    ["core/plan.ts", "let plans = 0;"],
    ["core/plan.ts", "export const plans: Map<string, Plan> = new Map();"],
    ["core/plan.ts", "const plans = new Set<Plan>();"],
    ["core/latency.ts", "  readonly start_time: string;"],
    ["core/latency.ts", "  return { total_latency: 1 };"],
    ["links/client/traced.ts", "  Object.setPrototypeOf(session, Traced.prototype);"],
    ["monitor/connz.ts", "  if (one instanceof ClientSession) x();"],
    ["auth/authenticator.ts", "  const origins = new WeakMap<Grant, Origin>();"],
    ["links/trunk/traffic.ts", '  if (session.closedFor.startsWith("Slow Consumer")) x();'],
    ["links/client/session.ts", '  if (this.closedFor === "Client Closed") x();'],
    ["attic/x.ts", "export const x = 1;"],
  ])("refuse in %s: %s", (file, source) => {
    expect(breachesOf(file, source)).toHaveLength(1);
  });

  it.each([
    [
      "links/client/session.ts",
      'import { Outbox } from "../trunk/outbox.ts";\nimport { b } from "../../base/bytes.ts";',
    ],
    ["links/client/session.ts", 'import type { Wire } from "../../transport/wire.ts";'],
    ["links/client/session.ts", 'import { Turn } from "../trunk/turn.ts";'],
    ["ports/client/port.ts", 'import { Entrance } from "../entrance.ts";'],
    ["monitor/varz.ts", 'import type { Accounts } from "../core/accounts.ts";'],
    ["monitor/varz.ts", 'import { type Accounts, type Account } from "../core/accounts.ts";'],
    ["jetstream/api/x.ts", 'import { x } from "../stream/x.ts";'],
    ["discovery/kubernetes.ts", 'import { Watch } from "@kubernetes/client-node";'],
    ["core/router.ts", '// import { x } from "../app/app.ts";\n/** Date.now() is not for us. */'],
    ["core/plan.ts", 'const NAMES: readonly string[] = [];\nconst ONES = new Set(["a"]);'],
    ["log/syslog-link.ts", "  socket.setTimeout(5, act);"],
    ["monitor/varz.ts", "  return { server_id: 1 };"],
    ["links/client/session.ts", '  if (this.closedFor === "") x();'],
    ["index.ts", 'import { Server } from "./app/server.ts";'],
  ])("allow in %s: %s", (file, source) => {
    expect(breachesOf(file, source)).toEqual([]);
  });

  it("find circles, and who stands in them", () => {
    const imports = { a: ["b"], b: ["c"], c: ["b"], d: ["a"], e: ["e"] };
    expect(circlesOf(new Map(Object.entries(imports)))).toEqual(["b", "c", "e"]);
  });
});
