/** The monitoring port. */
import type { ConfError } from "../formats/nats-conf/node.ts";
import { rowsOf, type Section } from "../option.ts";
import { listen, port } from "../values/address.ts";
import { credential } from "../values/users.ts";
import { basePath, bool } from "../values/value-type.ts";
import { LACKS_CERTIFICATE, type ClientConfig } from "./client.ts";
import { userRows } from "./shared-rows.ts";

interface MonitorConfig {
  readonly host: string;
  /** null: off; 0: the system picks a free port. */
  readonly port: number | null;
  /** null: off; 0: the system picks a free port. The certificate is that of the clients' port. */
  readonly httpsPort: number | null;
  readonly basePath: string;
  /** Credentials of requests other than probes: "Basic", or "Bearer" with the token. null: none needed. */
  readonly user: string | null;
  readonly password: string | null;
  readonly token: string | null;
  /** Whether messages of streams can be looked at. */
  readonly showsMessages: boolean;
}

export interface SeenByMonitor {
  readonly monitor: MonitorConfig;
  readonly client: ClientConfig;
}

export type MonitorSeen = Pick<SeenByMonitor, "monitor">;

const PLACE = { section: "monitor", key: "monitor", heading: "Monitoring" } as const;
const { option, composite } = rowsOf<SeenByMonitor, "monitor">(PLACE.section, PLACE.heading);

export const monitor: Section<SeenByMonitor, "monitor"> = {
  name: "monitor",
  rows: [
    composite({
      key: "http",
      fields: ["monitor.host", "monitor.port"],
      type: listen,
      assign(sheet, { host, port: number }, at) {
        sheet.assign("monitor.host", host, at);
        sheet.assign("monitor.port", number, at);
      },
      defaults: [
        ["monitor.host", { derive: ({ client }) => client.host }],
        ["monitor.port", { value: null }],
      ],
      defaultText: "off",
      reload: "restart",
      description: "Host and port for monitoring over HTTP; without a host, that of the clients",
    }),
    composite({
      key: "http_port",
      aliases: ["monitor_port"],
      fields: ["monitor.port"],
      type: port,
      // SHOAL__HTTP_PORT is what Kubernetes would set for a Service named "shoal--http".
      env: null,
      assign: (sheet, number, at) => sheet.set("monitor.port", number, at),
      flags: ["m", "http_port"],
      reload: "restart",
      description: "Port for monitoring over HTTP, -1 for a free one",
    }),
    option({
      key: "http_base_path",
      field: "basePath",
      type: basePath,
      default: "/",
      reload: "restart",
      description: "Path before those of monitoring",
    }),
    composite({
      key: "https",
      fields: ["monitor.host", "monitor.httpsPort"],
      type: listen,
      assign(sheet, { host, port: number }, at) {
        sheet.assign("monitor.host", host, at);
        sheet.assign("monitor.httpsPort", number, at);
      },
      defaults: [["monitor.httpsPort", { value: null }]],
      defaultText: "off",
      reload: "restart",
      description: "Host and port for monitoring over HTTPS, by the certificate of the tls block",
    }),
    composite({
      key: "https_port",
      fields: ["monitor.httpsPort"],
      type: port,
      // As for http_port: a Service named "shoal--https" would set it.
      env: null,
      assign: (sheet, number, at) => sheet.set("monitor.httpsPort", number, at),
      flags: ["ms", "https_port"],
      reload: "restart",
      description: "Port for monitoring over HTTPS, -1 for a free one",
    }),
    ...userRows<SeenByMonitor, "monitor">(PLACE, {
      user: "User that requests have to name (Basic), but for those of probes",
      password: "Password of that user",
    }),
    option({
      key: "monitor.authorization.token",
      field: "token",
      isSecret: true,
      type: credential,
      default: null,
      reload: "live",
      description: "Token that requests may present instead (Bearer)",
    }),
    option({
      key: "monitor.show_messages",
      field: "showsMessages",
      type: bool,
      default: { derive: ({ monitor: { user, token } }) => user !== null || token !== null },
      defaultText: "where monitor.authorization asks for credentials",
      reload: "live",
      description: "Whether the page shows messages of streams, with headers and payloads",
    }),
  ],
  check({ monitor: { httpsPort, port: httpPort, user, password }, client: { tls, allowNonTls } }, sheet) {
    const errors: ConfError[] = [];
    if (httpsPort !== null && httpPort !== null) {
      const reason = "http and https exclude each other: keep one of them";
      errors.push(sheet.errorAt(["monitor.httpsPort"], reason));
    } else if (httpsPort !== null && tls === null && sheet.knows("client.tls")) {
      const reason = "https needs a tls block: its certificate is that of the clients' port";
      errors.push(sheet.errorAt(["monitor.httpsPort"], reason));
    }
    if (httpsPort !== null && tls?.certificates.length === 0 && allowNonTls)
      errors.push(sheet.errorAt(["client.tls"], LACKS_CERTIFICATE));
    if ((user === null) !== (password === null)) {
      const reason = "monitor.authorization needs both user and password, or a token";
      errors.push(sheet.errorAt(["monitor.user", "monitor.password"], reason));
    }
    return errors;
  },
};
