/**
 * The Kubernetes API as servers need it: lists and watches the EndpointSlices of one service, and reads the StatefulSet of a pod. The only
 * file that imports @kubernetes/client-node, by name, so that the bundle keeps what is used of it; it is itself imported when a server
 * starts to watch Kubernetes, or a pod with streams ends. What is made of it: endpoint-slices.ts and kubernetes-source.ts, stateful-set.ts.
 */
import { readFileSync } from "node:fs";
import {
  AppsV1Api,
  createConfiguration,
  DiscoveryV1Api,
  KubeConfig,
  ServerConfiguration,
  Watch,
  type Configuration,
  type RequestContext,
} from "@kubernetes/client-node";
import { abortedAfter } from "../base/clock.ts";
import type { EndpointSlice } from "./endpoint-slices.ts";
import type { ListedSlices, SliceApi, SliceWatcher } from "./slice-api.ts";
import type { StatefulPod, StatefulSetFields } from "./stateful-set.ts";

const LIST_TIMEOUT_MS = 10_000;
const READ_TIMEOUT_MS = 5000;
const NOT_FOUND = 404;
/**
 * The client cuts a watch on which nothing came for 30 s. The API server ends it sooner by itself, with a bookmark just before,
 * so that the next watch continues from there.
 */
const WATCH_SECONDS = 25;
const NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/**
 * With the credentials of `KUBECONFIG` if that is set, else of the pod's service account; its token is read again as it is
 * renewed. `namespace` null: that of the credentials. Throws where neither is there.
 */
export function openSliceApi(service: string, namespace: string | null): SliceApi {
  const config = credentials();
  const where = namespace ?? ownNamespace(config);
  const labelSelector = `kubernetes.io/service-name=${service}`;
  const path = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(where)}/endpointslices`;
  return {
    namespace: where,
    async list(signal): Promise<ListedSlices> {
      const bounded = AbortSignal.any([signal, abortedAfter(LIST_TIMEOUT_MS)]);
      const api = new DiscoveryV1Api(boundedBy(bounded, config));
      const list = await api.listNamespacedEndpointSlice({ namespace: where, labelSelector });
      return { version: list.metadata?.resourceVersion, slices: list.items };
    },
    async watch(version, watcher, signal) {
      const query = {
        labelSelector,
        resourceVersion: version,
        allowWatchBookmarks: true,
        timeoutSeconds: WATCH_SECONDS,
      };
      return follow(new Watch(config), { path, query }, watcher, signal);
    },
  };
}

/** The StatefulSet of a pod; null: it is deleted. Rejects where the API server does not tell. */
export async function readStatefulSet({
  namespace,
  statefulSet: name,
}: StatefulPod): Promise<StatefulSetFields | null> {
  const api = new AppsV1Api(boundedBy(abortedAfter(READ_TIMEOUT_MS), credentials()));
  try {
    return await api.readNamespacedStatefulSet({ name, namespace });
  } catch (error) {
    if ((error as { readonly code?: unknown } | null)?.code === NOT_FOUND) return null;
    throw error;
  }
}

/** As `makeApiClient` sets it up, with a signal for each request. */
function boundedBy(signal: AbortSignal, config: KubeConfig): Configuration {
  const pre = (context: RequestContext): Promise<RequestContext> => {
    context.setSignal(signal);
    return Promise.resolve(context);
  };
  return createConfiguration({
    baseServer: new ServerConfiguration(config.getCurrentCluster()?.server ?? "", {}),
    authMethods: { default: config },
    promiseMiddleware: [{ pre, post: (context) => Promise.resolve(context) }],
  });
}

/** Resolves when the API server ends the watch; rejects with what broke it. */
async function follow(
  watch: Watch,
  { path, query }: { readonly path: string; readonly query: Record<string, string | number | boolean> },
  watcher: SliceWatcher,
  signal: AbortSignal,
): Promise<void> {
  const ended = Promise.withResolvers<void>();
  let isOver = false;
  const request = await watch.watch(
    path,
    query,
    (type: string, object: EndpointSlice) => watcher.onEvent({ type, object }),
    (error: unknown) => {
      isOver = true;
      if (error === null || error === undefined) ended.resolve();
      else ended.reject(error);
    },
  );
  if (!isOver) watcher.onOpen();
  const abort = (): void => request.abort();
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    await ended.promise;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function credentials(): KubeConfig {
  const config = new KubeConfig();
  if ((process.env["KUBECONFIG"] ?? "") !== "") config.loadFromDefault();
  else if (process.env["KUBERNETES_SERVICE_HOST"] !== undefined) config.loadFromCluster();
  else throw new Error("this is no pod of Kubernetes, and KUBECONFIG is not set");
  if (config.getCurrentCluster() === null) throw new Error("KUBECONFIG names no cluster");
  return config;
}

function ownNamespace(config: KubeConfig): string {
  const ofContext = config.getContextObject(config.getCurrentContext())?.namespace?.trim();
  if (ofContext !== undefined && ofContext !== "") return ofContext;
  try {
    return readFileSync(NAMESPACE_FILE, "utf8").trim();
  } catch {
    return "default"; // as kubectl has it
  }
}
