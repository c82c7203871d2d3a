/** The rows of the schema for TLS on the ports for clients and routes, and for who may ask the monitoring port. */

import { listen, port } from "../values/address.ts";
import { credential } from "../values/authorization.ts";
import { composite, option, type Option } from "../option.ts";
import { clientTls, routeTls } from "../values/tls.ts";
import { bool } from "../values/value-type.ts";

export const tlsOptions: readonly Option[] = [
  option({
    key: "tls",
    field: "client.tls",
    section: "TLS",
    type: clientTls,
    default: null,
    defaultText: "off",
    reload: "live",
    description: "TLS for clients: the block of keys described in docs/security.md",
  }),
  option({
    key: "allow_non_tls",
    field: "client.allowNonTls",
    section: "TLS",
    type: bool,
    default: false,
    reload: "live",
    description: "With TLS, clients that begin in the open are served as well",
  }),
  option({
    key: "cluster.tls",
    field: "cluster.tls",
    section: "TLS",
    type: routeTls,
    default: null,
    defaultText: "off",
    reload: "live",
    description: "TLS for routes: the same block; both servers present a certificate",
  }),
  composite({
    key: "https",
    fields: ["monitor.host", "monitor.httpsPort"],
    section: "Monitoring",
    type: listen,
    assign(sheet, { host, port: number }, at) {
      if (host === undefined) sheet.clear("monitor.host");
      else sheet.set("monitor.host", host, at);
      if (number === undefined) sheet.clear("monitor.httpsPort");
      else sheet.set("monitor.httpsPort", number, at);
    },
    defaults: [["monitor.httpsPort", { value: null }]],
    defaultText: "off",
    reload: "restart",
    description: "Host and port for monitoring over HTTPS, by the certificate of the tls block",
  }),
  composite({
    key: "https_port",
    fields: ["monitor.httpsPort"],
    section: "Monitoring",
    type: port,
    // As for http_port: a Service named "shoal--https" would set it.
    env: null,
    assign: (sheet, number, at) => sheet.set("monitor.httpsPort", number, at),
    flags: ["ms", "https_port"],
    reload: "restart",
    description: "Port for monitoring over HTTPS, -1 for a free one",
  }),
  option({
    key: "monitor.authorization.user",
    aliases: ["username"],
    field: "monitor.user",
    section: "Monitoring",
    type: credential,
    default: null,
    reload: "live",
    description: "User that requests have to name (Basic), but for those of probes",
  }),
  option({
    key: "monitor.authorization.password",
    aliases: ["pass"],
    field: "monitor.password",
    section: "Monitoring",
    type: credential,
    default: null,
    reload: "live",
    description: "Password of that user",
  }),
  option({
    key: "monitor.authorization.token",
    field: "monitor.token",
    section: "Monitoring",
    type: credential,
    default: null,
    reload: "live",
    description: "Token that requests may present instead (Bearer)",
  }),
];
