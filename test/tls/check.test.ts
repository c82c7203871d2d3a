/** A check of a configuration (-t) finds what is wrong with the files of certificates, on both servers. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bothServers } from "../support/both-servers.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";

describe.skipIf(missingOpenssl()).each(bothServers)("-t of $name", ({ command }) => {
  it("opens the files of certificates for -t", () => {
    using authority = new Authority();
    const { certFile, keyFile } = authority.issue();
    const nowhere = join(authority.folder, "nowhere.pem");
    const block = (cert: string, key: string, ca: string): string =>
      `tls { cert_file: "${cert}", key_file: "${key}", ca_file: "${ca}" }`;
    const accepts = (config: string): boolean => {
      const file = join(authority.folder, "checked.conf");
      writeFileSync(file, config);
      return spawnSync(command, ["-t", "-c", file]).status === 0;
    };
    expect(accepts(block(certFile, keyFile, authority.caFile))).toBe(true);
    for (const bad of [
      block(nowhere, keyFile, authority.caFile),
      block(certFile, nowhere, authority.caFile),
      block(certFile, keyFile, nowhere),
      block(certFile, authority.issue({ subject: "/CN=another" }).keyFile, authority.caFile),
      block(certFile, keyFile, keyFile),
    ]) {
      expect([accepts(bad), bad]).toEqual([false, bad]);
      expect([accepts(`cluster { port: -1\n${bad} }`), bad]).toEqual([false, bad]);
    }
  });
});
