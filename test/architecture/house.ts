/**
 * The rules of the house, as data and as pure functions over the text of source files: which room may import which, who may talk to
 * the outside world, and where state, time and the field names of NATS may stand. house.test.ts applies them to `src/`.
 *
 * A breach is a line of text that names the file and the rule, without line numbers, so that it stays the same while the file changes.
 */
import { join } from "node:path";

/**
 * What each room may import. Rooms after `types:` may be named in `import type` alone. A room that does not exist yet has its line
 * already, so that it begins within its limits. A change to a line deserves a record in docs/decisions.
 */
export const TABLE: Readonly<Record<string, string>> = {
  base: "",
  slab: "base",
  keys: "base",
  compress: "base",
  subject: "base",
  cluster: "base",
  raft: "base",
  discovery: "base",
  metrics: "base slab",
  log: "base",
  protocol: "base slab",
  core: "base slab protocol subject",
  auth: "base keys protocol subject core",
  operator: "base keys protocol subject core auth",
  transport: "base slab compress",
  links: "base slab protocol subject core auth",
  health: "base types: cluster discovery",
  doctor: "base",
  store: "base compress subject types: raft",
  jetstream: "base slab compress protocol subject core raft store",
  ports: "base keys protocol subject core auth transport links cluster discovery",
  monitor: "base protocol subject health doctor types: core auth links cluster ports jetstream",
  system: "base keys protocol core monitor types: links",
  config: "base subject keys types: core auth links",
  app: "base slab keys compress subject cluster raft discovery metrics log protocol core auth operator transport links health store jetstream ports doctor monitor system config",
  // src/main.ts and src/index.ts
  "": "app base config log ports store",
};

