/**
 * Rows that several sections have: where a port listens, the one user, and what a slow or silent connection is. They differ in what the
 * documentation says of them; all else is here once.
 */
import { rowsOf, type Option } from "../option.ts";
import { listen, port } from "../values/address.ts";
import { credential } from "../values/users.ts";
import { duration, hostName, integer } from "../values/value-type.ts";
import type { ClientConfig } from "./client.ts";

/** A section, the name of its block in a file, and the heading in the documentation. */
interface Place<N> {
  readonly section: N;
  readonly key: string;
  readonly heading: string;
}

interface Endpoint {
  readonly host: string;
  /** null: off; 0: the system picks a free port. */
  readonly port: number | null;
}

interface SeenByEndpoint {
  readonly own: Endpoint;
}

/** Host and port in one, and each by itself; without any of them the port is off. */
export function endpointRows<C extends Record<N, Endpoint>, N extends keyof C & string>(
  { section, key, heading }: Place<N>,
  texts: { readonly listen: string; readonly host: string; readonly port: string },
): readonly Option[] {
  const { option, composite } = rowsOf<SeenByEndpoint, "own">(section as "own", heading);
  const [hostField, portField] = [`${section}.host` as "own.host", `${section}.port` as "own.port"];
  return [
    composite({
      key: `${key}.listen`,
      fields: [hostField, portField],
      type: listen,
      assign(sheet, { host, port: number }, at) {
        sheet.assign(hostField, host, at);
        sheet.assign(portField, number, at);
      },
      reload: "restart",
      description: texts.listen,
    }),
    option({
      key: `${key}.host`,
      aliases: ["net"],
      field: "host",
      type: hostName,
      default: "0.0.0.0",
      reload: "restart",
      description: texts.host,
    }),
    option({
      key: `${key}.port`,
      field: "port",
      type: port,
      default: null,
      defaultText: "off",
      reload: "restart",
      description: texts.port,
    }),
  ];
}

interface OneUser {
  readonly user: string | null;
  readonly password: string | null;
}

/** The one user of a block of authorization. */
export function userRows<C extends Record<N, OneUser>, N extends keyof C & string>(
  { section, key, heading }: Place<N>,
  texts: { readonly user: string; readonly password: string },
): readonly Option[] {
  const { option } = rowsOf<{ readonly own: OneUser }, "own">(section as "own", heading);
  const common = { isSecret: true, type: credential, default: null, reload: "live" } as const;
  return [
    option({
      ...common,
      key: `${key}.authorization.user`,
      aliases: ["username"],
      field: "user",
      description: texts.user,
    }),
    option({
      ...common,
      key: `${key}.authorization.password`,
      aliases: ["pass"],
      field: "password",
      description: texts.password,
    }),
  ];
}

interface Patience {
  readonly pingMax: number;
  readonly writeDeadlineMs: number;
}

interface SeenByPatience {
  readonly own: Patience;
  readonly client: ClientConfig;
}

/** When a connection between servers is given up: as for clients, unless it says otherwise. `what` is such a connection. */
export function patienceRows<C extends Record<N, Patience>, N extends keyof C & string>(
  { section, key, heading }: Place<N>,
  what: string,
): readonly Option[] {
  const { option } = rowsOf<SeenByPatience, "own">(section as "own", heading);
  return [
    option({
      key: `${key}.ping_max`,
      field: "pingMax",
      type: integer({ min: 1, max: Number.MAX_SAFE_INTEGER, zero: "default" }),
      default: { derive: ({ client }) => client.pingMax },
      defaultText: "ping_max",
      reload: "live",
      description: `Unanswered PINGs after which ${what} is dropped`,
    }),
    option({
      key: `${key}.write_deadline`,
      field: "writeDeadlineMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "seconds, with a warning" }),
      default: { derive: ({ client }) => client.writeDeadlineMs },
      defaultText: "write_deadline",
      reload: "live",
      description: `Time ${what} has to take what was written before it counts as too slow`,
    }),
  ];
}
