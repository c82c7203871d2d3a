/**
 * Every configuration in nats-server's own source gets the same verdict from -t of both servers, or a refusal by shoal that names
 * what is not here and nothing else. The files come from the Go module of the version that is compared with.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFileFromDisk } from "../../src/config/formats/file.ts";
import { parseYaml } from "../../src/config/formats/yaml.ts";
import { tlsFileProblems } from "../../src/ports/port-tls.ts";
import { loadConfig } from "../../src/config/load.ts";
import { COMPARED_VERSIONS, findNatsServer } from "../support/nats-server-binary.ts";
import { natsConfigurations, natsServerModule, type NatsConfiguration } from "./nats-configurations.ts";

const module = natsServerModule();
const natsServer = findNatsServer();
const isThere = module !== null && natsServer?.version === COMPARED_VERSIONS.newest;

/** Refused by shoal alone: what it says, and why that is meant. */
const STRICTER: readonly (readonly [words: RegExp, reason: string])[] = [
  [/http and https exclude each other/, "nats-server finds out when it starts"],
  [/error resolving system account: account missing/, "nats-server finds out when it starts"],
  [/error parsing account resolver url .* expected http or https/, "nats-server finds out when it starts"],
  [/missing cert_file in TLS configuration/, "nats-server serves nobody then"],
  [/has to know how many servers begin it/, "the servers that a nats-server sees first begin its meta group"],
  [/ee key too small/, "OpenSSL takes no key of RSA below 2048 bits"],
];

/** Refused by nats-server alone. */
const KINDER: readonly (readonly [words: RegExp, reason: string])[] = [
  [/invalid lame_duck_duration .* minimum is 30 seconds/, "a drain may be short"],
];

/** More than a thousand processes are started. */
const TIMEOUT_MS = 900_000;

/** Of what is not here. */
const ABSENT = /not supported by shoal/;

interface Verdict {
  readonly accepts: boolean;
  readonly digest: string | undefined;
  readonly said: readonly string[];
}

function shoalOn({ folder }: NatsConfiguration, file: string): Verdict {
  process.chdir(folder);
  const result = loadConfig(["-t", "-c", file], {}, readFileFromDisk, parseYaml);
  if (result.kind === "error") return { accepts: false, digest: undefined, said: result.messages };
  if (result.kind !== "check-ok") throw new Error(`-t led to ${result.kind}`);
  const problems = tlsFileProblems({
    client: result.config.client.tls,
    cluster: result.config.cluster.tls,
    websocket: result.config.websocket.tls,
  });
  return { accepts: problems.length === 0, digest: digestIn(result.text), said: problems };
}

function natsServerOn({ folder }: NatsConfiguration, file: string): Verdict {
  const { status, stderr } = spawnSync(natsServer!.path, ["-t", "-c", file], {
    cwd: folder,
    encoding: "utf8",
    env: {},
  });
  return { accepts: status === 0, digest: digestIn(stderr), said: [stderr] };
}

const digestIn = (text: string): string | undefined => /sha256:[0-9a-f]{64}/.exec(text)?.[0];

/** "" where all is as it should be. */
function difference(shoal: Verdict, nats: Verdict): string {
  const isListed = (list: typeof STRICTER, text: string): boolean => list.some(([words]) => words.test(text));
  const says = (list: typeof STRICTER, { said }: Verdict): boolean =>
    said.every((text) => isListed(list, text));
  if (shoal.accepts && nats.accepts) return shoal.digest === nats.digest ? "" : "another digest";
  if (shoal.accepts)
    return nats.accepts || says(KINDER, nats) ? "" : `nats-server refuses: ${nats.said.join()}`;
  const isMeant = shoal.said.every((text) => ABSENT.test(text) || isListed(STRICTER, text));
  return !nats.accepts || isMeant ? "" : `shoal refuses: ${shoal.said.join(" | ")}`;
}

describe("the configurations of nats-server", () => {
  const home = process.cwd();
  let scratch: string;
  beforeAll(() => void (scratch = mkdtempSync(join(tmpdir(), "shoal-configurations-"))));
  afterAll(() => {
    process.chdir(home);
    rmSync(scratch, { recursive: true });
  });

  it(
    "get the same verdict from shoal, or a refusal that names what is not here",
    { timeout: TIMEOUT_MS },
    ({ skip }) => {
      if (!isThere) {
        const { newest } = COMPARED_VERSIONS;
        const notice = `no nats-server ${newest} with its Go module here: go install github.com/nats-io/nats-server/v2@v${newest}`;
        process.stderr.write(`\n!!! NOT COMPARED with the configurations of nats-server: ${notice}\n\n`);
        if (process.env["CI"] !== undefined) expect.fail(notice);
        return skip(notice);
      }
      const all = natsConfigurations(module);
      const counts = { same: 0, absent: 0 };
      const differences: string[] = [];
      for (const [index, each] of all.entries()) {
        const file = each.file ?? join(scratch, `${index}.conf`);
        if (each.file === null) writeFileSync(file, each.text);
        const [shoal, nats] = [shoalOn(each, file), natsServerOn(each, file)];
        counts[shoal.accepts === nats.accepts ? "same" : "absent"]++;
        const found = difference(shoal, nats);
        if (found !== "") differences.push(`${each.name}: ${found}`);
      }
      expect(differences).toEqual([]);
      // The compared fields are there; most of them do not depend on those that are absent.
      expect(all.length).toBeGreaterThan(1500);
      expect(counts.same).toBeGreaterThan(1000);
    },
  );
});
