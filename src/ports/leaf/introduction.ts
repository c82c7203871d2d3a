/** The CONNECT by which this server introduces itself to a hub, with the credentials of the remote. */
import { readFileSync } from "node:fs";
import { seedKey } from "../../keys/nkey.ts";
import type { LeafFacts } from "../../links/leaf/host.ts";
import { leafConnectLine, type LeafInfo } from "../../protocol/leaf-info.ts";
import type { LeafAddress, LeafRemoteSettings } from "./leaf-settings.ts";

type Shown = Pick<
  Parameters<typeof leafConnectLine>[0],
  "user" | "pass" | "authToken" | "nkey" | "jwt" | "sig"
>;

const NOTHING: Shown = { user: "", pass: "", authToken: "", nkey: "", jwt: "", sig: "" };
/** The two parts of a credentials file: a user JWT, and the seed of the key that it is for. */
const CREDENTIALS = /-{3,}BEGIN[^\n]*-{3,}\r?\n\s*([\w\-.=]+)\s*\r?\n-{3,}END/g;

/** Throws with what is wrong with the credentials. */
export function introduction(
  remote: LeafRemoteSettings,
  address: LeafAddress,
  facts: LeafFacts,
  info: LeafInfo,
  compression: string,
): string {
  return leafConnectLine({
    ...credentials(remote, address, info.nonce),
    serverId: facts.serverId,
    name: facts.serverName,
    cluster: facts.cluster || facts.serverName,
    domain: facts.domain,
    isHub: remote.isHub,
    headers: facts.takesHeaders && info.headers,
    jetStream: facts.hasJetStream,
    denyPublish: remote.denyImports,
    isolate: remote.asksForIsolation,
    compression,
    account: remote.account,
  });
}

/** As nats-server, beside a JWT or an nkey also the user of the URL, for callouts. A user without a password is a token as well. */
function credentials(remote: LeafRemoteSettings, address: LeafAddress, nonce: string): Shown {
  const { credentials: own } = remote;
  const from =
    address.user === null ? (remote.addresses.find(({ user }) => user !== null) ?? address) : address;
  const ofUrl =
    from.user === null
      ? NOTHING
      : {
          ...NOTHING,
          user: from.user,
          pass: from.pass ?? "",
          authToken: from.pass === null ? from.user : "",
        };
  switch (own.kind) {
    case "none":
      return ofUrl;
    case "user":
      return {
        ...NOTHING,
        user: own.user,
        pass: own.pass ?? "",
        authToken: own.pass === null ? own.user : "",
      };
    case "nkey": {
      const key = seedKey(own.seed);
      return { ...ofUrl, nkey: key.publicKey, sig: key.sign(nonce) };
    }
    case "file": {
      const [jwt, seed] = Array.from(readFileSync(own.path, "latin1").matchAll(CREDENTIALS), (one) => one[1]);
      if (jwt === undefined || seed === undefined)
        throw new Error(`the credentials file ${own.path} does not hold a user JWT and a seed`);
      return { ...ofUrl, jwt, sig: seedKey(seed).sign(nonce) };
    }
  }
}
