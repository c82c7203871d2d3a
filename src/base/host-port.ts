/** Writing `host:port`, and the host that the operating system is told to listen on. Reading is `config/values/address.ts`. */

/** An IPv6 address in brackets, other hosts as they are. */
export function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

export function hostPort(host: string, port: number): string {
  return `${bracketed(host)}:${port}`;
}

/** To nats-server "0.0.0.0" means every address, including IPv6 if the machine has it. undefined: every address. */
export function listenHost(host: string): string | undefined {
  return host === "0.0.0.0" || host === "" ? undefined : host;
}
