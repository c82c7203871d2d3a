/**
 * Proxies that clients may connect through. A proxy signs the nonce of INFO with its nkey and puts the signature into the client's
 * CONNECT as `proxy_sig`, in base64 for URLs. As in nats-server, the signature is ignored while no proxy is configured.
 */
import type { KeyObject } from "node:crypto";
import { isSignedBy, nkeyToVerify } from "../keys/nkey.ts";

export class TrustedProxies {
  private keys: ReadonlyMap<string, KeyObject> = new Map();

  /** `nkeys`: public ones, of any kind. */
  reconfigure(nkeys: readonly string[]): void {
    this.keys = new Map(nkeys.map((nkey) => [nkey, nkeyToVerify(nkey)]));
  }

  get isEmpty(): boolean {
    return this.keys.size === 0;
  }

  has(nkey: string): boolean {
    return this.keys.has(nkey);
  }

  /** The public nkey of the proxy that signed; "": the client used no proxy; null: the proxy is not trusted. */
  signerOf(signature: string, nonce: string): string | null {
    if (signature === "" || this.isEmpty) return "";
    if (!/^[\w-]+$/.test(signature)) return null;
    for (const [nkey, key] of this.keys) if (isSignedBy(key, nonce, signature)) return nkey;
    return null;
  }
}
