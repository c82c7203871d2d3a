/** What a server can tell of the container or pod that it runs in. */
import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";

/** The files that are read; tests have their own. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly parentPid: number;
  readonly hostName: string;
  readonly exists: (path: string) => boolean;
  /** null: there is none. */
  readonly read: (path: string) => string | null;
}

export const realSurroundings: Surroundings = {
  env: process.env,
  pid: process.pid,
  parentPid: process.ppid,
  hostName: hostname(),
  exists: existsSync,
  read(path) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return null;
    }
  },
};

/**
 * The name of a server that is not given one: POD_NAME, else the host name of the container whose program it is. null: neither,
 * so that several servers started on one host, or by hand in one container, have names of their own.
 */
export function nameOfContainer(around: Surroundings): string | null {
  const podName = around.env["POD_NAME"] ?? "";
  if (podName !== "") return podName;
  return isProgramOfContainer(around) && around.hostName !== "" ? around.hostName : null;
}

/** Programs that containers start as their first process, only to pass signals on to the second. */
const INITS = new Set(["tini", "docker-init", "dumb-init", "catatonit", "podman-init", "s6-svscan", "pause"]);

/**
 * Whether the container ends with this process, so that whoever sends SIGTERM is the container's orchestrator and waits for the
 * end. A test harness that is itself the first process of a container is no orchestrator.
 */
export function isStoppedByOrchestrator(around: Surroundings): boolean {
  if (!isProgramOfContainer(around)) return false;
  return around.parentPid !== 1 || INITS.has((around.read("/proc/1/comm") ?? "").trim());
}

/** Outside of a container the first process is the system's own; below it are its services. */
function isProgramOfContainer(around: Surroundings): boolean {
  const isFirst = around.pid === 1 || around.parentPid === 0;
  const isBelowInit = around.parentPid === 1 && isContainer(around);
  return isFirst || isBelowInit;
}

function isContainer({ env, exists, read }: Surroundings): boolean {
  if (env["KUBERNETES_SERVICE_HOST"] !== undefined) return true;
  if (exists("/.dockerenv") || exists("/run/.containerenv")) return true;
  return /docker|kubepods|containerd|libpod/.test(read("/proc/1/cgroup") ?? "");
}

/**
 * The DNS name of a pod of a StatefulSet, as the kubelet writes it into the hosts file; null where there is none: only such pods
 * have one that leads to them alone.
 */
export function nameOfPodInDns({ env, hostName, read }: Surroundings): string | null {
  if (env["KUBERNETES_SERVICE_HOST"] === undefined) return null;
  for (const line of (read("/etc/hosts") ?? "").split("\n")) {
    const [, ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    const full = names.find((name) => name.startsWith(`${hostName}.`));
    if (full !== undefined && names.includes(hostName)) return full;
  }
  return null;
}
