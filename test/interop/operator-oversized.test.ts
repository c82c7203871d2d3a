/** Tokens that are larger than tokens may be, and those that are just not, judged alike by both servers. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import {
  accountToken,
  connectWith,
  deleteRequest,
  newAccount,
  newUser,
  OperatorKit,
  outcomeOf,
  UNLIMITED,
  userToken,
} from "../support/operator-kit.ts";
import { ResolverServer } from "../support/resolver-server.ts";

requireNatsServer();

const kit = new OperatorKit();
const [account, large, tooLarge] = [newAccount(), newAccount(), newAccount()];
const user = newUser();
const TOKEN_CHARS_MAX = 1024 * 1024;
const told = new Map<string, unknown>();

/** The token of `make` as large as it can be made without going beyond so many characters. `make`: with so many tags. */
function ofSize(make: (tags: readonly string[]) => string, chars: number): string {
  const perTag = 1000;
  const empty = make([]).length;
  const tag = (i: number): string => `${i}`.padEnd(perTag - 3, "x"); // with quotes and a comma
  const tagsOf = (count: number): string[] => Array.from({ length: count }, (_, i) => tag(i));
  let count = Math.floor(((chars - empty) * 3) / 4 / perTag);
  while (make(tagsOf(count + 1)).length <= chars) count++;
  while (make(tagsOf(count)).length > chars) count--;
  return make(tagsOf(count));
}

for (const { name: kind, command } of bothServers) {
  describe(`large tokens judged by ${kind}`, () => {
    let server: ResolverServer;
    beforeAll(async () => {
      const lines = (): string => "max_control_line: 1MB\nmax_payload: 8MB";
      server = await ResolverServer.start({ command, kit, resolver: `timeout: "50ms"`, lines });
      await server.push(account);
    });
    afterAll(() => server.stop());

    it("of users", async () => {
      const make = (tags: readonly string[]): string => userToken(user, account, { nats: { tags } });
      const outcome = async (token: string): Promise<string> =>
        outcomeOf(await connectWith(server.port, token, user));
      // the line of CONNECT has to have room for it
      expect(await outcome(ofSize(make, TOKEN_CHARS_MAX - 5000))).toBe("in");
      expect(await outcome(ofSize(make, TOKEN_CHARS_MAX + 2000))).toMatch(/maximum control line exceeded/i);
    });

    it("of accounts", async () => {
      const pushed = async (one: typeof account, chars: number): Promise<unknown> => {
        const make = (tags: readonly string[]): string =>
          accountToken(one, kit.operator, { nats: { limits: UNLIMITED, tags } });
        return server.system.update(ofSize(make, chars));
      };
      told.set(kind, [
        await pushed(large, TOKEN_CHARS_MAX).then((answer) => JSON.stringify(answer).includes("jwt updated")),
        await pushed(tooLarge, TOKEN_CHARS_MAX + 2000),
      ]);
    });

    it("of who asks to delete: both refuse it, shoal for its size", async () => {
      const request = deleteRequest(kit.operator, Array<string>(20_000).fill(large.publicKey));
      const why = kind === "shoal" ? "token too large" : "delete must be enabled";
      expect(JSON.stringify(await server.system.delete(request))).toContain(why);
    });
  });
}

it.skipIf(bothServers.length < 2)("are told alike of accounts", () => {
  const [own, theirs] = bothServers.map(({ name }) => told.get(name));
  expect(theirs).toBeDefined();
  expect(own).toEqual(theirs);
});
