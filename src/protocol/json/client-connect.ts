/** The CONNECT of a client that this program is itself. Clients that connect to a server are read elsewhere (connect.ts). */

/** null: nothing of this kind is presented. */
export interface ClientConnect {
  readonly name: string;
  readonly user: string | null;
  readonly password: string | null;
  readonly token: string | null;
  readonly nkey: string | null;
  readonly jwt: string | null;
  /** The signature of the nonce. */
  readonly signature: string | null;
}

/** With CRLF. */
export function clientConnectLine({
  user,
  password,
  token,
  nkey,
  jwt,
  signature,
  name,
}: ClientConnect): string {
  const json = {
    verbose: false,
    pedantic: false,
    headers: true,
    no_responders: true,
    protocol: 1,
    name,
    lang: "shoal",
    version: "1",
    user: user ?? undefined,
    pass: password ?? undefined,
    auth_token: token ?? undefined,
    nkey: nkey ?? undefined,
    jwt: jwt ?? undefined,
    sig: signature ?? undefined,
  };
  return `CONNECT ${JSON.stringify(json)}\r\n`;
}
