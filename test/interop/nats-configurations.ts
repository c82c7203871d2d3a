/**
 * The configurations in nats-server's own source, as its Go module brings them: its files, and the raw strings of its tests that
 * look like configurations. They are read where Go keeps the module; nothing of them is kept here.
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { COMPARED_VERSIONS } from "../support/nats-server-binary.ts";

export interface NatsConfiguration {
  /** Where it stands in the module, such as "server/opts_test.go:120". */
  readonly name: string;
  readonly text: string;
  /** The folder that relative paths in it mean. */
  readonly folder: string;
  /** Its file, where it is one; it may include others. */
  readonly file: string | null;
}

/** Without them a raw string is no configuration: keys at the top level. */
const TOP_LEVEL_KEY =
  /^\s*["']?(?:listen|port|host|net|server_name|accounts|authorization|cluster|tls|jetstream|leafnodes?|leaf|gateway|mqtt|websocket|ws|operator|resolver|system_account|max_\w+|http\w*|mappings|no_auth_user|ping_\w+|write_\w+|lame_duck_\w+|debug|trace|logtime|include|routes)["']?\s*(?:[:={]|\s\S)/m;

/** The folder of the module; null where Go has not brought it. */
export function natsServerModule(): string | null {
  const { status, stdout } = spawnSync("go", ["env", "GOMODCACHE"], { encoding: "utf8" });
  const cache = status === 0 && stdout.trim() !== "" ? stdout.trim() : join(homedir(), "go", "pkg", "mod");
  const folder = join(cache, "github.com", "nats-io", "nats-server", `v2@v${COMPARED_VERSIONS.newest}`);
  return existsSync(folder) ? folder : null;
}

export function natsConfigurations(module: string): NatsConfiguration[] {
  const files = ["server/configs/**/*.conf", "test/configs/**/*.conf"].flatMap((glob) =>
    globSync(glob, { cwd: module }),
  );
  const sources = ["server/*_test.go", "test/*_test.go", "conf/*_test.go"].flatMap((glob) =>
    globSync(glob, { cwd: module }),
  );
  const found = [
    ...files.toSorted().map((path) => fileOf(module, path)),
    ...sources.toSorted().flatMap((path) => rawStringsOf(module, path)),
  ];
  return [...new Map(found.map((each) => [each.text, each])).values()];
}

function fileOf(module: string, path: string): NatsConfiguration {
  const folder = join(module, path.slice(0, path.indexOf("/")));
  return {
    name: path,
    text: readFileSync(join(module, path), "utf8"),
    folder,
    file: relative(folder, join(module, path)),
  };
}

function rawStringsOf(module: string, path: string): NatsConfiguration[] {
  const source = readFileSync(join(module, path), "utf8");
  const found: NatsConfiguration[] = [];
  // What could hold a backtick that begins nothing is matched first: comments, strings, runes.
  for (const match of source.matchAll(
    /\/\/[^\n]*|\/\*[^]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'|`([^`]*)`/g,
  )) {
    const [, raw] = match;
    if (raw === undefined || !TOP_LEVEL_KEY.test(raw)) continue;
    const line = source.slice(0, match.index).split("\n").length;
    found.push({
      name: `${path}:${line}`,
      text: filledIn(raw),
      folder: join(module, path.slice(0, path.indexOf("/"))),
      file: null,
    });
  }
  return found;
}

/** With something in place of what Go's fmt would put in: both servers judge the same text, whatever that is. */
function filledIn(text: string): string {
  const values: Record<string, string> = { d: "1", s: "abc", q: '"abc"', v: "1", t: "true", "%": "%" };
  const urls = text.replaceAll(/(?<=routes\s*[:=]?\s*\[[^\]]*)(?<!:)(?<!\/)%s/g, "nats://127.0.0.1:1");
  return urls.replaceAll(/%[+#-]?\d*([dsqvt%])/g, (_, verb: string) => values[verb]!);
}
