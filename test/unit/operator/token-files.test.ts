/** Tokens in a directory: what is written, what is not, and what a name may be. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newNkey } from "../../../src/keys/nkey.ts";
import { TokenFiles, type TokenFilesOptions } from "../../../src/operator/token-files.ts";

const [a, b, c] = [1, 2, 3].map(() => newNkey("account").publicKey) as [string, string, string];

describe("tokens in a directory", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "shoal-tokens-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const open = (more: Partial<TokenFilesOptions> = {}): TokenFiles =>
    new TokenFiles({ directory, limit: null, whenFull: "refuses", onDelete: "renames", ...more });

  it("are there after a restart, with the same sum whatever the order", async () => {
    const first = open();
    await first.save(a, "x", 1);
    await first.save(b, "y", 2);
    expect(await first.save(b, "y", 3)).toBe("same");
    const second = open();
    expect([...second.names].toSorted()).toEqual([a, b].toSorted());
    expect(second.load(a, 4)).toBe("x");
    expect(second.hash).toEqual(first.hash);
    await second.save(a, "z", 5);
    expect(second.hash).not.toEqual(first.hash);
    await second.save(a, "x", 6);
    expect(second.hash).toEqual(first.hash);
  });

  it("leave no file behind that is half written, and take no other files for tokens", () => {
    writeFileSync(join(directory, `${a}.jwt.writing`), "half");
    writeFileSync(join(directory, "notes.jwt"), "x");
    writeFileSync(join(directory, `${b}.jwt`), "y".repeat(2 * 1024 * 1024));
    expect([...open().names]).toEqual([]);
    expect(readdirSync(directory).toSorted()).toEqual([`${b}.jwt`, "notes.jwt"].toSorted());
  });

  it("are taken out of folders by the last two letters, unless they lie outside already", () => {
    const put = (folder: string, name: string, text: string): void => {
      mkdirSync(join(directory, folder), { recursive: true });
      writeFileSync(join(directory, folder, `${name}.jwt`), text);
    };
    put(a.slice(-2), a, "x");
    put(b.slice(-2), b, "old");
    put("", b, "new");
    put(c.slice(-2) === "AA" ? "BB" : "AA", c, "astray");
    const files = open();
    expect([...files.names].toSorted()).toEqual([a, b].toSorted());
    expect([files.load(a, 1), files.load(b, 1)]).toEqual(["x", "new"]);
  });

  it("are refused beyond the limit, or take the place of the one not used for longest", async () => {
    const full = open({ limit: 1 });
    await full.save(a, "x", 1);
    await expect(full.save(b, "y", 2)).rejects.toThrow("jwt store is full");
    const cache = open({ limit: 2, whenFull: "evicts" });
    await cache.save(b, "y", 2);
    cache.load(a, 3);
    await cache.save(c, "z", 4);
    expect([...cache.names]).toEqual([a, c]);
    await cache.expire(4);
    expect([...cache.names]).toEqual([c]);
  });

  it("are renamed or removed when they are deleted", async () => {
    const files = open();
    await files.save(a, "x", 1);
    await files.remove(a);
    expect(readFileSync(join(directory, `${a}.jwt.deleted`), "utf8")).toBe("x");
    const others = open({ onDelete: "removes" });
    await others.save(b, "y", 1);
    await others.remove(b);
    await others.remove(c);
    expect(readdirSync(directory)).toEqual([`${a}.jwt.deleted`]);
  });

  it("are written under names of accounts alone", () => {
    expect(() => open().save("../x", "y", 1)).toThrow("a file is named by the public nkey of an account");
  });
});
