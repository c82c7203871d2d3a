/** Where clients reach the other members, as their INFO says it. Bound: the peers of the mesh. */

type Info = Readonly<Record<string, unknown>>;

export class MemberUrls {
  private readonly urls = new Map<string, readonly string[]>();

  keep(peerId: string, info: Info): void {
    const urls = info["connect_urls"];
    const known = Array.isArray(urls) ? urls.filter((url): url is string => typeof url === "string") : [];
    this.urls.set(peerId, known);
  }

  /** Returns whether there was something to drop. */
  drop(peerId: string): boolean {
    return this.urls.delete(peerId);
  }

  all(): string[] {
    return [...this.urls.values()].flat();
  }
}