/** Single files that a room may import beyond its line. */
const FURTHER: readonly (readonly [from: RegExp, to: RegExp])[] = [
  [/^links\//, /^transport\/wire\.ts$/],
  [/^ports\/mqtt\//, /^jetstream\//],
];

/** Files that even rooms which may import their room must not, but for `app`. */
const HIDDEN: readonly RegExp[] = [/^store\/node-disk\.ts$/];

/** Within these, folders do not import each other; only the shared ones may be imported by all. */
const SIBLINGS: Readonly<Record<string, readonly string[]>> = { links: ["trunk"], ports: [] };

/** Folders of a room in the order in which they stand on each other: none imports a later one. */
const STOREYS: Readonly<Record<string, readonly string[]>> = {
  jetstream: ["stream", "consumer", "origins", "group", "meta", "backup", "api"],
};

/** Packages and modules that belong to some rooms or files alone. */
const OWNERS: readonly (readonly [specifier: RegExp, owners: RegExp])[] = [
  [/^yaml/, /^config\//],
  [/^bcryptjs/, /^auth\/methods\/bcrypt-worker\.ts$/],
  [/^@nats-io\/nkeys/, /^keys\/nkey\.ts$/],
  [/^tweetnacl/, /^keys\/curve-key\.ts$/],
  [/^node:worker_threads$/, /^auth\/methods\/bcrypt-worker\.ts$/],
  [/^prom-client/, /^metrics\//],
  [/^@kubernetes\//, /^discovery\/kubernetes\.ts$/],
  [
    /^node:(net|tls|http|https|dns|dgram|fs|child_process|cluster|worker_threads)(\/|$)/,
    /^(transport|discovery|log|app|ports)\/|^store\/node-disk\.ts$|^monitor\/http\.ts$|^config\/(formats\/file|load)\.ts$|^operator\/token-files\.ts$|^main\.ts$/,
  ],
  [/^node:timers(\/|$)/, /^base\/clock\.ts$/],
];

/** Time, chance and the process are handed in here, so that the simulation runs the code of production. */
const PURE = new Set(
  "slab compress subject cluster raft protocol core links health doctor store jetstream".split(" "),
);

/** Rules about single expressions: the text of a file without its comments must not match. */
const FORBIDDEN: readonly {
  readonly rule: string;
  readonly pattern: RegExp;
  readonly isExempt: (file: string) => boolean;
}[] = [
  {
    rule: "time, chance or the process in a pure room",
    pattern: /\b(Date\.now|new Date\(\)|performance\.now|Math\.random|process\.(?!version\b))/,
    isExempt: (file) => !PURE.has(roomOf(file)) || file === "store/node-disk.ts",
  },
  {
    rule: "a timer or the time beside the clock",
    pattern:
      /(?<![.\w])(setTimeout|setInterval)\b(?!:| as )|\bAbortSignal\.timeout\b|\b(performance\.now|Date\.now)\b|\bnew Date\(\)/,
    isExempt: (file) => /^(base\/clock\.ts|log\/.*|metrics\/runtime-watch\.ts|main\.ts)$/.test(file),
  },
  {
    rule: "a field name of NATS JSON",
    // A field of an object or a type: on a line of its own, or after a brace or a comma.
    pattern: /(?:^\s+(?:readonly )?|[{,] )"?[a-z][a-z0-9]*(?:_[a-z0-9]+)+"?\??:/m,
    // Options of the configuration are written in the same way, and metrics read the documents of monitoring.
    isExempt: (file) => /^(protocol|monitor|system|jetstream\/api|config|metrics)\//.test(file),
  },
  {
    rule: "a prototype that is exchanged",
    pattern: /\bsetPrototypeOf\b/,
    isExempt: () => false,
  },
  {
    rule: "a weak table: what an object is stands in the object",
    pattern: /\bWeak(Map|Set|Ref)\b/,
    isExempt: () => false,
  },
  {
    rule: "a state that is read from a text",
    pattern:
      /\b(closedFor|closeReason|reason)\.(startsWith|endsWith|includes|match)\(|\b(closedFor|closeReason) [!=]== "[^"]/,
    isExempt: () => false,
  },
  {
    rule: "a session that is asked for its class",
    pattern: /\binstanceof \w*Session\b/,
    isExempt: (file) => roomOf(file) === "links",
  },
];

/** The server itself is known where it is made. */
const SERVER_HOLDERS = new Set(["app/server.ts", "main.ts", "index.ts"]);

/** Variables of a module that change: what every server of a process shares. */
const MUTABLE_STATE = [
  /^(?:export )?let (\w+)/gm,
  // A constant that is typed as readonly, or made of what is written there, does not change.
  /^(?:export )?const (\w+)(?:: (?!Readonly|readonly)[^=]+)? = (?:new (?:Map|Set|WeakMap|WeakSet)(?:<[^=]+>)?\(\)|\[\]);/gm,
];

const IMPORT_PATTERNS = [
  /^(?<kind>(?:import|export)(?: type)?)\b(?<names>[^;"]*?)\bfrom\s+"(?<specifier>[^"]+)"/gm,
  /^(?<kind>import)\s+"(?<specifier>[^"]+)"/gm,
  /(?<kind>\bimport)\("(?<specifier>[^"]+)"\)/g,
];

export interface Import {
  readonly specifier: string;
  /** Relative to src/; null for packages. Begins with ".." outside. */
  readonly target: string | null;
  readonly names: readonly string[];
  /** Erased when run. */
  readonly isOfTypes: boolean;
  /** Loaded where it is needed: closes no circle. */
  readonly isLate: boolean;
}

/** Breaches of the rules in one file, whose path is relative to src/. */
export function breachesOf(file: string, source: string): string[] {
  const room = roomOf(file);
  if (TABLE[room] === undefined) return [`${file}: room ${room} is not in the table`];
  const found = importsOf(file, source).flatMap((one) => importBreaches(file, one));
  const code = source.replace(/^\s*(\*|\/\/|\/\*).*$/gm, "");
  for (const { rule, pattern, isExempt } of FORBIDDEN) {
    if (!isExempt(file) && pattern.test(code)) found.push(`${file}: ${rule}`);
  }
  if (room !== "slab") {
    for (const pattern of MUTABLE_STATE)
      for (const [, name] of code.matchAll(pattern)) found.push(`${file}: state of the module: ${name}`);
  }
  return [...new Set(found)];
}

export function importsOf(file: string, source: string): Import[] {
  const found: Import[] = [];
  for (const pattern of IMPORT_PATTERNS) {
    for (const { groups = {} } of source.matchAll(pattern)) {
      const { kind = "", names = "", specifier = "" } = groups;
      const list = names
        .replaceAll(/[{}]/g, "")
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "");
      const isOfTypes =
        kind.endsWith(" type") || (list.length > 0 && list.every((name) => name.startsWith("type ")));
      found.push({
        specifier,
        target: specifier.startsWith(".") ? join(file, "..", specifier) : null,
        names: list.map((name) => name.replace(/^type /, "")),
        isOfTypes,
        isLate: kind === "import" && names === "" && source.includes(`import("${specifier}")`),
      });
    }
  }
  return found;
}

function importBreaches(file: string, one: Import): string[] {
  const { target } = one;
  if (target === null) return isOwned(file, one.specifier) ? [] : [`${file} imports ${one.specifier}`];
  if (target.startsWith("..")) return [`${file} imports ${one.specifier}`];
  const found: string[] = [];
  const [from, to] = [roomOf(file), roomOf(target)];
  if (from !== to && !mayImport(file, target, one.isOfTypes))
    found.push(`${file} imports ${one.isOfTypes ? "types" : "values"} of ${to}`);
  if (from !== "app" && from !== to && HIDDEN.some((hidden) => hidden.test(target)))
    found.push(`${file} imports ${target}`);
  if (from === to && !isInReach(file, target)) found.push(`${file} imports ${from}/${folderOf(target)}`);
  if (target === "app/server.ts" && one.names.includes("Server") && !SERVER_HOLDERS.has(file))
    found.push(`${file}: names the class Server`);
  return found;
}

function mayImport(file: string, target: string, isOfTypes: boolean): boolean {
  const [values = "", types = ""] = (TABLE[roomOf(file)] ?? "").split("types:");
  const allowed = `${values} ${isOfTypes ? types : ""}`.split(" ");
  return allowed.includes(roomOf(target)) || FURTHER.some(([from, to]) => from.test(file) && to.test(target));
}

/** Within one room. */
function isInReach(file: string, target: string): boolean {
  const room = roomOf(file);
  const [from, to] = [folderOf(file), folderOf(target)];
  if (from === to) return true;
  const shared = SIBLINGS[room];
  if (shared !== undefined && to !== "") return shared.includes(to);
  const storeys = STOREYS[room];
  if (storeys === undefined || !storeys.includes(from)) return true;
  return storeys.indexOf(to) < storeys.indexOf(from);
}

function isOwned(file: string, specifier: string): boolean {
  const owned = OWNERS.find(([pattern]) => pattern.test(specifier));
  return owned === undefined ? specifier.startsWith("node:") : owned[1].test(file);
}

/** "" for main.ts and index.ts. */
function roomOf(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/")) : "";
}

/** "": directly in the room. */
function folderOf(file: string): string {
  return /^[^/]+\/([^/]+)\//.exec(file)?.[1] ?? "";
}

/** The files that stand in a circle of imports, by the files that each imports. */
export function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const reach = new Map<string, Set<string>>();
  for (const file of imports.keys()) {
    const seen = new Set<string>();
    const waiting = [...(imports.get(file) ?? [])];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      waiting.push(...(imports.get(next) ?? []));
    }
    reach.set(file, seen);
  }
  return [...reach].filter(([file, seen]) => seen.has(file)).map(([file]) => file);
}
