/** What a callout service is told of a client that wants to connect: `nats` of the request, in the field names of NATS. */

export interface CalloutRequest {
  /** The server that asks. */
  readonly server: {
    readonly id: string;
    readonly name: string;
    readonly host: string;
    readonly version: string;
    /** "": none. */
    readonly cluster: string;
    readonly tags: readonly string[];
    /** Key to encrypt the answer for; null: it is not encrypted. */
    readonly xkey: string | null;
  };
  readonly userNkey: string;
  readonly client: {
    readonly address: string;
    readonly cid: number | undefined;
    /** As monitoring calls clients of its kind. */
    readonly type: string;
    readonly user: string;
    readonly name: string | undefined;
    /** What its token says; "" and empty: nothing. */
    readonly nameTag: string;
    readonly tags: readonly string[];
    /** "": it has signed none. */
    readonly nonce: string;
  };
  /** As in CONNECT; undefined or "": not presented. */
  readonly credentials: {
    readonly jwt?: string;
    readonly nkey: string;
    readonly sig: string;
    readonly authToken: string;
    readonly user: string;
    readonly pass: string;
    readonly name?: string;
    readonly lang?: string;
    readonly version?: string;
    readonly protocol?: number;
  };
  /** null: plaintext. `chain`: in PEM, the client's certificate first. */
  readonly tls: {
    readonly version: string;
    readonly cipherSuite: string;
    readonly chain: readonly string[];
  } | null;
}

export function calloutRequestFields({ server, userNkey, client, credentials, tls }: CalloutRequest): object {
  const { id, name, host, version, cluster, tags, xkey } = server;
  return {
    server_id: withoutBlanks({ name, host, id, version, cluster, tags, xkey }),
    user_nkey: userNkey,
    client_info: withoutBlanks({
      host: client.address,
      id: client.cid,
      user: client.user,
      name: client.name,
      tags: client.tags,
      name_tag: client.nameTag,
      kind: "Client",
      type: client.type,
      nonce: client.nonce,
    }),
    connect_opts: {
      ...withoutBlanks({
        jwt: credentials.jwt,
        nkey: credentials.nkey,
        sig: credentials.sig,
        auth_token: credentials.authToken,
        user: credentials.user,
        pass: credentials.pass,
        name: credentials.name,
        lang: credentials.lang,
        version: credentials.version,
      }),
      protocol: credentials.protocol ?? 0,
    },
    ...(tls === null ? {} : { client_tls: tlsFields(tls) }),
  };
}

function tlsFields({ version, cipherSuite: cipher, chain }: NonNullable<CalloutRequest["tls"]>): object {
  return withoutBlanks({ version, cipher, verified_chains: chain.length === 0 ? [] : [chain] });
}

function withoutBlanks(fields: Readonly<Record<string, unknown>>): object {
  const isBlank = (value: unknown): boolean =>
    value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isBlank(value)));
}
