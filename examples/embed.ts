/**
 * A server inside your own program: started on a free port, used by the official client, closed at the end.
 *
 *     node examples/embed.ts
 */
import { connect } from "@nats-io/transport-node";
import { startServer } from "shoal";

await using server = await startServer({ port: -1 });
console.log(`listening on ${server.url}`);

const client = await connect({ servers: server.url });
client.subscribe("greet.*", {
  callback: (error, message) => {
    if (error === null || error === undefined) message.respond(`hello ${message.subject.split(".")[1]}`);
  },
});

const reply = await client.request("greet.ann", "", { timeout: 2000 });
console.log(reply.string());
await client.close();
