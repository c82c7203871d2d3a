/** What a server makes of the container or pod around it. */
import { describe, expect, it } from "vitest";
import {
  isStoppedByOrchestrator,
  nameOfContainer,
  nameOfPodInDns,
  type Surroundings,
} from "../../../../src/app/process/container.ts";

function around(what: Partial<Surroundings> & { readonly files?: Record<string, string> }): Surroundings {
  const { files = {}, ...rest } = what;
  return {
    env: {},
    pid: 4711,
    parentPid: 4000,
    hostName: "host",
    exists: (path) => files[path] !== undefined,
    read: (path) => files[path] ?? null,
    ...rest,
  };
}

const kubernetes = { KUBERNETES_SERVICE_HOST: "10.0.0.1" };

describe("the name of a server that is not given one", () => {
  it.each<[string, Parameters<typeof around>[0], string | null]>([
    ["started by hand", {}, null],
    ["a service of the system", { parentPid: 1 }, null],
    ["the program of a container", { pid: 1, parentPid: 0 }, "host"],
    ["the program of a container that shares its process ids", { pid: 17, parentPid: 0 }, "host"],
    ["below a container's init, Docker", { pid: 7, parentPid: 1, files: { "/.dockerenv": "" } }, "host"],
    [
      "below a container's init, Podman",
      { pid: 7, parentPid: 1, files: { "/run/.containerenv": "" } },
      "host",
    ],
    ["below a container's init, Kubernetes", { pid: 7, parentPid: 1, env: kubernetes }, "host"],
    [
      "below a container's init, told by its cgroup",
      { pid: 7, parentPid: 1, files: { "/proc/1/cgroup": "12:cpu:/kubepods/pod1/abc\n" } },
      "host",
    ],
    ["by hand in a container", { env: kubernetes, files: { "/.dockerenv": "" } }, null],
    ["with POD_NAME", { env: { POD_NAME: "p-0" } }, "p-0"],
    ["with POD_NAME, in a container", { pid: 1, parentPid: 0, env: { POD_NAME: "p-0" } }, "p-0"],
    ["with an empty POD_NAME", { pid: 1, parentPid: 0, env: { POD_NAME: "" } }, "host"],
  ])("%s", (_what, surroundings, name) => {
    expect(nameOfContainer(around(surroundings))).toBe(name);
  });
});

describe("whoever stops a server", () => {
  const docker = { "/.dockerenv": "" };

  it.each<[string, Parameters<typeof around>[0], boolean]>([
    ["by hand", {}, false],
    ["as a service of the system", { parentPid: 1, files: { "/proc/1/comm": "systemd\n" } }, false],
    ["as the first process of a container", { pid: 1, parentPid: 0 }, true],
    ["below tini", { parentPid: 1, files: { ...docker, "/proc/1/comm": "tini\n" } }, true],
    [
      "below Docker's own init",
      { parentPid: 1, files: { ...docker, "/proc/1/comm": "docker-init\n" } },
      true,
    ],
    [
      "below a test runner in a container",
      { parentPid: 1, files: { ...docker, "/proc/1/comm": "pytest\n" } },
      false,
    ],
    ["by hand in a container", { files: docker }, false],
  ])("is an orchestrator only of the program of a container: %s", (_what, surroundings, is) => {
    expect(isStoppedByOrchestrator(around(surroundings))).toBe(is);
  });
});

describe("the DNS name of a pod", () => {
  const hosts = (line: string): Record<string, string> => ({
    "/etc/hosts": `# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n${line}\n`,
  });

  it.each<[string, Parameters<typeof around>[0], string | null]>([
    [
      "of a StatefulSet",
      { env: kubernetes, hostName: "p-0", files: hosts("10.1.2.3\tp-0.peers.ns.svc.cluster.local\tp-0") },
      "p-0.peers.ns.svc.cluster.local",
    ],
    [
      "of a StatefulSet, IPv6",
      { env: kubernetes, hostName: "p-0", files: hosts("fd00::7 p-0.peers.ns.svc.cluster.local p-0 # me") },
      "p-0.peers.ns.svc.cluster.local",
    ],
    ["of a Deployment", { env: kubernetes, hostName: "p-x", files: hosts("10.1.2.3\tp-x") }, null],
    ["that is another's", { env: kubernetes, hostName: "p-0", files: hosts("10.1.2.3 p-0.x.y p-00") }, null],
    ["without a hosts file", { env: kubernetes, hostName: "p-0" }, null],
    ["outside of Kubernetes", { hostName: "p-0", files: hosts("10.1.2.3 p-0.example.com p-0") }, null],
  ])("%s", (_what, surroundings, name) => {
    expect(nameOfPodInDns(around(surroundings))).toBe(name);
  });
});
