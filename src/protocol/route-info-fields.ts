/**
 * Which fields INFO and CONNECT between servers have, and what they may hold. nats-server refuses a wrong type or a number that
 * is not whole as well; the bounds of numbers are those that make sense. Other fields are told on as they are.
 */
import type { FieldKind } from "../base/json.ts";

/** The largest `pool_size` that a member may be configured for. */
const ROUTE_POOL_MAX = 1024;

const INT32: FieldKind = [-(2 ** 31), 2 ** 31 - 1];
const BYTE: FieldKind = [0, 255];
const COUNT: FieldKind = [0, 2 ** 31 - 1];

export const ROUTE_INFO_FIELDS: Readonly<Record<string, FieldKind>> = {
  server_id: "text",
  server_name: "text",
  version: "text",
  proto: INT32,
  git_commit: "text",
  go: "text",
  host: "text",
  port: [0, 65535],
  headers: "flag",
  auth_required: "flag",
  tls_required: "flag",
  tls_verify: "flag",
  tls_available: "flag",
  max_payload: INT32,
  jetstream: "flag",
  ip: "text",
  client_id: [0, Number.MAX_SAFE_INTEGER],
  client_ip: "text",
  nonce: "text",
  cluster: "text",
  cluster_dynamic: "flag",
  domain: "text",
  connect_urls: "texts",
  ws_connect_urls: "texts",
  ldm: "flag",
  compression: "text",
  connect_info: "flag",
  remote_account: "text",
  acc_is_sys: "flag",
  api_lvl: INT32,
  import: "rules",
  export: "rules",
  lnoc: "flag",
  lnocu: "flag",
  ln: "flag",
  info_on_connect: "flag",
  route_pool_size: [-(2 ** 31), ROUTE_POOL_MAX],
  route_pool_idx: INT32,
  route_account: "text",
  route_acc_add_reqid: "text",
  gossip_mode: BYTE,
  gateway: "text",
  gateway_urls: "texts",
  gateway_url: "text",
  gateway_cmd: BYTE,
  gateway_cmd_payload: "text",
  gateway_nrp: "flag",
  gateway_iom: "flag",
  leafnode_urls: "texts",
  xkey: "text",
  // Of this server's kind.
  shoal: "flag",
  zone: "text",
  clients: COUNT,
  external_urls: "texts",
};

export const ROUTE_CONNECT_FIELDS: Readonly<Record<string, FieldKind>> = {
  name: "text",
  cluster: "text",
  cluster_dynamic: "flag",
  user: "text",
  pass: "text",
  tls_required: "flag",
  headers: "flag",
  lang: "text",
  gateway: "text",
};
