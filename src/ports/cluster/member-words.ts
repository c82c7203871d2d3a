/**
 * What the other members say of themselves in INFO: where clients reach them, and how many they have. Bounds: the peers of the mesh,
 * and URLS_MAX URLs of URL_CHARS_MAX characters of each.
 */
import { isDeepStrictEqual } from "node:util";

type Info = Readonly<Record<string, unknown>>;

/** Every client is told of all URLs, so a member that makes them up must not fill everybody's memory. */
const URLS_MAX = 128;
/** A host name has 253 at most. */
const URL_CHARS_MAX = 300;

/** For clients in the cluster, for those outside, for those over WebSocket, and for leaf nodes: a nats-server does not tell of the second. */
export interface ClientUrls {
  readonly inside: readonly string[];
  readonly outside: readonly string[];
  readonly websocket: readonly string[];
  readonly leaf: readonly string[];
}

export class MemberWords {
  private readonly urls = new Map<string, ClientUrls>();
  /** There is a member, or there was one. */
  hasMet = false;
  /** Clients of those that tell. */
  readonly clients = new Map<string, number>();

  /** Returns whether clients reach the member in other ways than before. */
  keep(peerId: string, info: Info): boolean {
    const urls = {
      inside: texts(info["connect_urls"]),
      outside: texts(info["external_urls"]),
      websocket: texts(info["ws_connect_urls"]),
      leaf: texts(info["leafnode_urls"]),
    };
    this.hasMet = true;
    const isNew = !isDeepStrictEqual(urls, this.urls.get(peerId));
    this.urls.set(peerId, urls);
    this.hearClients(peerId, info);
    return isNew;
  }

  hearClients(peerId: string, { clients }: Info): void {
    if (typeof clients === "number" && Number.isSafeInteger(clients) && clients >= 0)
      this.clients.set(peerId, clients);
  }

  /** Returns whether there was something to drop. */
  drop(peerId: string): boolean {
    this.clients.delete(peerId);
    return this.urls.delete(peerId);
  }

  /** Members that stay: those in lame duck mode are not among them. */
  get count(): number {
    return this.urls.size;
  }

  urlsOf(peerIds: readonly string[]): ClientUrls {
    const known = peerIds.flatMap((id) => this.urls.get(id) ?? []);
    return {
      inside: known.flatMap(({ inside }) => inside),
      outside: known.flatMap(({ outside }) => outside),
      websocket: known.flatMap(({ websocket }) => websocket),
      leaf: known.flatMap(({ leaf }) => leaf),
    };
  }

  all(side: keyof ClientUrls): string[] {
    return [...this.urls.values()].flatMap((urls) => urls[side]);
  }
}

function texts(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter((url): url is string => typeof url === "string" && url.length <= URL_CHARS_MAX)
    .slice(0, URLS_MAX);
}
