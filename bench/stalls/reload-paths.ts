/** What reloads do to those who are connected, where there are many of them, or many accounts. */
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pid } from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "./client.ts";
import { A, REST_MS, subscribed, type Path } from "./paths.ts";

/** `more` joins a configuration of 3,000 accounts, each with a connection. */
function reloadOf3000(name: string, more: { readonly account?: string; readonly option?: string }): Path {
  const accounts = Array.from({ length: 3000 }, (_, i) => `A${i} { users: [{user: u${i}, password: p}] }`);
  const config = (added: string): string => `accounts { ${accounts.join("\n")}\n${added} }\nno_auth_user: u0`;
  return {
    name,
    config: config(""),
    prepare: async ({ process, config: whole }) => {
      for (let i = 0; i < 3000; i++) await Client.open(process.port, { user: `u${i}`, pass: "p" });
      return async () => {
        await process.reload(
          whole.replace(config(""), `${config(more.account ?? "")}\n${more.option ?? ""}`),
        );
        await delay(REST_MS);
      };
    },
  };
}

/** Of 3,000 users none but that of the watcher is left. */
function reloadWithoutUsers(): Path {
  const others = Array.from({ length: 3000 }, (_, i) => `{user: u${i}, password: p}`).join("\n");
  const config = (users: string): string =>
    `authorization { users: [{user: w, password: p}\n${users}] }\nno_auth_user: w`;
  return {
    name: "a reload after which 3,000 connected users are gone",
    config: config(others),
    prepare: async ({ process, config: whole }) => {
      for (let i = 0; i < 3000; i++)
        await subscribed(process.port, { user: `u${i}`, pass: "p" }, 10, `g.${i}.#`);
      return async () => {
        await process.reload(whole.replace(config(others), config("")));
        await delay(REST_MS);
      };
    },
  };
}

/** What 2,000 accounts import from one, which is that of the watcher, changes. */
function reloadOfImports(): Path {
  const config = (subject: string): string => `accounts {
  SVC { users: [{user: s, password: p}], exports: [{service: "one"}, {service: "two"}, {stream: "one.>"}, {stream: "two.>"}] }
${Array.from({ length: 2000 }, (_, i) => `A${i} { users: [{user: u${i}, password: p}], imports: [{service: {account: SVC, subject: ${subject}}}, {stream: {account: SVC, subject: "${subject}.>"}}] }`).join("\n")} }
no_auth_user: s`;
  return {
    name: "a reload that changes what 2,000 accounts import",
    config: config("one"),
    prepare: async ({ process, config: whole }) => {
      for (let i = 0; i < 2000; i += 20)
        await subscribed(process.port, { user: `u${i}`, pass: "p" }, 10, "*.#");
      return async () => {
        await process.reload(whole.replace(config("one"), config("two")));
        await delay(REST_MS);
      };
    },
  };
}

/** Accounts that are read from a file, which shoal takes for YAML by its name. */
function reloadOfYaml(): Path {
  const name = `stalls-${pid}.yaml`;
  const accounts = Array.from({ length: 3000 }, (_, i) => `A${i}: {users: [{user: u${i}, password: p}]}`);
  return {
    name: "a reload of 3,000 accounts in a YAML file",
    config: `include "../${name}"\nno_auth_user: u0`,
    before: () => writeFileSync(join(tmpdir(), name), `accounts: {\n  ${accounts.join(",\n  ")}\n}\n`),
    prepare: ({ process, config }) =>
      Promise.resolve(async () => {
        await process.reload(config.replace("max_payload: 1048576", "max_payload: 500000"));
        await delay(REST_MS);
        rmSync(join(tmpdir(), name), { force: true });
      }),
  };
}

export const RELOAD_PATHS: readonly Path[] = [
  {
    name: "a reload of permissions, 100 clients with 1,000 subscriptions each",
    config: `authorization { users: [{user: a, password: p, permissions: {subscribe: ["s.>", "t.>"]}}, {user: b, password: p}] }
no_auth_user: b`,
    prepare: async ({ process, config }) => {
      for (let i = 0; i < 100; i++) await subscribed(process.port, A, 1000, `s.${i}.#`);
      return async () => {
        await process.reload(config.replace('"t.>"', '"u.>"'));
        await delay(REST_MS);
      };
    },
  },
  {
    name: "a reload of imports, 100,000 subscriptions",
    config: `accounts { SVC { exports: [{stream: "x.>"}], users: [{user: s, password: p}] }
  A { users: [{user: a, password: p}], imports: [{stream: {account: SVC, subject: "x.>"}}] } }
no_auth_user: s`,
    prepare: async ({ process, config }) => {
      await subscribed(process.port, A, 100_000, "x.#");
      return async () => {
        await process.reload(config.replace('subject: "x.>"}', 'subject: "x.>"}, prefix: "y"'));
        await delay(REST_MS);
      };
    },
  },
  reloadOf3000("a reload, 3,000 accounts and 3,000 connections", { option: "max_payload: 500000" }),
  reloadOf3000("a reload that adds an account to 3,000, 3,000 connections", {
    account: "NEW { users: [{user: new, password: p}] }",
  }),
  reloadOf3000("a reload that switches tracing on, 3,000 connections", { option: "trace: true" }),
  reloadOfImports(),
  reloadOfYaml(),
  reloadWithoutUsers(),
];
