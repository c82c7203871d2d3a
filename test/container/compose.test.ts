/** docker-compose.yml on a real engine: the servers find each other by the service's name, whatever is done to them. */
import { readFileSync } from "node:fs";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { available, docker } from "../support/docker.ts";

const PROJECT = `shoal-test-${process.pid}`;
Object.assign(process.env, {
  COMPOSE_PROJECT_NAME: PROJECT,
  SHOAL_CLIENT_PORTS: "24222-24231",
  SHOAL_MONITOR_PORTS: "28222-28231",
  PROMETHEUS_PORT: "29090",
});

/** What the files name by digest, and where a machine without a registry puts its own. */
const PINNED = [
  ...read("Dockerfile").matchAll(/^ARG (\w+_IMAGE)=(\S+@sha256:\w+)$/gm),
  ...read("docker-compose.yml").matchAll(/\$\{(PROMETHEUS_IMAGE):-(\S+@sha256:\w+)\}/g),
].map(([, name, pinned]) => [name!, pinned!] as const);

function read(file: string): string {
  return readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
}

const compose = (...args: readonly string[]): Promise<string> => docker("compose", ...args);
const names = async (): Promise<string[]> =>
  (await compose("ps", "--format", "{{.Name}}", "nats")).split("\n").filter((name) => name !== "");

async function address(name: string): Promise<string> {
  const networks = await docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", name);
  return Object.values(JSON.parse(networks) as Record<string, { IPAddress: string }>)[0]!.IPAddress;
}

async function get<T>(name: string, path: string): Promise<T> {
  return (await (await fetch(`http://${await address(name)}:8222${path}`)).json()) as T;
}

/** Every one of `members` has routes to all the others, and to nobody else. */
async function meshed(members: readonly string[]): Promise<void> {
  await vi.waitFor(
    async () => {
      const ids = await Promise.all(
        members.map(async (name) => (await get<{ server_id: string }>(name, "/varz")).server_id),
      );
      for (const [n, name] of members.entries()) {
        const { routes } = await get<{ routes: { remote_id: string }[] }>(name, "/routez");
        const others = new Set(routes.map(({ remote_id }) => remote_id));
        expect([...others].sort()).toEqual(ids.filter((_, other) => other !== n).sort());
      }
    },
    { timeout: 60_000, interval: 200 },
  );
}

/** A message that is published at any of them arrives at all. */
async function talk(members: readonly string[]): Promise<void> {
  const clients = await Promise.all(
    members.map(async (name) =>
      connect({ servers: `${await address(name)}:4222`, ignoreClusterUpdates: true }),
    ),
  );
  try {
    const subscriptions = clients.map((client) => client.subscribe("talk", { max: members.length }));
    await Promise.all(clients.map((client) => client.flush()));
    const [first] = clients;
    // interest travels to the others: a request per member answers once it is there
    const services = clients.map((client, n) =>
      client.subscribe(`there.${n}`, { callback: (_, message) => void message.respond() }),
    );
    for (const n of services.keys()) {
      await vi.waitFor(() => first!.request(`there.${n}`, "", { timeout: 500 }), {
        timeout: 30_000,
        interval: 100,
      });
    }
    for (const client of clients) client.publish("talk");
    for (const subscription of subscriptions) {
      let count = 0;
      for await (const _ of subscription) count++;
      expect(count).toBe(members.length);
    }
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

beforeAll(async () => {
  for (const [name, pinned] of PINNED) process.env[name] = await available(pinned);
  await compose("up", "--build", "--detach", "--wait");
}, 600_000);

afterAll(async () => {
  await compose("down", "--volumes", "--timeout", "30");
}, 120_000);

it("gives three servers in one mesh, named after their containers", async () => {
  const members = await names();
  expect(members).toHaveLength(3);
  await meshed(members);
  await talk(members);
  for (const name of members) {
    const hostname = await docker("inspect", "--format", "{{.Config.Hostname}}", name);
    expect(await get(name, "/varz")).toMatchObject({ server_name: hostname });
  }
});

it("has them scraped by Prometheus", async () => {
  const query = async (text: string): Promise<number> => {
    const url = `http://127.0.0.1:29090/api/v1/query?query=${encodeURIComponent(text)}`;
    const { data } = (await (await fetch(url)).json()) as { data: { result: { value: [number, string] }[] } };
    return Number(data.result[0]?.value[1] ?? 0);
  };
  await vi.waitFor(async () => expect(await query('count(up{job="nats"} == 1)')).toBe(3), {
    timeout: 60_000,
    interval: 500,
  });
  await vi.waitFor(async () => expect(await query("count(nats_varz_connections)")).toBe(3), {
    timeout: 60_000,
    interval: 500,
  });
});

it("follows --scale, up and down", async () => {
  await compose("up", "--detach", "--no-build", "--no-recreate", "--scale", "nats=5", "--wait");
  const five = await names();
  expect(five).toHaveLength(5);
  await meshed(five);
  await talk(five);
  await compose("up", "--detach", "--no-build", "--no-recreate", "--scale", "nats=3", "--wait");
  const three = await names();
  expect(three).toHaveLength(3);
  await meshed(three);
});

it("follows a member that is killed and comes back", async () => {
  const [first, ...rest] = await names();
  await docker("kill", first!);
  await meshed(rest);
  await docker("start", first!);
  await meshed([first!, ...rest]);
  await talk([first!, ...rest]);
});

it("follows a restart of all", async () => {
  await compose("restart", "--timeout", "30", "nats");
  const members = await names();
  await meshed(members);
  await talk(members);
});

it("follows a member that is cut from the network and comes back at another address", async () => {
  const [first, ...rest] = await names();
  await docker("network", "disconnect", `${PROJECT}_default`, first!);
  await meshed(rest);
  await docker("network", "connect", "--alias", "nats", `${PROJECT}_default`, first!);
  await meshed([first!, ...rest]);
  await talk([first!, ...rest]);
});
