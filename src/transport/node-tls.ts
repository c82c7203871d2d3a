/**
 * Node's module for TLS, loaded at its first use: it takes some 15 ms, and most commands and servers do not need it. Types come from
 * `import type`, which costs nothing.
 */
import type * as tls from "node:tls";

export function nodeTls(): typeof tls {
  return process.getBuiltinModule("node:tls");
}
