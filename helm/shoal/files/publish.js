// Run by `helm test`: a message that is published at any member arrives at a subscriber of the first, and through the Service.
const { lookup } = require("node:dns/promises");
const fs = require("node:fs");
const net = require("node:net");
const tls = require("node:tls");

const { HEADLESS, SERVICE, PORT, MEMBERS } = process.env;
const user = anyUser();
const subject = `helm.test.${process.pid}.${Date.now()}`;

// One whose password is known: a bcrypt hash is none. {} where everybody is let in.
function anyUser() {
  if (!fs.existsSync("/users")) return {};
  const names = fs.readdirSync("/users").filter((name) => !name.startsWith("."));
  const all = names.map((name) => ({ user: name, pass: fs.readFileSync(`/users/${name}`, "utf8").trimEnd() }));
  const known = all.find(({ pass }) => !pass.startsWith("$2"));
  if (known !== undefined) return known;
  console.error("the Secret of users has no password that is not a hash: there is nobody to connect as");
  process.exit(1);
}

// Gives a socket that the server has greeted and admitted.
function connect(host) {
  return new Promise((resolve, reject) => {
    let text = "";
    let socket = net.connect({ host, port: Number(PORT) });
    const fail = (error) => reject(new Error(`${host}:${PORT}: ${error.message}`));
    const setUp = () => {
      socket.write(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, ...user })}\r\nPING\r\n`);
      socket.on("data", (bytes) => {
        text += bytes;
        if (text.includes("-ERR")) fail(new Error(text.trim()));
        if (text.includes("PONG")) resolve(socket);
      });
    };
    socket.once("error", fail);
    socket.once("data", (bytes) => {
      if (!JSON.parse(String(bytes).slice(5)).tls_required) return setUp();
      // what is tested is the cluster, not the certificate
      socket = tls.connect({ socket, rejectUnauthorized: false }, setUp);
      socket.once("error", fail);
    });
  });
}

async function main() {
  const addresses = (await lookup(HEADLESS, { all: true })).map(({ address }) => address);
  if (addresses.length < Number(MEMBERS)) throw new Error(`${HEADLESS} has ${addresses.length} addresses, expected ${MEMBERS}`);
  const sockets = await Promise.all([...addresses, SERVICE].map(connect));
  const [subscriber] = sockets;
  const heard = new Set();
  let text = "";
  const all = new Promise((resolve) => {
    subscriber.on("data", (bytes) => {
      text += bytes;
      for (const [, n] of text.matchAll(/from-(\d+)\r\n/g)) heard.add(n);
      if (heard.size === sockets.length) resolve();
    });
  });
  subscriber.write(`SUB ${subject} 1\r\n`);
  // interest may be under way to the others: whatever was not heard yet is published again
  const again = setInterval(() => {
    sockets.forEach((socket, n) => {
      const payload = `from-${n}`;
      if (!heard.has(String(n))) socket.write(`PUB ${subject} ${payload.length}\r\n${payload}\r\n`);
    });
  }, 100);
  await all;
  clearInterval(again);
  console.log(`published at ${addresses.join(", ")} and through ${SERVICE}: all arrived at ${addresses[0]}`);
  process.exit(0);
}

setTimeout(() => {
  console.error("nothing or not all arrived in 30 s");
  process.exit(1);
}, 30_000);
main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
