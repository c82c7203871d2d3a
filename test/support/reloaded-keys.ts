/** Tests of what a reload changes: for each key of a block what is found before and after, and the certificate that is shown. */
import { once } from "node:events";
import type { TLSSocket } from "node:tls";
import { expect, it } from "vitest";
import { Authority } from "./certificates.ts";
import type { InProcessServer } from "./in-process-server.ts";
import { plainTls } from "./tls-config.ts";

/** A block of the configuration before and after a reload, and what is then found by somebody outside. */
export interface ReloadedKey<Block> {
  readonly before: Block;
  readonly after: Block;
  readonly found: (server: InProcessServer) => Promise<unknown>;
  readonly tells: readonly [before: unknown, after: unknown];
}

interface Reloading<Block, Key> {
  readonly start: (block: Block, key: Key) => Promise<InProcessServer>;
  readonly reload: (server: InProcessServer, block: Block, key: Key) => Promise<void>;
}

export function itFollows<Block, Key extends ReloadedKey<Block>>(
  keys: Readonly<Record<string, Key>>,
  { start, reload }: Reloading<Block, Key>,
): void {
  it.each(Object.entries(keys))("%s", async (_name, key) => {
    const { before, after, found, tells } = key;
    await using server = await start(before, key);
    expect(await found(server)).toBe(tells[0]);
    await reload(server, after, key);
    expect(await found(server)).toBe(tells[1]);
  });
}

type Tls = ReturnType<typeof plainTls>;

/** `start`: a server with this certificate. `connect`: begins a handshake with it. */
export async function expectNewCertificate({
  start,
  reload,
  connect,
}: {
  readonly start: (tls: Tls) => Promise<InProcessServer>;
  readonly reload: (server: InProcessServer, tls: Tls) => Promise<unknown>;
  readonly connect: (server: InProcessServer) => TLSSocket | Promise<TLSSocket>;
}): Promise<void> {
  using authority = new Authority();
  const tlsOf = (subject: string): Tls => plainTls(authority.issue({ subject, names: "IP:127.0.0.1" }));
  await using server = await start(tlsOf("/CN=old"));
  const commonName = async (): Promise<string> => {
    const socket = await connect(server);
    await once(socket, "secureConnect");
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return String(subject.CN);
  };
  expect(await commonName()).toBe("old");
  await reload(server, tlsOf("/CN=new"));
  expect(await commonName()).toBe("new");
}
