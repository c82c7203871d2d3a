/** The documents agree with the source: links, scripts, files, rooms, keys of the configuration, events of the log. */
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { KEYS_WITHOUT_EFFECT, OPTIONS, UNSUPPORTED_BY_KEY } from "../../../src/config/schema.ts";
import { TABLE } from "../../architecture/house.ts";

const root = join(import.meta.dirname, "../../..");
const documents = globSync("{*.md,docs/**/*.md,bench/*.md,test/protocol/*.md}", { cwd: root });

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** Rows of the tables below a heading, cell by cell. */
function rows(file: string, heading: string): string[][] {
  const from = read(file).split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...from.matchAll(/^\|(.*)\|$/gm)]
    .slice(2)
    .map(([, row]) => row!.split(/(?<!\\)\|/).map((c) => c.trim()));
}

/** What stands in backquotes outside of code blocks. */
function inCode(text: string): string[] {
  return [...text.replaceAll(/^```[^]*?^```$/gm, "").matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
}

describe("links", () => {
  it.each(documents)("of %s lead somewhere", (file) => {
    const dead = [...read(file).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(file, target));
    expect(dead).toEqual([]);
  });
});

function leadsSomewhere(file: string, target: string): boolean {
  const [path = "", anchor] = target.split("#");
  const resolved = path === "" ? file : join(dirname(file), path);
  if (!existsSync(join(root, resolved))) return false;
  return anchor === undefined || anchorsOf(resolved).includes(anchor);
}

/** As GitHub makes them. */
function anchorsOf(file: string): string[] {
  return [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("commands", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };

  it.each(["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/compatibility.md"])(
    "of npm in %s are in package.json",
    (file) => {
      const used = [...read(file).matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!);
      expect(used.filter((name) => scripts[name] === undefined)).toEqual([]);
    },
  );
});

describe("docs/ARCHITECTURE.md", () => {
  it("names files that exist", () => {
    const named = inCode(read("docs/ARCHITECTURE.md"))
      .map((code) => code.split(" ")[0]!)
      .filter((code) => /^[\w.-]+(\/[\w.*-]+)+$/.test(code));
    expect(named.length).toBeGreaterThan(30);
    const missing = named.filter((path) => globSync([path, `src/${path}`], { cwd: root }).length === 0);
    expect(missing).toEqual([]);
  });

  it("has the import table of the architecture test, as far as its rooms exist", () => {
    const rooms = readdirSync(join(root, "src"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    const existing = (list: string): string[] => list.split(" ").filter((room) => rooms.includes(room));
    const held = ["", ...rooms].map((room) => {
      const [values = "", types = ""] = TABLE[room]!.split("types:");
      return [room, { values: existing(values), types: existing(types) }];
    });
    const named = (text: string): string[] => inCode(text).filter((name) => /^\w+$/.test(name));
    const told = rows("docs/ARCHITECTURE.md", "Rooms").map(([room, , imports]) => {
      const [values = "", types = ""] = imports!.split("types of");
      return [room!.startsWith("(") ? "" : inCode(room!)[0]!, { values: named(values), types: named(types) }];
    });
    // app may import every other room, which the document says in words
    const withoutApp = (list: unknown[][]): unknown =>
      Object.fromEntries(list.filter(([room]) => room !== "app"));
    expect(withoutApp(told)).toEqual(withoutApp(held));
  });
});

describe("docs/compatibility.md", () => {
  /** By key as in the schema; a name in parentheses belongs to the block of the key before it. */
  const told = new Map<string, { status: string; note: string }>();
  for (const [keys, status, note] of rows("docs/compatibility.md", "Configuration: keys")) {
    let block = "";
    let isAlias = false;
    for (const [token, key] of keys!.matchAll(/`([^`]+)`|[()]/g)) {
      if (key === undefined) isAlias = token === "(";
      else if (!isAlias) block = key.slice(0, key.lastIndexOf(".") + 1);
      if (key !== undefined) told.set(isAlias ? block + key : key, { status: status!, note: note! });
    }
  }

  it("tells of every key that shoal knows, and of no other", () => {
    const known = OPTIONS.flatMap(({ key, aliases }) => [
      key,
      ...aliases.map((alias) => key.slice(0, key.lastIndexOf(".") + 1) + alias),
    ]);
    const others = [...UNSUPPORTED_BY_KEY.keys(), ...KEYS_WITHOUT_EFFECT.keys()];
    expect([...told.keys()].sort()).toEqual([...known, ...others].sort());
  });

  it("says which have no effect, and which are refused", () => {
    for (const { key, status } of OPTIONS) {
      const isWithoutEffect = told.get(key)!.note.startsWith("no effect yet");
      expect([key, isWithoutEffect]).toEqual([key, status === "parsed"]);
    }
    for (const key of UNSUPPORTED_BY_KEY.keys())
      expect([key, told.get(key)]).toEqual([
        key,
        { status: "absent", note: expect.stringMatching(/^refused/) as string },
      ]);
    for (const key of KEYS_WITHOUT_EFFECT.keys())
      expect([key, told.get(key)!.note]).toEqual([key, expect.stringMatching(/^no effect[:,]/)]);
  });
});

describe("docs/logs.md", () => {
  it("has the events that the source has", () => {
    const events = globSync("src/**/*.ts", { cwd: root }).flatMap((file) =>
      [...read(file).matchAll(/\bevent: "(\w+)"(?! \|)/g)].map(([, name]) => name!),
    );
    expect(events.length).toBeGreaterThan(3);
    const told = rows("docs/logs.md", "Events").map(([event]) => inCode(event!)[0]!);
    expect(told.sort()).toEqual([...new Set(events)].sort());
  });
});

describe("docs/decisions", () => {
  it("are all in the list, and have their three parts", () => {
    const records = globSync("docs/decisions/0*.md", { cwd: root }).sort();
    const listed = [...read("docs/decisions/README.md").matchAll(/\((0[^)]+)\)/g)].map(
      ([, file]) => `docs/decisions/${file}`,
    );
    expect(listed.sort()).toEqual(records);
    for (const record of records) {
      expect([...read(record).matchAll(/^## (.+)$/gm)].map(([, title]) => title)).toEqual([
        "Context",
        "Decision",
        "Consequence",
      ]);
    }
  });
});
