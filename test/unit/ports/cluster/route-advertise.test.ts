/** What a server tells others to dial, where nothing is configured. */
import { describe, expect, it } from "vitest";
import { clusterPortOptions } from "../../../../src/app/slices/cluster.ts";
import { loadConfig } from "../../../../src/config/load.ts";

const podName = "p-0.peers.ns.svc.cluster.local";
const tls = "tls { cert_file: c.pem, key_file: k.pem, ca_file: ca.pem }";

function advertised(cluster: string, ownDnsName: string | null): unknown {
  const text = `cluster { port: 6222, ${cluster} }`;
  const loaded = loadConfig(["-c", "server.conf"], {}, () => Buffer.from(text));
  if (loaded.kind !== "run") throw new Error(JSON.stringify(loaded));
  return clusterPortOptions(loaded.config, 6222, ownDnsName).advertise;
}

describe("the address for routes", () => {
  it.each([
    ["is the name of the pod over TLS", tls, podName, { host: podName, port: null }],
    ["is left to those who see it without TLS", "", podName, null],
    ["is left to those who see it where the pod has no name", tls, null, null],
    ["is what is configured in any case", `${tls}, advertise: "own:1"`, podName, { host: "own", port: 1 }],
  ])("%s", (_what, cluster, ownDnsName, wanted) => {
    expect(advertised(cluster, ownDnsName)).toEqual(wanted);
  });
});
