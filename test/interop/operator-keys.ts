/** The operator, accounts and users that claims are made wrong for. */
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { HOUR_S, newAccount, newUser, OperatorKit, UNLIMITED } from "../support/operator-kit.ts";

export type Fields = Readonly<Record<string, unknown>>;
export type Token = readonly [jwt: string, signer: SigningNkey | null];

export const kit = new OperatorKit();
export const [user, other] = [newUser(), newUser()];
export const [open, closed, keyed, exporter] = [newAccount(), newAccount(), newAccount(), newAccount()];
export const [signing, scope, tagged, odd] = [newAccount(), newAccount(), newAccount(), newAccount()];
export const now = Math.floor(Date.now() / 1000);

export const roleOf = (key: SigningNkey, template: Fields): Fields => ({
  kind: "user_scope",
  key: key.publicKey,
  role: "r",
  template,
});
export const ACCOUNTS: readonly (readonly [SigningNkey, Fields])[] = [
  [open, {}],
  [
    closed,
    {
      limits: { ...UNLIMITED, disallow_bearer: true },
      revocations: { [other.publicKey]: now + HOUR_S },
    },
  ],
  [
    keyed,
    {
      signing_keys: [
        signing.publicKey,
        roleOf(scope, {
          pub: { allow: ["a.{{name()}}"] },
          src: ["10.0.0.0/8"],
        }),
        roleOf(tagged, { pub: { deny: ["a.{{tag(team)}}"] } }),
        roleOf(odd, { sub: { allow: ["a.{{nothing()}}"] } }),
      ],
    },
  ],
  [
    exporter,
    {
      exports: [{ name: "s", subject: "s.>", type: "stream", token_req: true }],
    },
  ],
];
