/** What tests of servers in processes on other hosts look at, and how long they wait for it. */

/** A silent peer is cut after the third PING of 5 s that finds no answer; a whole mesh is promised 5 s after healing. */
const DEADLINE_MS = 40_000;

/** What /routez shows, as "PEER COUNT". */
export async function routesByPeer(address: string): Promise<string[]> {
  // A connection kept from before may lead to a server that is gone: what is asked next opens a new one.
  const response = await fetch(`http://${address}:8222/routez`).catch(() => undefined);
  const { routes } = ((await response?.json()) ?? { routes: [] }) as { routes: { remote_id: string }[] };
  const counts = new Map<string, number>();
  for (const { remote_id: peer } of routes) counts.set(peer, (counts.get(peer) ?? 0) + 1);
  return [...counts].map(([peer, count]) => `${peer} ${count}`).sort();
}

export async function within(
  what: string,
  look: () => boolean | Promise<boolean>,
  seen: () => string,
): Promise<void> {
  const giveUpAt = performance.now() + DEADLINE_MS;
  while (!(await look())) {
    if (performance.now() > giveUpAt)
      throw new Error(`waited ${DEADLINE_MS} ms in vain for ${what}\n${seen()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
