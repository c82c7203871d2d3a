/** Users from a directory that looks and changes as a mounted Secret does. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { waitFor } from "../../../support/cluster-wait.ts";
import { startInProcess } from "../../../support/in-process-server.ts";

const WONDER = "$2b$04$abcdefghijklmnopqrstuuetGRvO6QNMBbbIoo5tpQkbPXg26U9Qu";
let folder = "";
let version = 0;

/** As the kubelet does it: files in a folder of their own, `..data` points to it, each name points through that. */
function mount(users: Readonly<Record<string, string>>): void {
  const data = `..version_${++version}`;
  mkdirSync(join(folder, data));
  for (const [name, content] of Object.entries(users)) writeFileSync(join(folder, data, name), content);
  symlinkSync(data, join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
  for (const name of Object.keys(users)) {
    try {
      symlinkSync(join("..data", name), join(folder, name));
    } catch {
      // it points there already
    }
  }
}

function unlist(name: string): void {
  rmSync(join(folder, name));
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "shoal-users-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function login(url: string, user: string, pass: string): Promise<NatsConnection> {
  return connect({ servers: url, user, pass, reconnect: false });
}

describe("a directory of users", () => {
  it("lets its users in, with plain passwords and hashes, and nobody else", async () => {
    mount({ ann: "s3cret\n", bob: WONDER });
    await using server = await startInProcess({ authorization: { usersDir: folder } });
    await (await login(server.url, "ann", "s3cret")).close();
    await (await login(server.url, "bob", "wonder")).close();
    for (const [user, pass] of [
      ["ann", "wonder"],
      ["bob", WONDER],
      ["..data", ""],
      ["eve", ""],
    ] as const) {
      await expect(login(server.url, user, pass)).rejects.toThrow(/Authorization Violation/i);
    }
    expect(server.server.clients.counters.authFailures).toBe(4);
  });

  it("gives passwords to users of the configuration, whose permissions count", async () => {
    mount({ ann: "filed", guest: "g" });
    const only = (subject: string) => ({
      publish: { allow: [subject], deny: [] },
      subscribe: null,
      responses: null,
    });
    const users = [{ user: "ann", password: "", permissions: only("ann.>") }];
    const authorization = { usersDir: folder, users, defaultPermissions: only("guest.>") };
    await using server = await startInProcess({ authorization });
    await expect(login(server.url, "ann", "")).rejects.toThrow(/Authorization Violation/i);
    for (const [user, pass] of [
      ["ann", "filed"],
      ["guest", "g"],
    ] as const) {
      await using client = {
        real: await login(server.url, user, pass),
        [Symbol.asyncDispose]: () => client.real.close(),
      };
      const seen: string[] = [];
      client.real.subscribe(">", { callback: (_error, message) => void seen.push(message.subject) });
      for (const subject of ["ann.a", "guest.a"]) client.real.publish(subject);
      await client.real.flush();
      expect(seen).toEqual([`${user}.a`]);
    }
  });

  it("is followed: who is new gets in, who is gone or has another password is sent away, others stay", async () => {
    mount({ ann: "a", bob: "b", eve: "e" });
    await using server = await startInProcess({ authorization: { usersDir: folder } });
    const [ann, bob, eve] = [
      await login(server.url, "ann", "a"),
      await login(server.url, "bob", "b"),
      await login(server.url, "eve", "e"),
    ];
    const ended: string[] = [];
    void bob.closed().then(() => ended.push("bob"));
    void eve.closed().then(() => ended.push("eve"));
    unlist("eve");
    mount({ ann: "a", bob: "other", zoe: "z" });
    await waitFor("bob and eve to be sent away", () => ended.length === 2);
    await (await login(server.url, "zoe", "z")).close();
    await (await login(server.url, "bob", "other")).close();
    await expect(login(server.url, "eve", "e")).rejects.toThrow(/Authorization Violation/i);
    await ann.flush();
    await ann.close();
  });

  it("without a user lets nobody in", async () => {
    await using server = await startInProcess({ authorization: { usersDir: folder } });
    await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow(
      /Authorization Violation/i,
    );
  });

  it.each([
    ["is not there", () => rmSync(folder, { recursive: true })],
    ["has an empty password", () => writeFileSync(join(folder, "ann"), "\n")],
    ["has a file that is no password", () => writeFileSync(join(folder, "ann"), "x".repeat(5000))],
  ])("that %s is an error at the start, without a secret in it", async (_what, make) => {
    make();
    await expect(startInProcess({ authorization: { usersDir: folder } })).rejects.toThrow(
      /shoal-users-|user ann/,
    );
    mkdirSync(folder, { recursive: true });
  });
});
