/** What comes of asking a member for a sign of life because another server has come with its name (rivals.ts). */
import { advertisedAddress } from "./address.ts";
import { vouchAddress } from "./addresses.ts";
import { closeConn } from "./handshake.ts";
import { tell, type ConnRow, type MeshState } from "./mesh-state.ts";
import type { MeshEvent } from "./mesh-types.ts";
import { supersede } from "./peers.ts";
import { tellDuplicate } from "./rivals.ts";

/** A route of a member has, or has not, shown a sign of life. */
export function challengeOver(
  state: MeshState,
  conn: ConnRow,
  { isAlive }: Extract<MeshEvent, { kind: "challengeOver" }>,
): void {
  const peer = conn.route === undefined ? undefined : state.peers.get(conn.route.peerId);
  const rival = peer?.rival;
  if (peer === undefined || rival === undefined) return;
  if (isAlive) {
    peer.rival = undefined;
    return tellDuplicate(state, rival.conn, rival.info);
  }
  closeConn(state, conn, "superseded", "its server restarted");
  if (state.peers.has(peer.id)) return;
  supersede(state, peer.id);
  tell(state, { kind: "peerRestarted", name: peer.name, oldId: peer.id, newId: rival.info.id });
  const address = rival.conn.isStranger ? undefined : advertisedAddress(rival.info, rival.conn.remoteIp);
  if (address === undefined) return;
  // As at any join, those tell others of the successor that it came to by itself.
  const gossipMode = peer.successor === rival.info.id ? 0 : 2;
  vouchAddress(state, address, rival.info.id, { delayMs: 0, gossipMode });
}
