/** What the other members say of themselves in INFO: where clients reach them, and how many they have. Bound: the peers of the mesh. */

type Info = Readonly<Record<string, unknown>>;

export class MemberWords {
  private readonly urls = new Map<string, readonly string[]>();
  /** Clients of those that tell. */
  readonly clients = new Map<string, number>();

  keep(peerId: string, info: Info): void {
    const urls = info["connect_urls"];
    const known = Array.isArray(urls) ? urls.filter((url): url is string => typeof url === "string") : [];
    this.urls.set(peerId, known);
    this.hearClients(peerId, info);
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

  urlsOf(peerIds: readonly string[]): string[] {
    return peerIds.flatMap((id) => this.urls.get(id) ?? []);
  }

  all(): string[] {
    return [...this.urls.values()].flat();
  }
}
