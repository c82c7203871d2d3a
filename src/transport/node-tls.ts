/**
 * Node's modules for TLS, each loaded at its first use: they take some 15 ms, and most commands and servers need none of them.
 * Types come from `import type`, which costs nothing.
 */
import type * as https from "node:https";
import type * as tls from "node:tls";

export function nodeTls(): typeof tls {
  return process.getBuiltinModule("node:tls");
}

export function nodeHttps(): typeof https {
  return process.getBuiltinModule("node:https");
}
