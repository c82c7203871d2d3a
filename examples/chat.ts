/**
 * A chat over any member of a cluster: what you type goes to everybody else in the room.
 *
 *     npm start                                            (in one terminal)
 *     npm run chat -- ann nats://127.0.0.1:4222            (in another)
 *     npm run chat -- bob nats://127.0.0.1:6222            (in a third)
 */
import { createInterface } from "node:readline";
import { connect } from "@nats-io/transport-node";

const [name = "guest", url = "nats://127.0.0.1:4222"] = process.argv.slice(2);
const client = await connect({ servers: url, name, noEcho: true, maxReconnectAttempts: -1 });

const seat = `chat.${name.replaceAll(/[\s.*>]/g, "_")}`;
client.subscribe("chat.*", {
  callback: (_error, message) => console.log(`${message.subject.slice("chat.".length)}: ${message.string()}`),
});
await client.flush();
console.log(`${name} is in the room, by ${client.getServer()}; type a line, end with Ctrl-D`);
for await (const line of createInterface({ input: process.stdin })) client.publish(seat, line);
await client.drain();
