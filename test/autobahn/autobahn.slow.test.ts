/**
 * The cases of the Autobahn test suite, against a server that echoes by shoal's frames and upgrades. The suite is a program of its own,
 * for Python 2.7 (`pip install autobahntestsuite==0.8.2`); WSTEST names its command, and without it the test is skipped.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { listenForEchoes } from "./echo.ts";

const wstest = process.env["WSTEST"];

/** Smaller windows of the server are declined. */
const DECLINED = /^13\.[35]\./;

it.skipIf(wstest === undefined)("passes every case", { timeout: 1_200_000 }, async () => {
  using listener = await listenForEchoes(0);
  const folder = mkdtempSync(join(tmpdir(), "autobahn-"));
  const spec = join(folder, "spec.json");
  const url = `ws://127.0.0.1:${listener.endpoint.port}`;
  const servers = [{ agent: "shoal", url, options: { version: 18 } }];
  const others = { "exclude-cases": [], "exclude-agent-cases": {} };
  writeFileSync(spec, JSON.stringify({ outdir: folder, servers, cases: ["*"], ...others }));
  await promisify(execFile)(wstest!, ["-m", "fuzzingclient", "-s", spec], { maxBuffer: 64 * 1024 * 1024 });
  const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as {
    readonly shoal: Readonly<Record<string, { readonly behavior: string; readonly behaviorClose: string }>>;
  };
  rmSync(folder, { recursive: true });
  const cases = Object.entries(index.shoal);
  expect(cases.length).toBeGreaterThan(500);
  const good = ["OK", "INFORMATIONAL"];
  const bad = cases.filter(
    ([, { behavior, behaviorClose }]) => !good.includes(behavior) || !good.includes(behaviorClose),
  );
  expect(
    bad.filter(([name, { behavior }]) => !(DECLINED.test(name) && behavior === "UNIMPLEMENTED")),
  ).toEqual([]);
});
