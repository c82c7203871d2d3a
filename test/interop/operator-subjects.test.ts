/** Claims that name subjects by functions, and traces that claims ask for: shoal and nats-server do the same with the same tokens. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashName } from "../../src/base/base62.ts";
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import {
  accountToken,
  connectWith,
  newAccount,
  newUser,
  OperatorKit,
  userToken,
} from "../support/operator-kit.ts";
import type { RawConnection } from "../support/raw-connection.ts";

requireNatsServer();

const kit = new OperatorKit();
const [exporter, importer, user] = [newAccount(), newAccount(), newUser()];
const [ofExporter, ofImporter] = [exporter, importer].map(({ publicKey }) => hashName(publicKey));
const accounts = new Map([
  [
    exporter,
    accountToken(exporter, kit.operator, {
      nats: {
        exports: [{ name: "s", subject: "s.{{account-hash()}}.>", type: "stream" }],
        mappings: { "in.{{account-hash()}}": [{ subject: "out.{{account-hash()}}" }] },
        trace: { dest: "traces", sampling: 100 },
      },
    }),
  ],
  [
    importer,
    accountToken(importer, kit.operator, {
      nats: {
        imports: [
          {
            name: "s",
            subject: "s.{{account-hash-import()}}.>",
            local_subject: "{{account-hash()}}.>",
            account: exporter.publicKey,
            type: "stream",
          },
        ],
      },
    }),
  ],
]);

describe.each(bothServers)("$name", ({ command }) => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startServer(command, kit.memoryConfig(accounts));
  });
  afterAll(async () => server.stop());
  const enter = async (account: SigningNkey): Promise<RawConnection> => {
    const client = await connectWith(server.port, userToken(user, account), user);
    await client.has("PONG\r\n");
    client.text = "";
    return client;
  };

  it("puts hashes of accounts in place of functions, in mappings, exports and imports", async () => {
    const [there, here] = [await enter(exporter), await enter(importer)];
    there.send(`SUB out.* 1\r\nPUB in.${ofExporter} 1\r\nm\r\n`);
    await there.has(`MSG out.${ofExporter} 1 1\r\nm\r\n`);
    here.send(`SUB ${ofImporter}.> 2\r\nPING\r\n`);
    await here.has("PONG\r\n");
    await waitFor("the stream to cross", async () => {
      there.text = "";
      there.send(`PUB s.${ofExporter}.x 1\r\ns\r\nPING\r\n`);
      await there.has("PONG\r\n");
      return here.text.includes(`MSG ${ofImporter}.x 2 1\r\ns\r\n`);
    });
    there.destroy();
    here.destroy();
  });

  it("sends the traces of messages where the claims say", async () => {
    const client = await enter(exporter);
    client.send("SUB traces 1\r\nSUB a 2\r\n");
    const header = "NATS/1.0\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
    client.send(`HPUB a ${header.length} ${header.length + 1}\r\n${header}t\r\n`);
    await client.has("MSG traces 1 ");
    await client.has(`"type":"eg"`);
    expect(client.text).toContain(`"traceparent"`);
    expect(client.text).toContain("HMSG a 2 ");
    client.destroy();
  });
});
