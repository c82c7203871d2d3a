/**
 * The part of a Kubernetes API server that discovery uses: list and watch of EndpointSlices, with versions, bookmarks and a
 * history that can be too short; and ways to fail. Writes a kubeconfig that leads to it.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Slice {
  readonly addressType?: string;
  readonly endpoints: readonly object[];
  readonly ports?: readonly { readonly name: string; readonly port: number }[];
}

export interface ApiRequest {
  readonly kind: "list" | "watch";
  readonly namespace: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
}

interface Change {
  readonly type: string;
  readonly version: number;
  readonly object: object;
}

/** A number: this HTTP status; "garbage": 200 and nonsense; "empty": 200 and `{}`; "silence": no answer. */
export type Fault = number | "garbage" | "empty" | "silence";

/** Bits of a pod's endpoint. */
export function pod(name: string, address: string, more: object = {}): object {
  return {
    addresses: [address],
    conditions: { ready: true, serving: true, terminating: false },
    targetRef: { kind: "Pod", name },
    ...more,
  };
}

export class FakeKubernetes implements AsyncDisposable {
  readonly requests: ApiRequest[] = [];
  fault: Fault | null = null;
  /** In place of `fault`, for watches alone. */
  watchFault: Fault | null = null;
  /** The only bearer token that is let in. */
  token: string | null = null;
  private readonly slices = new Map<string, object>();
  private readonly history: Change[] = [];
  private readonly watching = new Set<ServerResponse>();
  private readonly folder = mkdtempSync(join(tmpdir(), "fake-kubernetes-"));
  private latest = 100;
  /** Versions below are forgotten. */
  private oldest = 0;
  private readonly kubeconfigBefore = process.env["KUBECONFIG"];
  private server: Server;
  private port = 0;

  private constructor() {
    this.server = this.newServer();
  }

  /** KUBECONFIG leads to it until it is disposed of. */
  static async start(): Promise<FakeKubernetes> {
    const api = new FakeKubernetes();
    await api.up();
    process.env["KUBECONFIG"] = api.kubeconfig();
    return api;
  }

  /** Listens, at the same port as before. */
  async up(): Promise<void> {
    this.server = this.newServer();
    this.server.listen(this.port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = (this.server.address() as AddressInfo).port;
  }

  async down(): Promise<void> {
    const closed = once(this.server.close(), "close");
    this.server.closeAllConnections();
    await closed;
  }

  /** The path of a kubeconfig; `user` is its user block. */
  kubeconfig(namespace = "here", user: object = { token: "secret" }): string {
    const path = join(this.folder, "config");
    const server = `http://127.0.0.1:${this.port}`;
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "fake",
      contexts: [{ name: "fake", context: { cluster: "fake", user: "fake", namespace } }],
      clusters: [{ name: "fake", cluster: { server, "insecure-skip-tls-verify": true } }],
      users: [{ name: "fake", user }],
    };
    writeFileSync(path, JSON.stringify(config));
    return path;
  }

  /** A user block that reads its token from a file, as a pod's does; and that file. */
  tokenFile(token: string): { readonly user: object; readonly file: string } {
    const file = join(this.folder, "token");
    writeFileSync(file, token);
    return { user: { "auth-provider": { name: "tokenFile", config: { tokenFile: file } } }, file };
  }

  get watchers(): number {
    return this.watching.size;
  }

  count(kind: ApiRequest["kind"]): number {
    return this.requests.filter((request) => request.kind === kind).length;
  }

  put(name: string, slice: Slice): void {
    this.change(this.slices.has(name) ? "MODIFIED" : "ADDED", name, slice);
  }

  delete(name: string): void {
    this.change("DELETED", name, { endpoints: [] });
  }

  /** Returns the version that it tells. */
  bookmark(): string {
    const version = ++this.latest;
    this.raw(
      JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: String(version) } } }),
    );
    return String(version);
  }

  /** Writes a line to every watch. */
  raw(line: string): void {
    for (const watcher of this.watching) watcher.write(`${line}\n`);
  }

  /** Forgets what was: who watches from there is told 410. */
  compact(): void {
    this.oldest = ++this.latest;
    this.history.length = 0;
  }

  endWatches(): void {
    for (const watcher of this.watching) watcher.end();
    this.watching.clear();
  }

  cutWatches(): void {
    for (const watcher of this.watching) watcher.destroy();
    this.watching.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.server.listening) await this.down();
    rmSync(this.folder, { recursive: true, force: true });
    if (this.kubeconfigBefore === undefined) delete process.env["KUBECONFIG"];
    else process.env["KUBECONFIG"] = this.kubeconfigBefore;
  }

  private newServer(): Server {
    return createServer((request, response) => this.serve(request, response));
  }

  private change(type: string, name: string, slice: Slice): void {
    const version = ++this.latest;
    const metadata = { name, resourceVersion: String(version) };
    const object = { addressType: "IPv4", ...slice, metadata };
    if (type === "DELETED") this.slices.delete(name);
    else this.slices.set(name, object);
    const change = { type, version, object };
    this.history.push(change);
    this.raw(JSON.stringify({ type, object }));
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "", "http://fake");
    const path = /^\/apis\/discovery\.k8s\.io\/v1\/namespaces\/([^/]+)\/endpointslices$/.exec(url.pathname);
    const kind = url.searchParams.get("watch") === "true" ? "watch" : "list";
    const { authorization } = request.headers;
    if (path === null) return this.refuse(response, 404);
    this.requests.push({ kind, namespace: path[1]!, query: url.searchParams, authorization });
    const fault = (kind === "watch" ? this.watchFault : null) ?? this.fault;
    if (this.token !== null && authorization !== `Bearer ${this.token}`) return this.refuse(response, 401);
    if (fault === "silence") return;
    if (typeof fault === "number") return this.refuse(response, fault);
    if (fault !== null) return void response.end(fault === "empty" ? "{}" : "<html>\nnot me</html>\n{\n");
    if (kind === "watch") this.watch(Number(url.searchParams.get("resourceVersion")), response);
    else this.list(response);
  }

  private list(response: ServerResponse): void {
    const metadata = { resourceVersion: String(this.latest) };
    const items = [...this.slices.values()];
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({ kind: "EndpointSliceList", apiVersion: "discovery.k8s.io/v1", metadata, items }),
    );
  }

  private watch(from: number, response: ServerResponse): void {
    response.setHeader("content-type", "application/json");
    if (from < this.oldest) {
      response.end(`${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410 } })}\n`);
      return;
    }
    response.flushHeaders();
    for (const { type, version, object } of this.history) {
      if (version > from) response.write(`${JSON.stringify({ type, object })}\n`);
    }
    this.watching.add(response);
    response.on("close", () => this.watching.delete(response));
  }

  private refuse(response: ServerResponse, status: number): void {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(
      JSON.stringify({ kind: "Status", status: "Failure", message: "secret words", code: status }),
    );
  }
}
