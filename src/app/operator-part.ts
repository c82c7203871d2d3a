/** Operator mode as a part: loads the system account, answers requests about tokens of accounts, and has clients follow changes. */
import type { AccountInForce } from "../auth/operator/accounts.ts";
import { systemClock } from "../base/clock.ts";
import type { Part } from "../base/part.ts";
import { sameValues } from "../base/same-values.ts";
import type { Config } from "../config/config.ts";
import { ClaimsService } from "../operator/claims-service.ts";
import { StartError } from "../ports/start-error.ts";
import { SYSTEM_ACCOUNT } from "../subject/account-names.ts";
import { DiskError } from "../store/disk.ts";
import { Stamp } from "../system/stamp.ts";
import type { JetStreamPart } from "./jetstream.ts";
import { serverHash } from "./process/identity.ts";
import type { Rooms } from "./rooms.ts";
import { operatorRules } from "./slices/operator.ts";
import { signedJetStreamLimits } from "./slices/signed-jetstream.ts";

type OperatorPartRooms = Pick<
  Rooms,
  | "operator"
  | "clients"
  | "accounts"
  | "cluster"
  | "logger"
  | "identity"
  | "system"
  | "jetStream"
  | "leafNodes"
  | "elsewhere"
>;

/** Gives accounts that were needed before there were streams what they may have of them. */
export function signedStreams(rooms: OperatorPartRooms): Part<Config> {
  const start = (): void => {
    for (const account of rooms.operator?.book ?? []) {
      const name = account.claims.subject;
      if (name !== rooms.accounts.system?.name) followClaims(rooms, name, account);
    }
  };
  return { name: "streams of signed accounts", start };
}

export function operatorPart(rooms: OperatorPartRooms): Part<Config> {
  const { operator, clients, accounts } = rooms;
  if (operator === null) return { name: "operator" };
  const { book } = operator;
  /** Streams are read when their account is needed. */
  const followJetStream = (name: string): void => {
    if (name !== accounts.system?.name) followClaims(rooms, name, book.current(name));
  };
  let claims: ClaimsService | null = null;
  return {
    name: "operator",
    async start() {
      book.onChange = (names) => {
        for (const name of names) followJetStream(name);
        const known = [...names].map((name) => accounts.get(name));
        for (const account of known) if (account !== undefined) rooms.elsewhere.current?.ask(account);
        const inUse = known.filter((account) => (account?.connections ?? 0) > 0);
        clients.recheckAccountsOf(new Set(inUse.map((account) => account!.name)));
        rooms.leafNodes.recheckGrants();
      };
      claims = claimsService(rooms, operator);
      // Preloaded tokens are on their way into the directory.
      await operator.settled();
      const name = accounts.system?.name;
      if (name === undefined || name === SYSTEM_ACCOUNT || (await book.resolve(name)) !== null) return;
      throw new StartError(`error resolving system account: account missing: ${name}`, null);
    },
    /** Tokens may have changed without the configuration. */
    prepare: (next) => ({
      apply() {
        const before = operator.rules.current.pinnedAccounts;
        operator.rules.current = operatorRules(next);
        if (!sameValues(before, operator.rules.current.pinnedAccounts)) {
          clients.recheckGrants();
          rooms.leafNodes.recheckGrants();
        }
        void reloadTokens(operator, next);
      },
    }),
    stop() {
      claims?.[Symbol.dispose]();
      book[Symbol.dispose]();
      operator.web[Symbol.dispose]();
    },
    closed: async () => operator.settled(),
  };
}

async function reloadTokens(
  { resolver, book }: NonNullable<Rooms["operator"]>,
  { operator: { preload } }: Config,
): Promise<void> {
  const rest = await resolver.reload(preload);
  if (rest !== "nothing") await book.refresh(rest === "fetch again" ? "keep" : "end");
}

/** null: there is no system account to answer in. */
function claimsService(
  rooms: OperatorPartRooms,
  operator: NonNullable<Rooms["operator"]>,
): ClaimsService | null {
  const { accounts, cluster, logger, identity, system } = rooms;
  if (accounts.system === null) return null;
  let stamp: Stamp | null = null;
  return new ClaimsService({
    ...operator,
    system: accounts.system,
    clock: systemClock,
    logger,
    serverHash: serverHash(identity.name),
    stamp() {
      const { current } = system;
      if (current === null) return {};
      const own = (stamp ??= new Stamp(current.source, systemClock));
      return own.next();
    },
    peerCount: () => cluster?.snapshot()?.peers.length ?? 0,
  });
}

/** The account may take of JetStream what its claims say from now on. What it has stays on the disk. */
function followClaims(rooms: OperatorPartRooms, name: string, signed: AccountInForce | null): void {
  const part = rooms.jetStream.current;
  if (part === null) return;
  useClaims(part, rooms, name, signed);
  const account = rooms.accounts.get(name);
  if (account !== undefined) part.refusals.follow(account);
}

function useClaims(
  part: JetStreamPart,
  { accounts, logger }: OperatorPartRooms,
  name: string,
  signed: AccountInForce | null,
): void {
  const limits = signedJetStreamLimits(signed);
  const account = accounts.get(name);
  if (limits === null || account === undefined) return part.jetStream.remove(name);
  const known = part.jetStream.accounts.get(name);
  if (known !== undefined) return known.assets.useLimits(limits);
  try {
    part.jetStream.add({ host: part.hostFor(account), limits });
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    logger.error("The streams of an account cannot be read", { account: name, reason: error.message });
  }
}
