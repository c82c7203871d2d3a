/** The two servers that the same configuration and the same clients are tried on. */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { findNatsServer, noticeOnComparisons } from "./nats-server-binary.ts";

const natsServer = findNatsServer();

/** shoal, and the real nats-server where there is one; `command` starts it. */
export const bothServers: readonly { readonly name: string; readonly command: string }[] = [
  { name: "shoal", command: fileURLToPath(new URL("../../bin/shoal", import.meta.url)) },
  ...(natsServer === undefined
    ? []
    : [{ name: `nats-server ${natsServer.version}`, command: natsServer.path }]),
];

/** A test that fails in CI, and is skipped elsewhere, where there is no nats-server to compare with. */
export function requireNatsServer(): void {
  it("is compared with the real nats-server where there is one", ({ skip }) => {
    if (natsServer !== undefined) return;
    const notice = noticeOnComparisons() ?? "";
    if (process.env["CI"] !== undefined) expect.fail(notice);
    skip(notice);
  });
}
